"""Times in requests: with an offset from UTC, and in a range that every part of the server can compute with."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

_FIRST_YEAR, _LAST_YEAR = 1970, 9998


def _check(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset from UTC, as in 2026-08-01T08:00:00+02:00")
    if not _FIRST_YEAR < moment.year <= _LAST_YEAR:
        raise ValueError(f"a time is after {_FIRST_YEAR} and not after {_LAST_YEAR}")
    return moment


Moment = Annotated[datetime, Field(), AfterValidator(_check)]
