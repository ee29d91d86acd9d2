"""ENVELOPE in its wire form (RFC 9051 §7.5.2)."""

from mailraven.message.address import Address, read_addresses
from mailraven.message.limits import Budget
from mailraven.message.wire import nstring, string


def render_envelope(fields: dict[bytes, bytes], budget: Budget) -> bytes:
    """Encoded words stay encoded; a field that is there but empty is "", one that is not is NIL."""
    get = fields.get
    sender = _address_list(get(b"from"), budget)
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(get(b"date")),
        _text(get(b"subject")),
        sender,
        # RFC 9051 §7.5.2: Sender and Reply-To default to From when they are absent or empty.
        _address_list(get(b"sender"), budget, sender),
        _address_list(get(b"reply-to"), budget, sender),
        _address_list(get(b"to"), budget),
        _address_list(get(b"cc"), budget),
        _address_list(get(b"bcc"), budget),
        _text(get(b"in-reply-to")),
        _text(get(b"message-id")),
    )


def _text(value: bytes | None) -> bytes:
    return b"NIL" if value is None else string(value)


def _address_list(value: bytes | None, budget: Budget, default: bytes = b"NIL") -> bytes:
    if value is None:
        return default
    found = read_addresses(value, budget.addresses)
    if not found:
        return default
    budget.addresses -= len(found)
    return b"(%b)" % b"".join(map(_render_address, found))


def _render_address(address: Address) -> bytes:
    name, route, localpart, domain = address
    return b"(%b %b %b %b)" % (nstring(name), nstring(route), nstring(localpart), nstring(domain))
