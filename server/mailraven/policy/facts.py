"""What the phases of a session know when they ask: connect, mail, rcpt, envelope, data. Filled by smtpd/gather.py."""

from dataclasses import dataclass
from enum import Enum


class Destination(Enum):
    """What the directory says of a recipient."""

    LOCAL = "local"
    FOREIGN = "foreign"  # not a domain of ours
    UNKNOWN = "unknown"  # a domain of ours, nobody there
    DISABLED = "disabled"
    BLOCKED = "blocked"  # whoever is there does not take mail of this sender


class BannedFor(Enum):
    """For how long."""

    A_TIME = "a time"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class ConnectFacts:
    open_connections: int  # without this one
    max_connections: int
    draining: bool
    banned: BannedFor | None = None
    crowded: bool = False  # the client's address has as many connections as one may have at a time
    over_limit: str = ""  # in words, which limit on connections it has reached; "" for none


@dataclass(frozen=True, slots=True)
class MailFacts:
    authenticated: bool
    sender_owned: bool  # by who is authenticated and still active; the null sender is everybody's
    size: int | None  # as declared (RFC 1870)
    max_size: int


@dataclass(frozen=True, slots=True)
class RcptFacts:
    destination: Destination
    literal: bool  # an address literal in place of a domain
    postmaster: bool
    room: int | None  # octets left in the fullest mailbox behind the address; None: no quota
    size: int | None
    recipients: int  # accepted before this one
    max_recipients: int


@dataclass(frozen=True, slots=True)
class EnvelopeFacts:
    over_limit: str  # in words, which limit on messages or recipients is reached; "" for none


@dataclass(frozen=True, slots=True)
class DataFacts:
    hops: int  # Received fields in the header, as far as it was looked at
    max_hops: int
    header_octets: int  # as far as it was looked at
