"""Aliases of a MailUser on the server."""

from dataclasses import dataclass

from mailraven_api.kubernetes import MailUser, address_key, domain_of
from mailraven_operator.context import Context
from mailraven_operator.outcome import Problem
from mailraven_operator.server import Server, ServerRefused
from mailraven_operator.users.alias_plan import plan_aliases, points_at
from mailraven_operator.users.belonging import check_claim, domain_on_server, place_in
from mailraven_operator.users.issue import Issue, refused
from mailraven_operator.users.listings import Listings, alias_path


@dataclass(frozen=True)
class AliasOutcome:
    """`ours` is for status.aliases."""

    ours: tuple[str, ...]
    issues: tuple[Issue, ...] = ()


async def keep_aliases(context: Context, listings: Listings, user: MailUser, address: str) -> AliasOutcome:
    """Makes those that are wanted, deletes those of this resource that are no more."""
    wanted, made = user.spec.aliases, user.status.aliases
    if not wanted and not made:
        return AliasOutcome(())
    targets = {}
    for alias in dict.fromkeys((*map(address_key, wanted), *made)):
        found = await listings.alias(alias)
        if found is not None:
            targets[alias] = found
    closed = {name: await _objection(context, user, name) for name in {domain_of(alias) for alias in wanted}}

    def check(alias: str) -> None:
        objection = closed[domain_of(alias)]
        if objection is not None:
            raise objection
        check_claim(context.world, alias, user.metadata.key)

    plan = plan_aliases(address, wanted, made, targets, check)
    issues, ours = list(plan.issues), list(plan.ours)
    for alias in plan.delete:
        listings.outdate_alias(alias)
        await delete_alias(context.server, listings, alias, address)
    for alias in plan.put:
        listings.outdate_alias(alias)
        try:
            await context.server.put(alias_path(alias), {"targets": [address]})
        except ServerRefused as error:
            ours.remove(alias)
            issues.append(refused(error, f"the alias {alias}"))
    return AliasOutcome(tuple(ours), tuple(issues))


async def _objection(context: Context, user: MailUser, domain: str) -> Problem | None:
    """Why the user may have no aliases in a domain."""
    try:
        place = place_in(context.world, user.metadata.namespace, context.settings.namespace, domain)
        await domain_on_server(context, place)
    except Problem as problem:
        return problem
    return None


async def delete_alias(server: Server, listings: Listings, alias: str, address: str) -> None:
    """If it is still what we made: somebody may have given it to others meanwhile."""
    now = await listings.ask_alias(alias)
    if now is not None and points_at(now["targets"], address):
        await server.delete(alias_path(alias))
