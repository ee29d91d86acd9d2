"""The kind BackupSchedule: a CronJob, and one Job at once where that is asked for."""

from collections.abc import Iterable
from typing import Any, ClassVar
from zoneinfo import ZoneInfoNotFoundError

from mailraven_api.kubernetes import BackupSchedule
from mailraven_operator.backups import cron, job_documents, names, schedule_status
from mailraven_operator.backups.facts import check_namespace, check_secrets
from mailraven_operator.backups.job_state import JobState, is_pod_of, job_state
from mailraven_operator.backups.target import secrets_of
from mailraven_operator.backups.template import read_template
from mailraven_operator.context import Context
from mailraven_operator.kube import CRONJOBS, JOBS, PODS, KubeError
from mailraven_operator.outcome import ConditionValue, Outcome, Problem, invalid_spec
from mailraven_operator.world import Key, World

Document = dict[str, Any]


class Schedules:
    """Everything that is made has the resource as its owner, and goes with it; the archives stay."""

    plural: ClassVar[str] = "backupschedules"
    model: ClassVar[type[Any]] = BackupSchedule
    finalizes: ClassVar[bool] = False

    async def reconcile(self, context: Context, resource: BackupSchedule) -> Outcome:
        """Applies the CronJob, reads what its Jobs came to."""
        spec = resource.spec
        try:
            schedule = _schedule(resource)
            check_namespace(context, resource)
            await check_secrets(context, resource.metadata.namespace, secrets_of(spec.target, spec.encryption))
            template = read_template(context.settings.job_template)
            cron_job, repaired = await _apply(context, resource, job_documents.cron_job_document(resource, template))
        except Problem as problem:
            condition = ConditionValue(schedule_status.CRON_JOB, False, problem.reason, problem.message)
            kept = tuple(one for one in problem.conditions if one.type != condition.type)
            problem.conditions = (condition, *kept, *_last(resource))
            raise
        seen = await _look(context, resource, cron_job)
        if schedule_status.due(seen, immediate=spec.immediate, suspend=spec.suspend):
            await _start(context, job_documents.immediate_document(resource, template))
            seen = await _look(context, resource, cron_job)
        found = schedule_status.outcome(seen, schedule, _zone(spec.time_zone), suspend=spec.suspend)
        return Outcome(
            found.status, found.conditions, found.requeue_after, found.events, ("the CronJob",) if repaired else ()
        )

    async def finalize(self, context: Context, resource: BackupSchedule) -> None:
        """Kubernetes deletes the CronJob and its Jobs."""

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        """Its CronJob and Jobs, and Secrets that it names."""
        if resource_kind in ("Job", "CronJob"):
            return [one for one in world.schedules if one[0] == key[0]]
        return world.referring("BackupSchedule", key) if resource_kind == "Secret" else ()


def _schedule(resource: BackupSchedule) -> cron.Schedule:
    try:
        return cron.parse(resource.spec.schedule)
    except cron.BadSchedule as error:
        raise invalid_spec("spec.schedule", str(error)) from None


def _zone(name: str | None) -> Any:
    """None: no such zone is known here. The API server says so when it knows none either."""
    try:
        return cron.zone_of(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


async def _apply(context: Context, resource: BackupSchedule, wanted: Document) -> tuple[Document, bool]:
    """The CronJob as it is now, and whether somebody had changed it."""
    namespace = resource.metadata.namespace
    name = wanted["metadata"]["name"]
    live = await context.kube.get(CRONJOBS, namespace, name)
    if live is not None and not (job_documents.is_owned(live, resource) or job_documents.is_orphan_of(live, resource)):
        raise Problem("Conflict", f"there is a CronJob {name} that is not of this BackupSchedule")
    try:
        applied = await context.kube.apply(wanted)
    except KubeError as error:
        if error.status == 422:
            raise Problem("InvalidSpec", error.message, retry=False) from None
        raise
    known = resource.status.observed_generation == resource.metadata.generation
    changed = live is not None and applied is not None and _generation(live) != _generation(applied)
    return applied or live or wanted, known and changed


async def _look(context: Context, resource: BackupSchedule, cron_job: Document) -> schedule_status.Seen:
    selector = f"{names.SCHEDULE_LABEL}={_labels(resource)[names.SCHEDULE_LABEL]}"
    jobs = await context.kube.list(JOBS, resource.metadata.namespace, labels=selector)
    pods = await context.kube.list(PODS, resource.metadata.namespace, labels=selector)
    scheduled, immediate = [], []
    for job in jobs:
        state = job_state(job, [pod for pod in pods if is_pod_of(pod, job)])
        if job_documents.is_owned(job, resource):
            immediate.append(state)
        elif _made_by(job, cron_job):
            scheduled.append(state)
    every: list[JobState] = [*scheduled, *immediate]
    return schedule_status.Seen(resource.status, cron_job, every, immediate, context.clock())


async def _start(context: Context, document: Document) -> None:
    try:
        await context.kube.create(document)
    except KubeError as error:
        if error.reason != "AlreadyExists":
            raise


def _labels(resource: BackupSchedule) -> dict[str, str]:
    return names.labels(names.SCHEDULE_LABEL, resource.metadata.name)


def _made_by(job: Document, cron_job: Document) -> bool:
    uid = cron_job["metadata"].get("uid")
    return any(one.get("uid") == uid for one in job["metadata"].get("ownerReferences") or ())


def _generation(document: Document) -> Any:
    return document["metadata"].get("generation")


def _last(resource: BackupSchedule) -> tuple[ConditionValue, ...]:
    """What is known of the last backup stays known."""
    return tuple(
        ConditionValue(one.type, {"True": True, "False": False}.get(one.status), one.reason, one.message)
        for one in resource.status.conditions
        if one.type == schedule_status.LAST
    )
