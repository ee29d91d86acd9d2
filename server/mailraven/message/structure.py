"""BODYSTRUCTURE in its wire form, and BODY out of it (RFC 9051 §7.5.2)."""

from mailraven.message.envelope import render_envelope
from mailraven.message.limits import Budget
from mailraven.message.mime import Params, disposition, languages, param, transfer_encoding
from mailraven.message.tree import Kind, Part
from mailraven.message.wire import string

_US_ASCII = (b"charset", b"us-ascii")


def render_structure(part: Part, budget: Budget) -> bytes:
    """The extensible form. Recursion is as deep as the tree, which parse() bounds."""
    fields = part.fields
    media = part.media_type
    params = media.params
    extension = _extension(fields, budget)
    if part.kind is Kind.MULTIPART:
        parts = b"".join([render_structure(child, budget) for child in part.children])
        return b"(%b %b %b %b)" % (parts, string(media.subtype), _params(params), extension)
    counted = b""
    if part.kind is Kind.MESSAGE:
        message = part.children[0]
        envelope = render_envelope(message.fields, budget)
        counted = b" %b %b %d" % (envelope, render_structure(message, budget), part.lines)
    elif part.is_text:
        counted = b" %d" % part.lines
        if param(params, b"charset") is None:
            params = (*params, _US_ASCII)  # RFC 2045 §5.2
    return b"(%b %b %b %b %b %b %d%b %b %b)" % (
        string(media.type),
        string(media.subtype),
        _params(params),
        _text(fields.get(b"content-id")),
        _text(fields.get(b"content-description")),
        string(transfer_encoding(fields.get(b"content-transfer-encoding"), budget)),
        part.octets,
        counted,
        _text(fields.get(b"content-md5")),
        extension,
    )


def _text(value: bytes | None) -> bytes:
    return string(value) if value else b"NIL"


def _params(params: Params) -> bytes:
    """As they are on the wire: RFC 2231 and encoded words are the client's to decode."""
    if not params:
        return b"NIL"
    return b"(%b)" % b" ".join([b"%b %b" % (string(name), string(value)) for name, value in params])


def _extension(fields: dict[bytes, bytes], budget: Budget) -> bytes:
    """Disposition, language, location."""
    disposed = fields.get(b"content-disposition")
    spoken = fields.get(b"content-language")
    located = fields.get(b"content-location")
    if disposed is None and spoken is None and located is None:
        return b"NIL NIL NIL"
    shown = disposition(disposed, budget) if disposed else None
    words = languages(spoken, budget) if spoken else None
    return b"%b %b %b" % (
        b"(%b %b)" % (string(shown[0]), _params(shown[1])) if shown else b"NIL",
        b"(%b)" % b" ".join(map(string, words)) if words else b"NIL",
        _text(located),
    )
