"""JSON bodies before anything parses them: UTF-8, without NUL and lone surrogates, and not nested without end."""

import re
from itertools import accumulate

from mailraven.adminapi.problems import ApiProblem

MAX_DEPTH = 64
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(octet for octet in range(256) if octet not in b"[]{}")
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_ESCAPE = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|.)", re.DOTALL)


def check_json(body: bytes) -> None:
    """Raises ApiProblem 422."""
    # RFC 8259 §8.1: JSON is UTF-8; Python would also take UTF-16 and encoded surrogates.
    try:
        body.decode()
    except UnicodeDecodeError:
        raise ApiProblem(422, "The body is not UTF-8.") from None
    if b"\0" in body:
        raise ApiProblem(422, "The body holds a NUL character.")
    if b"\\u" in body:
        _check_escapes(body)
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise ApiProblem(422, f"The body is nested deeper than {MAX_DEPTH} levels.")


def _depth(body: bytes) -> int:
    brackets = _STRING.sub(b"", body).translate(None, delete=_NOT_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def _check_escapes(body: bytes) -> None:
    """Postgres cannot store NUL, and a lone surrogate is no character (RFC 8259 §8.2)."""
    high_ends = -1
    for match in _ESCAPE.finditer(body):
        if match[1] is None:
            continue
        unit = int(match[1], 16)
        if unit == 0:
            raise ApiProblem(422, "The body holds a NUL character.")
        if 0xD800 <= unit <= 0xDBFF and high_ends < 0:
            high_ends = match.end()
            continue
        low = 0xDC00 <= unit <= 0xDFFF
        if low != (high_ends >= 0) or (low and match.start() != high_ends):
            raise ApiProblem(422, "The body holds a half of a surrogate pair.")
        high_ends = -1
    if high_ends >= 0:
        raise ApiProblem(422, "The body holds a half of a surrogate pair.")
