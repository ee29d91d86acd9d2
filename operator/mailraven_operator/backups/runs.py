"""The kinds Backup and Restore."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar

from mailraven_api.kubernetes import Backup, Restore
from mailraven_operator.backups import names, one_shot
from mailraven_operator.backups.facts import check_namespace, check_secrets
from mailraven_operator.backups.job_documents import backup_document, is_owned, restore_document
from mailraven_operator.backups.job_state import is_pod_of, job_state
from mailraven_operator.backups.source import source_of
from mailraven_operator.backups.target import secrets_of
from mailraven_operator.backups.template import read_template
from mailraven_operator.context import Context
from mailraven_operator.kube import JOBS, PODS, KubeError
from mailraven_operator.outcome import Outcome, Problem
from mailraven_operator.world import Key, World

Document = dict[str, Any]
_BACKUP = one_shot.Words("backup", {"messages": ("messages",), "bytes": ("bytes",), "addedBytes": ("added_bytes",)})
_RESTORE = one_shot.Words(
    "restore",
    {
        "messages": ("messages",),
        "domains": ("domains",),
        "accounts": ("accounts", "accounts_made", "accounts_filled"),
        "mailboxes": ("mailboxes",),
        "skipped": ("present",),
    },
)


class Backups:
    """A Backup is one Job."""

    plural: ClassVar[str] = "backups"
    model: ClassVar[type[Any]] = Backup
    finalizes: ClassVar[bool] = False

    async def reconcile(self, context: Context, resource: Backup) -> Outcome:
        """Level-based, and yet once: what is over stays as it is."""

        async def document() -> Document:
            spec = resource.spec
            await check_secrets(context, resource.metadata.namespace, secrets_of(spec.target, spec.encryption))
            return backup_document(resource, read_template(context.settings.job_template))

        return await _run(context, resource, _BACKUP, document)

    async def finalize(self, context: Context, resource: Backup) -> None:
        """The archive stays where it is."""

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        """Its Job, and Secrets that it waits for."""
        if resource_kind == "Job":
            return _unfinished(world, "Backup", key[0])
        return world.referring("Backup", key) if resource_kind == "Secret" else ()


class Restores:
    """A Restore is one Job."""

    plural: ClassVar[str] = "restores"
    model: ClassVar[type[Any]] = Restore
    finalizes: ClassVar[bool] = False

    async def reconcile(self, context: Context, resource: Restore) -> Outcome:
        """Level-based, and yet once: what is over stays as it is."""

        async def document() -> Document:
            source = source_of(context.world, resource)
            await check_secrets(context, resource.metadata.namespace, source.secrets)
            return restore_document(resource, source, read_template(context.settings.job_template))

        return await _run(context, resource, _RESTORE, document)

    async def finalize(self, context: Context, resource: Restore) -> None:
        """What came back stays."""

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        """Its Job, Backups that it may wait for, and Secrets."""
        if resource_kind in ("Job", "Backup"):
            return _unfinished(world, "Restore", key[0])
        return world.referring("Restore", key) if resource_kind == "Secret" else ()


async def _run(
    context: Context, resource: Backup | Restore, words: one_shot.Words, document: Callable[[], Awaitable[Document]]
) -> Outcome:
    """`document` is asked for only if the Job is still to be made."""
    check_namespace(context, resource)
    namespace = resource.metadata.namespace
    before = context.world.raw_status(resource.KIND, resource.metadata.key)
    if one_shot.is_over(before):
        return one_shot.unchanged(before)
    job = await context.kube.get(JOBS, namespace, names.job_name(words.what, resource.metadata))
    if job is None and before.get("jobName"):
        return one_shot.lost(before)
    if job is None:
        try:
            job = await _create(context, await document())
        except Problem as problem:
            problem.status = {"phase": "Pending"}
            raise
    if not is_owned(job, resource):
        raise Problem("Conflict", f"there is a Job {job['metadata']['name']} that is not of this {resource.kind}")
    selector = f"batch.kubernetes.io/controller-uid={job['metadata']['uid']}"
    pods = await context.kube.list(PODS, namespace, labels=selector)
    return one_shot.outcome(words, job_state(job, [pod for pod in pods if is_pod_of(pod, job)]))


async def _create(context: Context, document: Document) -> Document:
    """Once: another look may have made it."""
    try:
        return await context.kube.create(document)
    except KubeError as error:
        if error.reason != "AlreadyExists":
            raise
    metadata = document["metadata"]
    found = await context.kube.get(JOBS, metadata["namespace"], metadata["name"])
    if found is None:
        raise Problem("JobGone", f"the Job {metadata['name']} came and went")
    return found


def _unfinished(world: World, kind: str, namespace: str) -> list[Key]:
    """Those that a Job may concern."""
    keys = (key for key in world.keys(kind) if key[0] == namespace)
    return [key for key in keys if not one_shot.is_over(world.raw_status(kind, key))]
