"""Aliases, and the senders that an account or a domain always lets in or never."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from mailraven_api.domain import Text
from mailraven_api.model import Model

Targets = Annotated[tuple[Text, ...], Field(min_length=1, max_length=1000)]


class AliasSpec(Model):
    """The desired state of an alias."""

    targets: Targets
    """Addresses, here or elsewhere. The catch-all `*` has exactly one."""


class AliasCreate(AliasSpec):
    """POST …/aliases."""

    localpart: Annotated[str, Field(min_length=1, max_length=256)]
    """What stands before the @, without quotes; `*` is the catch-all."""


class Alias(Model):
    """An alias with all its targets."""

    address: Text
    localpart: str
    targets: tuple[Text, ...]


class SenderRuleSpec(Model):
    """What to do with mail of a sender."""

    action: Literal["allow", "block"]
    """`block` refuses it at once; `allow` lets it pass a block of the whole domain, and spam rules."""


class SenderRule(SenderRuleSpec):
    """A rule with the envelope sender that it is about."""

    sender: Text
    """An address, or a domain, which stands for everything below it too."""
    created_at: datetime
