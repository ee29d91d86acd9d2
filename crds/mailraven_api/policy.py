"""RateLimitPolicy: limits for a selection of domains, accounts, addresses or tokens."""

from datetime import datetime
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mailraven_api.domain import Labels, Name, Text
from mailraven_api.limits import Event, Limits, Scope
from mailraven_api.model import Model


def _network(text: str) -> str:
    try:
        return str(ip_network(text.strip()))
    except ValueError:
        raise ValueError('expected an address or a network such as "192.0.2.0/24" or "2001:db8::/32"') from None


Network = Annotated[str, Field(max_length=64), AfterValidator(_network)]
Networks = Annotated[tuple[Network, ...], Field(max_length=1000)]
"""Networks in CIDR notation; an address alone is a network of one."""


class Selector(Model):
    """What the policy is about; empty: everything of its scope."""

    domains: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    """Only these domains (scope domain), or accounts of them (scope account)."""
    match_labels: Labels = {}
    """Only accounts (scope account) or domains (scope domain) with all of these labels."""
    accounts: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()
    """Only these accounts."""
    networks: Networks = ()
    """Only clients of these networks (scope ip)."""
    tokens: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()
    """Only tokens of these names (scope token)."""


class Exemptions(Model):
    """Whom the policy does not touch."""

    networks: Networks = ()
    """Clients of these networks."""
    accounts: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()
    """These accounts."""
    senders: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()
    """Envelope senders, or whole domains of them."""


class RateLimitPolicySpec(Model):
    """Desired state of a RateLimitPolicy."""

    scope: Scope
    event: Event = Event.MESSAGES
    """What is counted."""
    limits: Limits = Field(min_length=1)
    selector: Selector = Selector()
    exempt: Exemptions = Exemptions()
    action: Literal["reject", "ban", "log"] = "reject"
    """`reject`: a temporary refusal. `ban`: that, and the client's address is banned. `log`: the event only."""
    priority: int = Field(default=0, ge=-1_000_000, le=1_000_000)
    """Of the policies that match, those of the highest priority hold; at the same priority all do. A policy that
    matches takes the place of the limits of the account, the domain and the template for its event and scope."""


class RateLimitPolicy(Model):
    """A policy with its name."""

    name: Name
    spec: RateLimitPolicySpec
    version: int
    updated_at: datetime
