"""What the server calls a policy, and which resource has that name. Pure.

`NAME` in the home namespace, `NAMESPACE.NAME` elsewhere: names of namespaces have no dot, so at most two resources mean
the same name, and the older one has it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from mailraven_api.kubernetes import RateLimitPolicy
from mailraven_operator.outcome import Problem
from mailraven_operator.world import Key

_NAME_MAX = 253
_LATEST = datetime.max.replace(tzinfo=UTC)


def server_name(key: Key, home: str) -> str:
    """Raises Problem when it is too long."""
    namespace, name = key
    full = name if namespace == home else f"{namespace}.{name}"
    if len(full) > _NAME_MAX:
        raise Problem(
            "InvalidSpec", f"metadata.name: with its namespace it has over {_NAME_MAX} characters", retry=False
        )
    return full


def rival(policy: RateLimitPolicy, home: str, policies: Mapping[Key, RateLimitPolicy]) -> Key | None:
    """The older resource that has the name on the server; None: it is this one's."""
    namespace, name = policy.metadata.key
    if namespace == home:
        first, dot, rest = name.partition(".")
        other = policies.get((first, rest)) if dot and first != home else None
    else:
        other = policies.get((home, f"{namespace}.{name}"))
    return None if other is None or _age(policy) < _age(other) else other.metadata.key


def _age(policy: RateLimitPolicy) -> tuple[datetime, str]:
    return policy.metadata.creation_timestamp or _LATEST, policy.metadata.uid
