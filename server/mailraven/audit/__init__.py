"""The audit log: who did what, when, from where, and what it changed. Append-only, kept for 400 days."""

from mailraven.audit.entry import Entry
from mailraven.audit.listing import Filter, Recorded, expire, list_entries
from mailraven.audit.log import AuditLog, write

__all__ = ["AuditLog", "Entry", "Filter", "Recorded", "expire", "list_entries", "write"]
