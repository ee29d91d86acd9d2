"""What a process can be, and which listeners belong to that."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Tls = Literal["none", "starttls", "implicit"]


class Role(StrEnum):
    """A role of `mailraven serve`."""

    MX = "mx"
    SUBMISSION = "submission"
    IMAP = "imap"
    DELIVERY = "delivery"
    ADMIN = "admin"


ALL_ROLES = tuple(Role)


@dataclass(frozen=True, slots=True)
class ListenerKind:
    """A listener of the settings: its name there, its role (None: every one), how it speaks TLS."""

    name: str
    role: Role | None
    tls: Tls


LISTENERS = (
    ListenerKind("mx", Role.MX, "starttls"),
    ListenerKind("submission", Role.SUBMISSION, "starttls"),
    ListenerKind("submissions", Role.SUBMISSION, "implicit"),
    ListenerKind("imap", Role.IMAP, "starttls"),
    ListenerKind("imaps", Role.IMAP, "implicit"),
    ListenerKind("http", Role.ADMIN, "none"),
    ListenerKind("ops", None, "none"),
)


def listeners_of(roles: tuple[Role, ...]) -> tuple[ListenerKind, ...]:
    """Those that these roles open."""
    return tuple(kind for kind in LISTENERS if kind.role is None or kind.role in roles)
