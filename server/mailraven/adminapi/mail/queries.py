"""The query parameters of a message list."""

import re
from datetime import date
from typing import Annotated, Literal

from fastapi import Depends, Query

from mailraven.adminapi.mail import searching
from mailraven.adminapi.problems import ApiProblem
from mailraven_api.message import FlagName

_FIELD_NAME = re.compile(r"[!-9;-~]{1,100}")  # RFC 5322 §2.2
_MAX_SIZE = 2**63 - 1
_Text = Annotated[str, Query(max_length=500)]
_Size = Annotated[int | None, Query(ge=0, le=_MAX_SIZE)]


def _query(
    q: Annotated[_Text, Query(description="Text in the subject, in From, To or Cc, or in the body.")] = "",
    from_: Annotated[_Text, Query(alias="from", description="Text in the field From.")] = "",
    to: Annotated[_Text, Query(description="Text in the field To.")] = "",
    subject: Annotated[_Text, Query(description="Text in the subject.")] = "",
    header: Annotated[
        _Text, Query(description='Text in another field, as in "List-Id: dev"; "List-Id" alone: the field is there.')
    ] = "",
    since: Annotated[date | None, Query(description="Came on this day or later (UTC).")] = None,
    before: Annotated[date | None, Query(description="Came before this day (UTC).")] = None,
    larger: Annotated[_Size, Query(description="More octets than this.")] = None,
    smaller: Annotated[_Size, Query(description="Fewer octets than this.")] = None,
    unread: Annotated[bool | None, Query(description="Without the flag \\Seen; false: with it.")] = None,
    flagged: Annotated[bool | None, Query(description="With the flag \\Flagged; false: without it.")] = None,
    keyword: Annotated[
        list[FlagName] | None, Query(max_length=20, description="With this flag or keyword; may be repeated.")
    ] = None,
) -> searching.Query:
    return searching.Query(
        text=q,
        from_=from_,
        to=to,
        subject=subject,
        header=_header(header),
        since=since,
        before=before,
        larger=larger,
        smaller=smaller,
        unread=unread,
        flagged=flagged,
        keywords=tuple(keyword or ()),
    )


def _header(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    name, _, value = text.partition(":")
    if not _FIELD_NAME.fullmatch(name.strip()):
        raise ApiProblem(422, "Not valid: /header: not the name of a field.", errors=[("/header", "not a field name")])
    return name.strip(), value.strip()


MessageQuery = Annotated[searching.Query, Depends(_query)]
Sort = Annotated[Literal["newest", "oldest"], Query(description="By UID: the order in which they came.")]
