"""ETag and If-Match against lost updates: the ETag is the version of the row (RFC 9110 §8.8.3, §13.1.1)."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

_STRONG = re.compile(r'"(\d{1,18})"')
_FOREIGN = -1  # a version that no row has


def set_etag(response: Response, version: int) -> None:
    """Say which version the answer is."""
    response.headers["ETag"] = f'"{version}"'


def if_match(
    value: Annotated[
        str | None,
        Header(
            alias="If-Match",
            max_length=200,
            description="The ETag of an earlier answer: 412 when it was changed since.",
        ),
    ] = None,
) -> int | None:
    """The version that is expected; None: whatever it is."""
    if value is None or value.strip() == "*":
        return None
    match = _STRONG.fullmatch(value.strip())
    # A weak or a foreign ETag never matches (RFC 9110 §13.1.1).
    return int(match[1]) if match else _FOREIGN


IfMatch = Annotated[int | None, Depends(if_match)]
