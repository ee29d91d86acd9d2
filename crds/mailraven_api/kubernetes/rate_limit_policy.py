"""RateLimitPolicy: limits for a selection of clients, accounts, domains or tokens."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mailraven_api import policy as api
from mailraven_api.kubernetes.limits import SomeLimits
from mailraven_api.kubernetes.meta import KubeModel, Resource, ResourceStatus
from mailraven_api.kubernetes.names import Networks
from mailraven_api.kubernetes.status import LenientStatus
from mailraven_api.limits import Event, Scope


class Selector(KubeModel, api.Selector):
    """What the policy is about; empty: everything of its scope."""

    networks: Networks = ()
    """Only clients of these networks (scope ip)."""


class Exemptions(KubeModel, api.Exemptions):
    """Whom the policy does not touch."""

    networks: Networks = ()
    """Clients of these networks."""


class RateLimitPolicySpec(KubeModel):
    """Desired state of a policy."""

    scope: Scope
    """Whose events are counted together."""
    event: Event = Event.MESSAGES
    """What is counted."""
    limits: SomeLimits
    """All of them hold at once."""
    selector: Selector = Selector()
    exempt: Exemptions = Exemptions()
    action: Literal["reject", "ban", "log"] = "reject"
    """reject: a temporary refusal. ban: that, and the client's address is banned. log: the event only."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 0
    """Of the policies that match, those of the highest priority hold; at the same priority all do. A policy that
    matches takes the place of the limits of the account, the domain and the template for its event and scope."""

    def to_policy_spec(self) -> api.RateLimitPolicySpec:
        """The API's body: only what was set here is set in it."""
        return api.RateLimitPolicySpec.model_validate(self.set_fields())


class RateLimitPolicyStatus(ResourceStatus):
    """Observed state of a policy."""

    policy_name: str | None = None
    """What the server calls it."""
    matched: int | None = None
    """How many accounts or domains it holds for. Not set where clients or tokens are counted."""


class RateLimitPolicy(Resource):
    """Limits for a selection of clients, accounts, domains or tokens."""

    KIND: ClassVar[str] = "RateLimitPolicy"

    kind: Literal["RateLimitPolicy"] = "RateLimitPolicy"
    spec: RateLimitPolicySpec
    status: LenientStatus[RateLimitPolicyStatus] = RateLimitPolicyStatus()
