"""What a start of `mailraven up` finds or makes: schema, domain, users, admin token."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from mailraven import dkim
from mailraven.app.data_directory import DataDirectory, write_private
from mailraven.config import Config
from mailraven.db import Database, migrate
from mailraven.directory import Directory, DomainExists, NoSuchAccount, NoSuchToken, domain_specs, parse_address
from mailraven.sealing import Sealer

DEMO_DOMAIN = "example.test"  # RFC 2606 §2
_DEMO_USERS = ("alice", "bob")
_TOKEN_NAME = "bootstrap"  # noqa: S105 - a name, not the token
_LISTED = 100
# Without look-alikes, so that a password can be read from a screen.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class User:
    """An account. `password` is known only when this start made it."""

    address: str
    password: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What to tell the person who starts."""

    users: tuple[User, ...]
    admin_token: str


def generate_password() -> str:
    """79 bits in four groups."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


async def prepare(
    config: Config, data: DataDirectory, domain: str | None, users: Sequence[str], *, demo: bool = True
) -> Prepared:
    """Brings the database to the state that was asked for; with `demo` it has two users if it has no account."""
    assert config.database.url is not None  # noqa: S101 - `up` has set it
    dsn = config.database.url.get_secret_value()
    sealer = Sealer.of(config.secrets)
    await migrate(dsn)
    database = await Database.connect(dsn, size=2, application_name="mailraven-start")
    directory = Directory(database)
    try:
        before = await _list_addresses(directory)
        wanted = list(users)
        if demo and not before and not users:
            wanted = [f"{name}@{domain or DEMO_DOMAIN}" for name in _DEMO_USERS]
        for name in _domains(domain, wanted):
            await _ensure_domain(directory, name)
            await _ensure_dkim_key(database, sealer, name)
        made: dict[str, str] = {}
        for address in wanted:
            await _ensure_account(directory, address, made)
        token = await _ensure_token(directory, data)
        listed = [User(address, made.get(address)) for address in await _list_addresses(directory)]
        # Those of this start come first: a long list is cut.
        listed.sort(key=lambda user: (user.password is None, user.address))
        return Prepared(tuple(listed[:_LISTED]), token)
    finally:
        await directory.close()
        await database.close()


def _domains(domain: str | None, addresses: Sequence[str]) -> list[str]:
    named = [] if domain is None else [domain]
    return list(dict.fromkeys([*named, *(parse_address(address).domain for address in addresses)]))


async def _list_addresses(directory: Directory) -> list[str]:
    found: list[str] = []
    for domain in await directory.list_domains(limit=1000):
        found += [account.address for account in await directory.list_accounts(domain.name, limit=_LISTED)]
    return found


async def _ensure_domain(directory: Directory, name: str) -> None:
    try:
        await directory.create_domain(name)
    except DomainExists:
        return


async def _ensure_dkim_key(database: Database, sealer: Sealer, name: str) -> None:
    if not sealer.ready:
        return
    async with database.acquire() as connection:
        domain = await domain_specs.read_domain(connection, name)
        if await dkim.list_keys(connection, domain.id):
            return
    settings = domain.effective.security.dkim
    fresh = await dkim.prepare_keys(settings)
    async with database.transaction() as connection:
        await dkim.ensure_key(connection, sealer, domain.id, settings, fresh=fresh)


async def _ensure_account(directory: Directory, address: str, made: dict[str, str]) -> None:
    try:
        await directory.get_account(address)
    except NoSuchAccount:
        password = generate_password()
        account = await directory.create_account(address, password)
        made[account.address] = password


async def _ensure_token(directory: Directory, data: DataDirectory) -> str:
    try:
        token = data.admin_token.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        token = ""
    if token and await directory.verify_token(token) == _TOKEN_NAME:
        return token
    try:
        await directory.delete_token(_TOKEN_NAME)
    except NoSuchToken:
        pass
    token = await directory.create_token(_TOKEN_NAME)
    write_private(data.admin_token, token + "\n")
    return token
