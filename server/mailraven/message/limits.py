"""How much of one message is understood; what lies beyond is kept and shown, but as plain octets.

The figures bound the work one message may cost, whatever is in it (RFC 9051 §11, RFC 5322 sets none).
"""

from dataclasses import dataclass

MAX_LEVELS = 100
MAX_PARTS = 10_000
MAX_HEADER_OCTETS = 10 * 1024 * 1024
MAX_FIELD_OCTETS = 64 * 1024
MAX_FIELDS = 100_000
MAX_FIELD_PARAMS = 1_000
# Parameters, languages and comments of all parts together.
MAX_TOKENS = 200_000
MAX_ADDRESSES = 50_000
# Each level of nesting looks for its own boundary, so that deep nesting around much content costs depth times size.
MAX_SCANNED_OCTETS = 512 * 1024 * 1024


@dataclass(slots=True)
class Budget:
    """What one message may still cost; shared by everything that reads it, counted down."""

    parts: int = MAX_PARTS
    header_octets: int = MAX_HEADER_OCTETS
    fields: int = MAX_FIELDS
    tokens: int = MAX_TOKENS
    addresses: int = MAX_ADDRESSES
    scanned_octets: int = MAX_SCANNED_OCTETS
