"""Keeps a domain's DKIM keys as `dkim_plan` says, and tells how they are."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mailraven_api.dkim import DkimKey, DkimKeys
from mailraven_api.kubernetes import MailDomain
from mailraven_operator.context import Context
from mailraven_operator.domains.dkim_plan import (
    Action,
    Activate,
    Delete,
    DkimWish,
    Make,
    Retire,
    plan_keys,
    waiting_keys,
)
from mailraven_operator.outcome import ConditionValue, Event
from mailraven_operator.server import Server, ServerRefused, path

DKIM_READY = "DKIMReady"
_ROUNDS = 3  # a key is made, then activated


@dataclass(frozen=True)
class DkimReport:
    """How the keys are now."""

    condition: ConditionValue
    events: tuple[Event, ...] = ()


def wish_of(resource: MailDomain, found: Mapping[str, Any]) -> DkimWish:
    """From the resource, and from what holds for the domain on the server, template included."""
    holds, spec = found["security"]["dkim"], resource.spec.security.dkim
    return DkimWish(
        signing=holds["signing_enabled"],
        key_size=holds["key_size"],
        ed25519=holds["ed25519"],
        selector_prefix=spec.selector_prefix,
        rotation_days=spec.rotation_days,
    )


async def settle(context: Context, domain: str, wish: DkimWish, published: Collection[str]) -> DkimReport:
    """`published`: selectors whose records the DNS shows."""
    keys = await _read(context.server, domain)
    events: list[Event] = []
    refusal = None
    for _ in range(_ROUNDS):
        actions = plan_keys(keys, wish, published, context.clock())
        if not actions:
            break
        for action in actions:
            try:
                event = await _perform(context.server, domain, action)
            except ServerRefused as error:
                # The record that the DNS showed may be gone again: then it is waited for.
                if not (isinstance(action, Activate) and not action.force and error.status == 409):
                    refusal = error
                continue
            events += [event] if event is not None else []
        keys = await _read(context.server, domain)
        if refusal is not None:
            break
    return DkimReport(dkim_condition(domain, keys, wish, refusal), tuple(events))


def dkim_condition(
    domain: str, keys: Collection[DkimKey], wish: DkimWish, refusal: ServerRefused | None
) -> ConditionValue:
    """DKIMReady."""
    if not wish.signing:
        return ConditionValue(DKIM_READY, True, "SigningDisabled", "Signing is switched off for the domain.")
    if refusal is not None:
        return ConditionValue(DKIM_READY, False, "ServerRefused", refusal.detail or refusal.title)
    active = sorted(key.selector for key in keys if key.state == "active")
    if not active:
        return ConditionValue(DKIM_READY, False, "NoKey", "The domain has no key that signs.")
    signs = f"{' and '.join(active)} {'signs' if len(active) == 1 else 'sign'}."
    waiting = waiting_keys(tuple(keys), wish)
    if waiting:
        names = ", ".join(f"{key.selector}._domainkey.{domain}" for key in waiting)
        message = f"{signs} To be published before the next key can sign: TXT {names}"
        return ConditionValue(DKIM_READY, True, "WaitingForDNS", message)
    return ConditionValue(DKIM_READY, True, "Signing", signs)


async def _read(server: Server, domain: str) -> tuple[DkimKey, ...]:
    found = await server.read(path("domains", domain, "dkim"))
    return () if found is None else DkimKeys.model_validate(found[0]).items


async def _perform(server: Server, domain: str, action: Action) -> Event | None:
    match action:
        case Make():
            body: dict[str, Any] = {"algorithm": action.algorithm, "selector": action.selector}
            if action.algorithm == "rsa":
                body |= {"key_size": action.key_size}
            made = await server.post(path("domains", domain, "dkim"), body)
            record = made["record"]["name"]
            return Event("DkimKeyMade", f"A new DKIM key waits for its record: publish TXT {record}.")
        case Activate():
            force = {"force": "true"} if action.force else None
            await server.post(path("domains", domain, "dkim", action.selector, "activate"), query=force)
            return Event("DkimKeyActivated", f"Mail is signed with the key {action.selector} from now on.")
        case Retire():
            await server.post(path("domains", domain, "dkim", action.selector, "retire"))
            return Event("DkimKeyRetired", f"Mail is signed with the key {action.selector} no more.")
        case Delete():
            await server.delete(path("domains", domain, "dkim", action.selector))
    return None
