"""Lists of the server that only users need: aliases, app passwords and admins of all accounts, shared for some seconds.

What one user's reconcile changes is asked for by itself until the next list, as in server.py.
"""

from typing import Any

from mailraven_api.kubernetes import address_key, domain_of
from mailraven_operator.listing import CachedListing
from mailraven_operator.server import Server, path
from mailraven_operator.users.app_password_plan import Existing

Document = dict[str, Any]
_ALIASES = "/api/v1/aliases"
_APP_PASSWORDS = "/api/v1/app-passwords"
_ADMINS = "/api/v1/admins"


class Listings:
    """Of one server."""

    def __init__(self, server: Server, seconds: float) -> None:
        self.server = server
        self._aliases = CachedListing(self._all_aliases, seconds)
        self._app_passwords = CachedListing(self._all_app_passwords, seconds)
        self._admins = CachedListing(self._all_admins, seconds)

    async def alias(self, address: str) -> tuple[str, ...] | None:
        """Its targets; None: there is no such alias."""
        found = await self._aliases.one(address, lambda: self.ask_alias(address))
        return None if found is None else tuple(found["targets"])

    async def ask_alias(self, address: str) -> Document | None:
        """The alias as it is now."""
        found = await self.server.read(alias_path(address))
        return None if found is None else found[0]

    async def app_passwords(self, address: str) -> list[Existing]:
        """Of an account."""
        found = await self._app_passwords.one(address, lambda: self._ask_app_passwords(address))
        return [] if found is None else [_existing(item) for item in found["items"]]

    async def admin_domains(self, address: str) -> tuple[str, ...]:
        """What a domain-admin administers, his own domain too; empty: he is none."""
        found = await self._admins.one(address, lambda: self._ask_admin(address))
        return () if found is None else tuple(found["domains"])

    def outdate_alias(self, address: str) -> None:
        """A change of it was sent."""
        self._aliases.outdate(address)

    def outdate_account(self, address: str) -> None:
        """A change of its app passwords or its role was sent."""
        self._app_passwords.outdate(address)
        self._admins.outdate(address)

    async def _all_aliases(self) -> dict[str, Document]:
        return {item["address"]: item for item in await self.server.pages(_ALIASES)}

    async def _all_app_passwords(self) -> dict[str, Document]:
        found: dict[str, Document] = {}
        for item in await self.server.pages(_APP_PASSWORDS):
            found.setdefault(item["address"], {"items": []})["items"].append(item)
        return found

    async def _all_admins(self) -> dict[str, Document]:
        return {item["address"]: item for item in await self.server.pages(_ADMINS)}

    async def _ask_app_passwords(self, address: str) -> Document | None:
        found = await self.server.read(path("accounts", address, "app-passwords"))
        return None if found is None else found[0]

    async def _ask_admin(self, address: str) -> Document | None:
        found = await self.server.read(path("admins", address))
        return None if found is None else found[0]


def alias_path(address: str) -> str:
    """Of an alias, whose domain is its own."""
    return path("domains", domain_of(address), "aliases", address_key(address))


def _existing(item: Document) -> Existing:
    return Existing(int(item["id"]), str(item["name"]), frozenset(item["protocols"]))
