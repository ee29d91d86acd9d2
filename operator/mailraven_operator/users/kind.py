"""MailUser: an account with its password, aliases and app passwords. docs/operator.md, Users."""

from collections.abc import Iterable
from typing import Any, ClassVar

from mailraven_api.kubernetes import MailUser, address_key, domain_of
from mailraven_operator.context import Context
from mailraven_operator.outcome import Outcome, Problem
from mailraven_operator.server import ServerRefused, path
from mailraven_operator.users.account import keep_account, keep_role
from mailraven_operator.users.aliases import delete_alias, keep_aliases
from mailraven_operator.users.app_passwords import delete_app_passwords, keep_app_passwords
from mailraven_operator.users.belonging import (
    Place,
    check_claim,
    check_role,
    domain_on_server,
    first_claimant,
    place_in,
    refused_account,
)
from mailraven_operator.users.listings import Listings
from mailraven_operator.users.own_secrets import OwnSecrets
from mailraven_operator.users.password import keep_password
from mailraven_operator.users.report import Findings, not_synced, outcome_of, refusal, was_ready
from mailraven_operator.users.secret_contents import Hosts
from mailraven_operator.world import Key, World

_LISTING_SECONDS = 20.0
# What a change of a MailDomain may end; ServerRefused is also "the domain has all the accounts that it may have".
_DOMAIN_REASONS = ("DomainNotFound", "DomainNotAllowed", "NamespaceNotAllowed", "ServerRefused")


