"""Structured MIME fields: media type, parameters, disposition, languages (RFC 2045 §5.1, RFC 2183, RFC 3282).

Values come unfolded. Lenient, as mail is: a value without quotes reaches to the next semicolon.
"""

import re
from typing import NamedTuple

from mailraven.message.limits import MAX_FIELD_PARAMS, Budget

Params = tuple[tuple[bytes, bytes], ...]


class MediaType(NamedTuple):
    type: bytes
    subtype: bytes
    params: Params = ()


TEXT_PLAIN = MediaType(b"text", b"plain")
MESSAGE_RFC822 = MediaType(b"message", b"rfc822")
OCTET_STREAM = MediaType(b"application", b"octet-stream")

# token := 1*<any CHAR except SPACE, CTLs, tspecials> (RFC 2045 §5.1); 8-bit octets are let through.
_TOKEN = rb'[^\x00-\x20\x7f()<>@,;:\\"/\[\]?=]++'
_MEDIA_TYPE = re.compile(rb"\s*+(" + _TOKEN + rb")\s*+/\s*+(" + _TOKEN + rb")")
_WORD = re.compile(rb"\s*+(" + _TOKEN + rb")")
_PARAM = re.compile(
    rb"""[;\s]*+([^;="]*+)(?:(=)\s*+(?:"((?:[^"\\]++|\\.)*+)"?+|([^;]*+)))?+[^;]*+""",
    re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT_MARK = re.compile(rb"[()]|\\.", re.DOTALL)
_COMMENT_TOKEN = re.compile(rb"""[^()"\\]++|\\.|"(?:[^"\\]++|\\.)*+"|.""", re.DOTALL)


def unescape(quoted: bytes) -> bytes:
    """The content of a quoted string without the backslashes of its quoted pairs (RFC 5322 §3.2.4)."""
    return _ESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted


def strip_comments(value: bytes, budget: Budget) -> bytes:
    """The value without comments, nested ones too; parentheses in quoted strings stay (RFC 5322 §3.2.2)."""
    if b"(" not in value:
        return value
    kept = []
    depth = 0
    position = 0
    while position < len(value) and budget.tokens > 0:
        budget.tokens -= 1
        # Inside a comment a quotation mark means nothing.
        if depth:
            found = _COMMENT_MARK.search(value, position)
            if found is None:
                break
            position = found.end()
            depth += {b"(": 1, b")": -1}.get(found[0], 0)
            continue
        token = _COMMENT_TOKEN.match(value, position)
        if token is None:
            break
        position = token.end()
        if token[0] == b"(":
            depth = 1
            kept.append(b" ")
        else:
            kept.append(token[0])
    return b"".join(kept)


def _params(rest: bytes, budget: Budget) -> Params:
    params: list[tuple[bytes, bytes]] = []
    allowed = min(MAX_FIELD_PARAMS, budget.tokens)
    for name, equals, quoted, plain in _PARAM.findall(rest):
        if len(params) >= allowed:
            break
        if equals and name and (name := name.strip()):
            params.append((name, unescape(quoted) if quoted else plain.strip()))
    budget.tokens -= len(params)
    return tuple(params)


def media_type(value: bytes | None, default: MediaType, budget: Budget) -> MediaType:
    """Content-Type. One that cannot be read means text/plain (RFC 2045 §5.2)."""
    if value is None:
        return default
    value = strip_comments(value, budget)
    found = _MEDIA_TYPE.match(value)
    if found is None:
        return TEXT_PLAIN
    end = found.end()
    params = _params(value[end:], budget) if end < len(value) else ()
    return MediaType(found[1], found[2], params)


def disposition(value: bytes, budget: Budget) -> tuple[bytes, Params] | None:
    """Content-Disposition (RFC 2183 §2)."""
    value = strip_comments(value, budget)
    found = _WORD.match(value)
    if found is None:
        return None
    rest = value[found.end() :].partition(b";")[2]
    return found[1], _params(rest, budget) if rest else ()


def languages(value: bytes, budget: Budget) -> list[bytes]:
    """Content-Language (RFC 3282 §2)."""
    allowed = max(0, min(MAX_FIELD_PARAMS, budget.tokens))
    words = strip_comments(value, budget).split(b",", allowed)[:allowed]
    budget.tokens -= len(words)
    return [word for word in map(bytes.strip, words) if word]


def transfer_encoding(value: bytes | None, budget: Budget) -> bytes:
    """Content-Transfer-Encoding; 7bit when there is none (RFC 2045 §6.1)."""
    if value is None:
        return b"7bit"
    found = _WORD.match(strip_comments(value, budget))
    return found[1] if found else b"7bit"


def param(params: Params, name: bytes) -> bytes | None:
    """The first parameter of that lower-case name."""
    for key, value in params:
        if key.lower() == name:
            return value
    return None
