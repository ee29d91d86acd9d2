"""What a kind is given to work with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from mailraven_operator.kube import Kube
from mailraven_operator.server import Server
from mailraven_operator.settings import Settings
from mailraven_operator.world import World


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Context:
    """The two APIs, what is known without asking them, and the settings."""

    kube: Kube
    server: Server
    world: World
    settings: Settings
    clock: Callable[[], datetime] = utc_now
