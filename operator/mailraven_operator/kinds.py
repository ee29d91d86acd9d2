"""The kinds that the operator looks after. `Kind` is what each of them has to be."""

from mailraven_operator import backups, domains, policies, users
from mailraven_operator.kind import Kind

__all__ = ["KINDS", "Kind"]

KINDS: tuple[Kind, ...] = (domains.KIND, users.KIND, policies.KIND, *backups.KINDS)
"""In the order in which they are listed at the start: what is named before what names it."""
