"""Rate limits and bans, shared by all processes through Postgres (docs/limits.md)."""

from mailraven.limits.gate import Gate
from mailraven.limits.model import ALLOWED, Ban, Decision
from mailraven.limits.occupancy import Occupancy

__all__ = ["ALLOWED", "Ban", "Decision", "Gate", "Occupancy"]
