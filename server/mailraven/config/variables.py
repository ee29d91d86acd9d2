"""Names of environment variables: MAILRAVEN_ and the key, sections and key joined by two underscores."""

import difflib
from collections.abc import Iterator, Sequence

from mailraven.config.config import Config
from mailraven.config.section import Section

PREFIX = "MAILRAVEN_"
_CLOSE = 0.9  # a letter of ten is wrong


def variable_of(key: Sequence[str]) -> str:
    """MAILRAVEN_BLOBS__S3__ENDPOINT of ("blobs", "s3", "endpoint")."""
    return PREFIX + "__".join(part.upper() for part in key)


def meant_variable(variable: str) -> str | None:
    """The one that was probably meant: MAILRAVEN_DATABASE_URL and MAILRAVEN_HOSTNAM are slips, others are not ours."""
    known = {"_".join(key).upper(): variable_of(key) for key in _keys(Config, ())}
    close = difflib.get_close_matches(variable.removeprefix(PREFIX), known, n=1, cutoff=_CLOSE)
    return known[close[0]] if close else None


def _keys(model: type[Section], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _keys(field.annotation, (*path, name))
        else:
            yield (*path, name)
