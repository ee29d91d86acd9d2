"""The filters of a message list as a search program (RFC 9051 §6.4.4). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mailraven.adminapi.mail import flags
from mailraven.mailstore import Wanted
from mailraven.mailstore import program as p


@dataclass(frozen=True, slots=True)
class Query:
    """What a list of messages is narrowed to; all that is set has to fit, and texts are literal."""

    text: str = ""
    """In the subject, among senders or recipients, or in the body."""
    from_: str = ""
    to: str = ""
    subject: str = ""
    header: tuple[str, str] | None = None
    since: date | None = None
    before: date | None = None
    larger: int | None = None
    smaller: int | None = None
    unread: bool | None = None
    flagged: bool | None = None
    keywords: tuple[str, ...] = ()
    """Flags and keywords that are set."""

    def wanted(self) -> Wanted | None:
        """When flags are all there is to look at; None: it takes a search."""
        return None if self._content() else Wanted(*self._flags())

    def program(self) -> p.Key:
        """All of it as a search."""
        present, absent = self._flags()
        keys: list[p.Key] = [p.Flag(name, present=True) for name in present]
        keys += [p.Flag(name, present=False) for name in absent]
        return p.And((*keys, *self._content()))

    def _flags(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        present = [flags.canonical(name) for name in self.keywords]
        absent: list[str] = []
        for name, wanted in (("\\Seen", None if self.unread is None else not self.unread), ("\\Flagged", self.flagged)):
            if wanted is not None:
                (present if wanted else absent).append(name)
        return tuple(dict.fromkeys(present)), tuple(absent)

    def _content(self) -> list[p.Key]:
        keys: list[p.Key] = []
        if self.text:
            fields = ("subject", "from", "to", "cc")
            found: p.Key = p.Body(self.text)
            for field in fields:
                found = p.Or(p.Header(field, self.text), found)
            keys.append(found)
        for field, text in (("from", self.from_), ("to", self.to), ("subject", self.subject)):
            if text:
                keys.append(p.Header(field, text))
        if self.header is not None:
            keys.append(p.Header(*self.header))
        if self.since is not None:
            keys.append(p.Date("internal", "since", self.since))
        if self.before is not None:
            keys.append(p.Date("internal", "before", self.before))
        if self.larger is not None:
            keys.append(p.Size("larger", self.larger))
        if self.smaller is not None:
            keys.append(p.Size("smaller", self.smaller))
        return keys