class MailUsers:
    """One for a process: it remembers Secrets and lists of the server, and who waits for whom."""

    plural: ClassVar[str] = "mailusers"
    model: ClassVar[type[Any]] = MailUser
    finalizes: ClassVar[bool] = True

    def __init__(self, listing_seconds: float = _LISTING_SECONDS) -> None:
        self._listing_seconds = listing_seconds
        self._listings: Listings | None = None
        self._secrets = OwnSecrets()
        # Users that may become Ready when other resources change, and for which reasons they are not.
        self._waiting: dict[Key, frozenset[str]] = {}
        # Whose old Secrets were looked for, with which spec.
        self._cleaned: dict[Key, tuple[str, int]] = {}

    async def reconcile(self, context: Context, resource: MailUser) -> Outcome:
        """In the order account, role, password: a password is judged by the role that its account has."""
        key = resource.metadata.key
        try:
            found = await self._look(context, resource)
        except Problem as problem:
            self._waiting[key] = frozenset({problem.reason})
            raise not_synced(problem) from None
        self._waiting.pop(key, None)
        if found.issues:
            self._waiting[key] = frozenset(issue.reason for issue in found.issues)
        return outcome_of(resource, found)

    async def _look(self, context: Context, user: MailUser) -> Findings:
        address = address_key(user.spec.address)
        namespace, home = user.metadata.namespace, context.settings.namespace
        place = place_in(context.world, namespace, home, domain_of(address))
        check_claim(context.world, address, user.metadata.key)
        domain = await domain_on_server(context, place)
        account = await self._account(context, user, place)
        listings = self._listings_of(context)
        try:
            check_role(user.spec.role, namespace, home, place)
        except Problem:
            if account is not None:  # it may not have rights any more that it had
                await keep_role(context, listings, "user", account)
            raise
        try:
            kept = await keep_account(context, user, account, domain["default_quota_bytes"])
            changed_role = await keep_role(context, listings, user.spec.role, kept.account)
        except ServerRefused as error:
            raise refusal(error, domain_of(address)) from None
        hosts = _hosts(context, place, domain)
        password = await keep_password(context, self._secrets, user, kept.account, hosts)
        aliases = await keep_aliases(context, listings, user, address)
        app_issues = await keep_app_passwords(context, listings, self._secrets, user, address, hosts)
        await self._remove_old_secrets(context, user)
        drift = (*kept.written, *(("role",) if changed_role else ())) if was_ready(user) else ()
        return Findings(
            account=kept.account,
            managed=kept.managed,
            aliases=aliases.ours,
            secret_name=password.secret_name,
            password_version=password.version,
            synced=aliases.issues,
            credentials=(*password.issues, *app_issues),
            events=password.events,
            repaired=drift,
        )

    async def finalize(self, context: Context, resource: MailUser) -> None:
        """Retain leaves everything that is not worthless without the resource, as app passwords are whose Secrets go
        with it. Delete deletes the account with its mail, if it is this resource's."""
        user, address = resource, address_key(resource.spec.address)
        account = await context.server.account(address)
        if account is not None and self._is_account_of(context, user, account):
            listings = self._listings_of(context)
            await delete_app_passwords(context, listings, address)
            if user.spec.reclaim_policy == "Delete":
                for alias in dict.fromkeys((*user.status.aliases, *map(address_key, user.spec.aliases))):
                    listings.outdate_alias(alias)
                    if first_claimant(context.world, alias) in (None, user.metadata.key):
                        await delete_alias(context.server, listings, alias, address)
                await context.server.delete(path("accounts", address), query={"delete_mail": "true"})
        self._waiting.pop(user.metadata.key, None)
        self._cleaned.pop(user.metadata.key, None)
        self._secrets.forget(user)

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        """A Secret: who names it. A MailDomain: its users, and who waits for one. Others: who waits for them."""
        match resource_kind:
            case "Secret":
                return world.referring(MailUser.KIND, key)
            case "Namespace":
                return [user for user in self._waiting_for("DomainNotAllowed") if user[0] == key[1]]
            case "MailUser":
                return [user for user in self._waiting_for("Conflict") if user != key]
            case "MailDomain":
                domain = world.domains.get(key)
                users = () if domain is None else world.users_of_domain(domain.domain)
                return {*users, *self._waiting_for(*_DOMAIN_REASONS)}
        return ()

    def _waiting_for(self, *reasons: str) -> list[Key]:
        return [key for key, waiting in self._waiting.items() if not waiting.isdisjoint(reasons)]

    async def _account(self, context: Context, user: MailUser, place: Place) -> dict[str, Any] | None:
        """As the server has it; None: it has none. Raises Problem when it is not for this user."""
        address = address_key(user.spec.address)
        account = await context.server.account(address)
        if account is None:  # the list may be some seconds old, and what is there must not be taken for new
            found = await context.server.read(path("accounts", address))
            account = None if found is None else found[0]
        if account is None:
            return None
        why = refused_account(
            account,
            namespace=user.metadata.namespace,
            home=context.settings.namespace,
            owned=place.owned,
            synced_address=user.status.address,
        )
        if why is not None:
            raise Problem("Conflict", why)
        return account

    def _is_account_of(self, context: Context, user: MailUser, account: dict[str, Any]) -> bool:
        world, namespace, home = context.world, user.metadata.namespace, context.settings.namespace
        try:
            check_claim(world, account["address"], user.metadata.key)
            owned = place_in(world, namespace, home, domain_of(account["address"])).owned
        except Problem as problem:
            if problem.reason == "Conflict":
                return False
            owned = False  # of a domain that is gone, or not ours any more: only what was made from this namespace
        why = refused_account(account, namespace=namespace, home=home, owned=owned, synced_address=None)
        # What this resource never had is not its to delete, whoever its namespace is.
        return why is None and user.status.address == account["address"]

    async def _remove_old_secrets(self, context: Context, user: MailUser) -> None:
        """When spec changed: what it named before, it may name no more."""
        key, metadata, spec = user.metadata.key, user.metadata, user.spec
        version = (metadata.uid, metadata.generation)
        if user.status.address is None or was_ready(user) or self._cleaned.get(key) == version:
            return
        wanted = {one.secret_name for one in spec.app_passwords}
        if spec.generated_secret is not None:
            wanted.add(spec.generated_secret.name)
        await self._secrets.remove_others(context, user, wanted)
        self._cleaned[key] = version

    def _listings_of(self, context: Context) -> Listings:
        if self._listings is None or self._listings.server is not context.server:
            self._listings = Listings(context.server, self._listing_seconds)
        return self._listings


def _hosts(context: Context, place: Place, domain: Any) -> Hosts:
    settings, name = context.settings, place.domain.domain
    host = place.domain.spec.hostname or domain.get("hostname") or settings.mail_host or f"mail.{name}"
    return Hosts(host, settings.imap_port, settings.smtp_port)
