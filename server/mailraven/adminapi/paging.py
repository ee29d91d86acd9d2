"""Pages of lists: a cursor is the last key of the page before, in URL-safe base64. It says nothing to clients."""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from mailraven.adminapi.problems import ApiProblem

T = TypeVar("T")
R = TypeVar("R")
CURSOR_CHARACTERS = 2048
_MAX_ID = 2**63 - 1


class Page(BaseModel, Generic[T]):
    """Some items of a list, and where the next ones are."""

    items: list[T]
    next: str | None = Field(default=None, description="The cursor of the next page; null: this is the last one.")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted."""

    limit: int = 100
    cursor: str = ""

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than are shown tells whether there is another page."""
        return self.limit + 1

    @property
    def after(self) -> str:
        """The last key of the page before; empty: from the start. Raises ApiProblem 422."""
        if not self.cursor:
            return ""
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            key = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            raise _bad_cursor() from None
        if not key or "\0" in key:
            raise _bad_cursor()
        return key

    @property
    def after_id(self) -> int | None:
        """The same for lists that are ordered by a number."""
        key = self.after
        if not key:
            return None
        if not (key.isascii() and key.isdigit() and len(key) <= 19 and int(key) <= _MAX_ID):
            raise _bad_cursor()
        return int(key)

    def page(self, rows: Iterable[R], key: Callable[[R], str | int], show: Callable[[R], T]) -> Page[T]:
        """At most `limit` of the rows, and the cursor of what follows."""
        read = list(rows)
        shown = read[: self.limit]
        cursor = encode_cursor(key(shown[-1])) if len(read) > len(shown) else None
        return Page(items=[show(row) for row in shown], next=cursor)


def encode_cursor(key: str | int) -> str:
    """As `next` has it."""
    return base64.urlsafe_b64encode(str(key).encode()).rstrip(b"=").decode("ascii")


def _page_request(
    limit: Annotated[int, Query(ge=1, le=1000, description="How many items at most.")] = 100,
    cursor: Annotated[
        str, Query(max_length=CURSOR_CHARACTERS, description="`next` of the page before; empty: the first page.")
    ] = "",
) -> PageRequest:
    return PageRequest(limit, cursor)


def _bad_cursor() -> ApiProblem:
    return ApiProblem(422, "The cursor is not one of this server's.", errors=[("/cursor", "not a cursor")])


Paging = Annotated[PageRequest, Depends(_page_request)]
