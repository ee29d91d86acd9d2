"""The account's password: from a Secret that somebody wrote, or from one that is made here. It is set when the Secret
is another one, or another version, than status.passwordVersion says; a password that people change themselves stays
until then.
"""

from dataclasses import dataclass
from typing import Any

from mailraven_api.kubernetes import MailUser
from mailraven_operator.context import Context
from mailraven_operator.kube import SECRETS, version_of
from mailraven_operator.outcome import Event, Problem
from mailraven_operator.server import ServerRefused, path
from mailraven_operator.users.issue import Issue, refused
from mailraven_operator.users.own_secrets import OwnSecrets
from mailraven_operator.users.secret_contents import (
    PASSWORD_KEY,
    Hosts,
    contents,
    make_password,
    print_of,
    read_secret,
)

_BOTH = frozenset({"imap", "smtp"})
_SETTINGS = "/api/v1/settings/passwords"


@dataclass(frozen=True)
class PasswordOutcome:
    """`version` and `secret_name` are for the status."""

    version: str | None = None
    secret_name: str | None = None
    issues: tuple[Issue, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class _Found:
    """`password` is None when the server has that of this version."""

    version: str
    password: str | None


async def keep_password(
    context: Context, secrets: OwnSecrets, user: MailUser, account: dict[str, Any], hosts: Hosts
) -> PasswordOutcome:
    """`account` as the server has it now. Raises ServerUnreachable, KubeError, KubeUnavailable."""
    spec = user.spec
    reference = spec.password_secret_ref or spec.generated_secret
    if reference is None:
        return PasswordOutcome()
    applied = user.status.password_version if account["has_password"] else None
    try:
        if spec.password_secret_ref is not None:
            found = await _given(context, user, applied)
        else:
            found = await _generated(context, secrets, user, account["address"], hosts, applied)
    except Problem as problem:
        issue = Issue(problem.reason, problem.message, problem.retry)
        return PasswordOutcome(user.status.password_version, reference.name, (issue,))
    if found.password is None:
        return PasswordOutcome(found.version, reference.name)
    try:
        await context.server.put(path("accounts", account["address"], "password"), {"password": found.password})
    except ServerRefused as error:
        issue = refused(error, f"the password in the Secret {reference.name}", found.password)
        return PasswordOutcome(None, reference.name, (issue,))
    event = Event("PasswordSet", f"The account has the password of the Secret {reference.name}.")
    return PasswordOutcome(found.version, reference.name, events=(event,))


async def _given(context: Context, user: MailUser, applied: str | None) -> _Found:
    reference = user.spec.password_secret_ref
    assert reference is not None  # noqa: S101 - the caller has looked
    namespace, name, key = user.metadata.namespace, reference.name, reference.key
    known = context.world.secret_version(namespace, name)
    if applied is not None and known is not None and applied == _marked(known, key):
        return _Found(applied, None)
    document = await context.kube.get(SECRETS, namespace, name)
    if document is None:
        raise Problem("SecretNotFound", f"there is no Secret {name} in this namespace")
    state = read_secret(document, user.metadata.uid, version_of(document), key)
    if not state.password:
        what = "has no password in UTF-8 under" if key in state.data else "has no key"
        raise Problem("SecretNotFound", f"the Secret {name} {what} {key}")
    version = _marked(state.version, key)
    return _Found(version, None if version == applied else state.password)


async def _generated(
    context: Context, secrets: OwnSecrets, user: MailUser, address: str, hosts: Hosts, applied: str | None
) -> _Found:
    reference = user.spec.generated_secret
    assert reference is not None  # noqa: S101 - the caller has looked
    fingerprint = print_of(address, hosts, _BOTH)
    known = secrets.untouched(context, user, reference.name, fingerprint)
    if known is not None and known.version == applied:
        return _Found(known.version, None)
    state = await secrets.read(context, user, reference.name)
    password = "" if state is None else state.password
    if not password:
        password = make_password(await _least(context))
    plain = contents(address, password, hosts, _BOTH)
    version = await secrets.keep(context, user, reference.name, state, plain, fingerprint)
    # Written anew with the same password, the server has it already.
    is_applied = state is not None and state.version == applied and state.password == password
    return _Found(version, None if is_applied else password)


async def _least(context: Context) -> int:
    """How long a password has to be, whatever the role."""
    found = await context.server.read(_SETTINGS)
    values = {} if found is None else found[0].get("value") or {}
    return max(int(values.get("min_length", 0)), int(values.get("admin_min_length", 0)))


def _marked(version: str, key: str) -> str:
    """Another key of the same Secret is another password."""
    return version if key == PASSWORD_KEY else f"{version}/{key}"
