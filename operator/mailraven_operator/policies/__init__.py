"""The kind RateLimitPolicy."""

from mailraven_operator.policies.kind import RateLimitPolicies

__all__ = ["KIND", "RateLimitPolicies"]

KIND = RateLimitPolicies()
