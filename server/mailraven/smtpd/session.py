"""The state of one connection and of the transaction open in it. No IO."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from mailraven.directory import Identity
from mailraven.queue import RemoteRecipient
from mailraven.smtp import transaction
from mailraven.smtp.received import Hop


@dataclass(frozen=True, slots=True)
class LocalRecipient:
    """A mailbox of the transaction; `address` is what Delivered-To will show."""

    account: int
    address: str


@dataclass(slots=True)
class Targets:
    """Where the message of the open transaction goes, each mailbox and each foreign address once."""

    local: dict[int, LocalRecipient] = field(default_factory=dict)
    remote: dict[str, RemoteRecipient] = field(default_factory=dict)
    owner: int | None = None  # the account that answers for mail that only passes through


@dataclass(slots=True)
class Session:
    """`id` follows everything a connection does, from the greeting to the mailbox."""

    peer_ip: str
    secure: bool
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    helo: str = ""
    extended: bool = False
    identity: Identity | None = None
    state: transaction.State = transaction.UNGREETED
    targets: Targets = field(default_factory=Targets)
    transactions: int = 0
    accepted: int = 0
    refused: int = 0
    errors: int = 0  # since the last accepted message
    auth_failures: int = 0
    traced_refusals: int = 0
    surplus: int = 0  # recipients beyond the most of the open transaction
    unbook: Callable[[], None] | None = None
    """Gives back what the open message was charged on limits, until it is accepted."""

    @property
    def is_loopback(self) -> bool:
        try:
            return ip_address(self.peer_ip.partition("%")[0]).is_loopback
        except ValueError:
            return False

    @property
    def between_transactions(self) -> bool:
        return isinstance(self.state, (transaction.Ungreeted, transaction.Idle))

    @property
    def trace_id(self) -> str:
        """Of the transaction that is open or was the last."""
        return f"{self.id}.{self.transactions}"

    def reset(self) -> None:
        """RSET, and the end of every transaction."""
        self.state = transaction.reset(self.state)
        self._forget_transaction()

    def greet(self, name: str, *, extended: bool) -> None:
        # RFC 5321 §4.1.4: EHLO is RSET too.
        self.helo, self.extended = name, extended
        self.state = transaction.IDLE
        self._forget_transaction()

    def start_over_with_tls(self) -> None:
        """RFC 3207 §4.2: nothing that was learnt before the handshake counts."""
        self.secure = True
        self.helo, self.extended, self.identity = "", False, None
        self.state = transaction.UNGREETED
        self._forget_transaction()

    def _forget_transaction(self) -> None:
        self.targets = Targets()
        self.surplus = 0
        unbook, self.unbook = self.unbook, None
        if unbook is not None:
            unbook()

    def summary(self) -> dict[str, object]:
        """What the log says at the end."""
        return {
            "request_id": self.id,
            "peer": self.peer_ip,
            "helo": self.helo,
            "tls": self.secure,
            "account": self.identity.account_id if self.identity is not None else None,
            "accepted": self.accepted,
            "refused": self.refused,
            "errors": self.errors,
        }

    def hop(self, by: str) -> Hop:
        return Hop(self.helo, self.peer_ip, by, self.extended, self.secure, self.identity is not None)
