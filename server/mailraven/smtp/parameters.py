"""ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.1.11), in the case they came in.

A new extension is a row in MAIL_KEYWORDS or RCPT_KEYWORDS and a field of the dataclass it fills.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from mailraven.smtp import replies
from mailraven.smtp.reply import Reply

# esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-");  esmtp-value = 1*(%d33-60 / %d62-126)
# RFC 6531 §3.3 adds UTF8-non-ascii to the value.
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9\-]*)(?:=([!-<>-~\u0080-\U0010ffff]+))?\Z")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+\Z")  # RFC 3461 §4


class Body(StrEnum):
    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"


@dataclass(frozen=True, slots=True)
class MailParameters:
    size: int | None = None  # RFC 1870
    body: Body = Body.SEVEN_BIT  # RFC 6152
    smtputf8: bool = False  # RFC 6531
    auth: str | None = None  # RFC 4954 §5, xtext as it came


@dataclass(frozen=True, slots=True)
class RcptParameters:
    """None yet; DSN's NOTIFY and ORCPT (RFC 3461) will be its fields."""


NO_MAIL_PARAMETERS = MailParameters()
NO_RCPT_PARAMETERS = RcptParameters()
Fields = dict[str, object]
Keyword = Callable[[str | None, Fields], bool]
P = TypeVar("P")


def _size(value: str | None, fields: Fields) -> bool:
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 20:  # RFC 1870 §3
        return False
    fields["size"] = int(value)
    return True


def _body(value: str | None, fields: Fields) -> bool:
    if value is None or value.upper() not in set(Body):
        return False
    fields["body"] = Body(value.upper())
    return True


def _smtputf8(value: str | None, fields: Fields) -> bool:
    fields["smtputf8"] = True
    return value is None  # RFC 6531 §3.4: no value


def _auth(value: str | None, fields: Fields) -> bool:
    if value is None or not _XTEXT.match(value):
        return False
    fields["auth"] = value
    return True


MAIL_KEYWORDS: Mapping[str, Keyword] = MappingProxyType(
    {"SIZE": _size, "BODY": _body, "SMTPUTF8": _smtputf8, "AUTH": _auth}
)
RCPT_KEYWORDS: Mapping[str, Keyword] = MappingProxyType({})


def parse_mail_parameters(text: str) -> MailParameters | Reply:
    fields = _parse(text, MAIL_KEYWORDS) if text else {}
    if isinstance(fields, Reply):
        return fields
    return MailParameters(**fields) if fields else NO_MAIL_PARAMETERS  # type: ignore[arg-type]


def parse_rcpt_parameters(text: str) -> RcptParameters | Reply:
    fields = _parse(text, RCPT_KEYWORDS) if text else {}
    return fields if isinstance(fields, Reply) else NO_RCPT_PARAMETERS


def _parse(text: str, known: Mapping[str, Keyword]) -> Fields | Reply:
    fields: Fields = {}
    seen: set[str] = set()
    for word in text.split(" "):
        if not word:
            continue
        match = _PARAMETER.match(word)
        if match is None:
            return replies.SYNTAX
        keyword = match[1].upper()
        read = known.get(keyword)
        if read is None:
            return replies.UNKNOWN_PARAMETER  # RFC 5321 §4.1.1.11
        if keyword in seen or not read(match[2], fields):
            return replies.SYNTAX
        seen.add(keyword)
    return fields
