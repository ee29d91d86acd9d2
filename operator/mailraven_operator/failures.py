"""What went wrong during a look, in the words of a condition."""

from dataclasses import dataclass

from mailraven_operator.kube import KubeError, KubeUnavailable
from mailraven_operator.outcome import Problem
from mailraven_operator.server import ServerRefused, ServerUnreachable

EXPECTED = (Problem, ServerUnreachable, ServerRefused, KubeError, KubeUnavailable, TimeoutError)


@dataclass(frozen=True)
class Failure:
    """An error, judged."""

    problem: Problem
    passing: bool
    """Nobody has to do anything: it is over when the other side is back."""


def judged(error: BaseException) -> Failure:
    """Of any error. Those not expected are defects: their text stays in the log."""
    match error:
        case Problem():
            return Failure(error, passing=False)
        case ServerUnreachable():
            return Failure(Problem("ServerUnreachable", str(error)), passing=True)
        case ServerRefused():
            return Failure(_refused(error), passing=False)
        case KubeUnavailable():
            return Failure(Problem("KubernetesUnavailable", str(error)), passing=True)
        case KubeError():
            reason = "Forbidden" if error.status == 403 else "KubernetesRefused"
            return Failure(Problem(reason, f"the API server refuses: {error.message}"), passing=error.status == 409)
        case TimeoutError():
            return Failure(Problem("Timeout", "it took too long; it is tried again"), passing=True)
    return Failure(Problem("InternalError", "a defect of the operator; its log tells more"), passing=False)


def _refused(error: ServerRefused) -> Problem:
    if error.status in (401, 403):
        return Problem("ServerRefused", f"the server does not let the operator: {error.detail or error.title}")
    where = f" ({error.field})" if error.field and error.field not in error.detail else ""
    text = f"the server refuses: {error.detail or error.title}{where}"
    return Problem("InvalidSpec" if error.status == 422 else "ServerRefused", text)
