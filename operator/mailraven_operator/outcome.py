"""What a look at a resource comes to: values only. The frame makes status, conditions and Events of them."""

from dataclasses import dataclass, field
from typing import Any

READY = "Ready"


@dataclass(frozen=True)
class ConditionValue:
    """One condition without what the frame adds (lastTransitionTime, observedGeneration)."""

    type: str
    """Such as Ready, Synced, CertificateReady."""
    status: bool | None
    """None: Unknown."""
    reason: str
    """CamelCase, one of a small set."""
    message: str = ""
    """For people; names the field where one is wrong. Never a secret; the same words as long as nothing changed."""


@dataclass(frozen=True)
class Event:
    """A Kubernetes Event about the resource. Only for what happens once: a repeated one is a write each time."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True)
class Outcome:
    """What `Kind.reconcile` found and did."""

    status: dict[str, Any] = field(default_factory=dict)
    """The whole status in camelCase, without conditions and observedGeneration. A field that is left out or None is
    removed from the resource. Nothing in it may change while the world does not."""
    conditions: tuple[ConditionValue, ...] = ()
    """In the order in which they are shown. Without a Ready among them the frame adds Ready=True Reconciled; Ready is
    always written last."""
    requeue_after: float | None = None
    """Seconds until the next look, when that has to be before the next resync."""
    events: tuple[Event, ...] = ()
    repaired: tuple[str, ...] = ()
    """What had been changed by hand (in the server or in a child) and was put back, such as "displayName". Counted
    as drift and logged."""


class Problem(Exception):
    """Why a resource cannot be Ready. Raised by a kind; ends as Ready=False, never as a crash or a stack in the log."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        retry: bool = True,
        conditions: tuple[ConditionValue, ...] = (),
        status: dict[str, Any] | None = None,
    ) -> None:
        """`retry`: look again with back-off; else only when something changes, and at each resync. `conditions`: what
        else is known (Ready=False with this reason is added). `status`: None keeps the status as it is."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry = retry
        self.conditions = conditions
        self.status = status


def invalid_spec(field_name: str, text: str) -> Problem:
    """A value that the server or a rule refuses, where the CRD's schema could not: `spec.quota: …`."""
    return Problem("InvalidSpec", f"{field_name}: {text}", retry=False)
