"""Who is never counted and never banned: by the settings in force, and the trusted proxies of the configuration."""

from __future__ import annotations

from collections.abc import Iterable

from mailraven.limits.clients import Network, NetworkMap, network_set
from mailraven.limits.policies import canonical_name, is_sender_of
from mailraven.settings import Settings


class Exemptions:
    """One for a process; follows the settings."""

    def __init__(self, settings: Settings, trusted_networks: Iterable[str] = ()) -> None:
        self._settings = settings
        self._trusted = tuple(trusted_networks)
        self._compiled_from: object = None
        self._networks: NetworkMap[Network] = NetworkMap()
        self._accounts: frozenset[str] = frozenset()
        self._senders: frozenset[str] = frozenset()

    def network(self, ip: str) -> Network | None:
        """The exempt network that an address is in."""
        self._compile()
        return self._networks.find(ip)

    def network_over(self, network: Network) -> Network | None:
        """The exempt network that a whole network is in."""
        self._compile()
        for found in self._networks.matches(str(network.network_address)):
            if found.prefixlen <= network.prefixlen:
                return found
        return None

    def account(self, address: str) -> bool:
        """Whether the messages of an account are not counted. `address` is canonical."""
        self._compile()
        return address in self._accounts

    def sender(self, address: str) -> bool:
        """Whether the messages of an envelope sender are not counted."""
        self._compile()
        return bool(self._senders) and is_sender_of(canonical_name(address), self._senders)

    def _compile(self) -> None:
        limits = self._settings.limits
        if limits is self._compiled_from:
            return
        self._networks = network_set((*limits.exempt_networks, *self._trusted))
        self._accounts = frozenset(canonical_name(account) for account in limits.exempt_accounts)
        self._senders = frozenset(canonical_name(sender) for sender in limits.exempt_senders)
        self._compiled_from = limits
