"""What the frame asks of a kind of resource. One object per kind, made by domains, users, policies and backups."""

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, runtime_checkable

from mailraven_operator.context import Context
from mailraven_operator.outcome import Outcome
from mailraven_operator.world import Key, World


@runtime_checkable
class Kind(Protocol):
    """Level-based: `reconcile` compares what is wanted with what is, however often and for whatever reason it is
    called. The frame calls it once at a time for a resource, with at most `settings.concurrency` at once in all."""

    plural: ClassVar[str]
    """Such as mailusers."""
    model: ClassVar[type[Any]]
    """Of mailraven_api.kubernetes; its class name is the kind."""
    finalizes: ClassVar[bool]
    """Whether the frame puts its finalizer on the resource before the first `reconcile`."""

    async def reconcile(self, context: Context, resource: Any) -> Outcome:
        """Compares, repairs and reports. `Problem`, `KubeError`, `KubeUnavailable`, `ServerRefused` and
        `ServerUnreachable` may leave it: they become conditions. It is not called for paused resources, nor for those
        that do not fit the model, nor for those that are being deleted."""
        ...

    async def finalize(self, context: Context, resource: Any) -> None:
        """What is to be done before the resource goes. Called again until it returns; when it still raises after
        `settings.finalizer_timeout` the resource is let go, with a Warning Event. Has to be repeatable."""
        ...

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        """Which resources of this kind to look at when another one came, changed or went: `resource_kind` is one of
        Secret, Namespace, Certificate, Job, CronJob, or one of the six kinds (also this one, for siblings)."""
        ...
