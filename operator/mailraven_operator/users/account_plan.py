"""What has to be written of an account: what the MailUser wants, compared with what the server has. Pure.

displayName, forwarding and vacation may be changed by their owner too. Where spec says nothing of them they are his;
what spec said once and says no more is taken back (status.managedSettings remembers it).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from mailraven_api.account import AccountSpec
from mailraven_api.kubernetes import MailUser
from mailraven_operator.domains.ownership import NAMESPACE_LABEL
from mailraven_operator.outcome import invalid_spec

Document = dict[str, Any]
_ADDRESS = re.compile(r".+@[^@\s]+")  # the server looks closer, but does not say which one is wrong
_PERSONAL = {"displayName": "display_name", "forwarding": "forwarding", "vacation": "vacation"}
_FIELDS = (
    "display_name", "quota_bytes", "suspended", "disabled", "limits", "labels", "forwarding", "vacation",
)  # fmt: skip
# Not "labels" and "quota_bytes": they follow what is no part of spec, so a difference need not be drift.
_DRIFTING = {
    "display_name": "displayName",
    "suspended": "suspended",
    "disabled": "disabledProtocols",
    "limits": "limits",
    "forwarding": "forwarding",
    "vacation": "vacation",
}


@dataclass(frozen=True)
class AccountPlan:
    """`body` is that of PUT /accounts/ADDRESS; None: nothing differs."""

    body: Document | None
    managed: tuple[str, ...]
    """For status.managedSettings."""
    differing: tuple[str, ...] = ()
    """Fields of spec that the server had otherwise."""


def plan_account(user: MailUser, account: Mapping[str, Any] | None, default_quota: int | None) -> AccountPlan:
    """`account` as GET shows it; None: there is none. `default_quota`: of the domain, for users without one. Raises
    Problem."""
    spec, now = user.spec, _normal(account or {})
    for place, target in enumerate(() if spec.forwarding is None else spec.forwarding.targets):
        if not _ADDRESS.fullmatch(target):
            raise invalid_spec(f"spec.forwarding.targets[{place}]", "expected an address")
    managed = tuple(name for name, field in _PERSONAL.items() if getattr(spec, field))
    wanted = _normal(
        spec.to_account_put(account_labels(user)).model_dump(mode="json", include=set(_FIELDS), exclude_unset=True)
    )
    if "quota" not in spec.model_fields_set:
        wanted["quota_bytes"] = default_quota
    for name, field in _PERSONAL.items():
        if name not in managed and name not in user.status.managed_settings:
            wanted[field] = now[field]
    differing = [field for field in _FIELDS if wanted[field] != now[field]]
    if account is not None and not differing:
        return AccountPlan(None, managed)
    drift = () if account is None else tuple(_DRIFTING[field] for field in differing if field in _DRIFTING)
    return AccountPlan(_body(wanted), managed, drift)


def account_labels(user: MailUser) -> dict[str, str]:
    """Those of the resource, for the selectors of policies, and whose the account is: the latter cannot be forged."""
    return dict(user.metadata.labels) | {NAMESPACE_LABEL: user.metadata.namespace}


def _normal(document: Mapping[str, Any]) -> Document:
    """What can be set of an account, written so that the same is equal."""
    spec = AccountSpec.model_validate({name: document[name] for name in _FIELDS if name in document})
    normal = spec.model_dump(mode="json")
    normal["disabled"] = sorted(set(spec.disabled))
    if spec.forwarding is not None:
        normal["forwarding"]["targets"] = list(dict.fromkeys(_target(text) for text in spec.forwarding.targets))
    if spec.vacation is not None:
        for name in ("starts_at", "ends_at"):
            moment = getattr(spec.vacation, name)
            normal["vacation"][name] = None if moment is None else moment.astimezone(UTC).isoformat()
    return normal


def _body(wanted: Document) -> Document:
    limits = {name: value for name, value in wanted["limits"].items() if value is not None}
    return {**wanted, "limits": limits}


def _target(address: str) -> str:
    localpart, at, domain = address.rpartition("@")
    return f"{localpart}{at}{domain.lower()}"
