"""BODY (the non-extensible form) out of a stored BODYSTRUCTURE (RFC 9051 §7.5.2)."""

import re

# One element of our own wire form: parentheses, or an atom, number, quoted string or the start of a literal.
_ELEMENT = re.compile(rb'[ ]?+(?:([()])|"(?:[^"\\]++|\\.)*+"|\{(\d++)\}\r\n|[^ ()"{]++)', re.DOTALL)
_TEXT = re.compile(rb'"text"|\{4\}\r\ntext', re.IGNORECASE)
