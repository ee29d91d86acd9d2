"""App passwords of a MailUser, each in its Secret."""

from mailraven_api.kubernetes import MailUser
from mailraven_api.kubernetes.mail_user import AppPassword
from mailraven_operator.context import Context
from mailraven_operator.outcome import Problem
from mailraven_operator.server import ServerRefused, path
from mailraven_operator.users.app_password_plan import Make, check_name, name_on_server, plan_app_passwords
from mailraven_operator.users.issue import Issue, refused
from mailraven_operator.users.listings import Listings
from mailraven_operator.users.own_secrets import OwnSecrets
from mailraven_operator.users.secret_contents import Hosts, SecretState, contents, print_of


async def keep_app_passwords(
    context: Context, listings: Listings, secrets: OwnSecrets, user: MailUser, address: str, hosts: Hosts
) -> tuple[Issue, ...]:
    """Makes those that are wanted, deletes those that are no more; what stands in the way of single ones."""
    existing = await listings.app_passwords(address)
    wanted: list[AppPassword] = []
    states: dict[str, SecretState | None] = {}
    numbers: dict[str, int | None] = {}
    issues: list[Issue] = []
    for place, one in enumerate(user.spec.app_passwords):
        try:
            check_name(one.name)
            fingerprint = print_of(address, hosts, frozenset(one.protocols))
            known = secrets.untouched(context, user, one.secret_name, fingerprint)
            if known is not None:
                numbers[one.secret_name] = known.app_password_id
            else:
                state = states[one.secret_name] = await secrets.read(context, user, one.secret_name)
                numbers[one.secret_name] = state.app_password_id if state is not None and state.password else None
            wanted.append(one)
        except Problem as problem:
            issues.append(Issue(problem.reason, f"spec.appPasswords[{place}]: {problem.message}", problem.retry))
            existing = [other for other in existing if other.name != name_on_server(one.name)]
    plan = plan_app_passwords(wanted, existing, numbers)
    if plan.make or plan.delete:
        listings.outdate_account(address)
    for number in plan.delete:
        await _delete(context, address, number)
    for make in plan.make:
        name = make.wanted.secret_name
        if name not in states:  # the Secret is untouched, the app password is gone
            states[name] = await secrets.read(context, user, name)
        issues += await _make(context, secrets, user, address, hosts, make, states[name])
    for one in plan.keep:  # perhaps with other hosts than before
        state = states.get(one.secret_name)
        if state is not None:
            plain = contents(address, state.password, hosts, frozenset(one.protocols))
            fingerprint = print_of(address, hosts, frozenset(one.protocols))
            await secrets.keep(context, user, one.secret_name, state, plain, fingerprint, state.app_password_id)
    return tuple(issues)


async def delete_app_passwords(context: Context, listings: Listings, address: str) -> None:
    """All that were made for the MailUser: it goes, and their Secrets go with it."""
    plan = plan_app_passwords((), await listings.app_passwords(address), {})
    listings.outdate_account(address)
    for number in plan.delete:
        await _delete(context, address, number)


async def _make(
    context: Context,
    secrets: OwnSecrets,
    user: MailUser,
    address: str,
    hosts: Hosts,
    make: Make,
    state: SecretState | None,
) -> list[Issue]:
    one = make.wanted
    where = path("accounts", address, "app-passwords")
    try:
        if make.instead_of is not None:
            await _delete(context, address, make.instead_of)
        body = {"name": name_on_server(one.name), "protocols": sorted(one.protocols)}
        made = await context.server.post(where, body)
    except ServerRefused as error:
        return [refused(error, f"the app password {one.name}")]
    protocols = frozenset(one.protocols)
    plain = contents(address, made["password"], hosts, protocols)
    try:
        # Cut short here, the next look finds an app password without its Secret, and makes another.
        fingerprint = print_of(address, hosts, protocols)
        await secrets.keep(context, user, one.secret_name, state, plain, fingerprint, int(made["id"]))
    except Problem as problem:
        return [Issue(problem.reason, problem.message, problem.retry)]
    return []


async def _delete(context: Context, address: str, number: int) -> None:
    await context.server.delete(path("accounts", address, "app-passwords", str(number)))
