"""A search program as one SQL condition; every text of the client is a parameter, literal (RFC 9051 §6.4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asyncpg import Range

from mailraven.mailstore import flags as flag_bits
from mailraven.mailstore import program as p
from mailraven.message import fold

_COLUMNS = {
    "subject": "subject_text",
    "from": "from_text",
    "to": "to_text",
    "cc": "cc_text",
    "bcc": "bcc_text",
}
_DATES = {
    "internal": "(m.internal_date AT TIME ZONE 'UTC')::date",
    "sent": "m.sent_date",
    "saved": "(m.saved_at AT TIME ZONE 'UTC')::date",
}
_COMPARE = {"before": "<", "on": "=", "since": ">="}
_MAX_OCTETS = 2**63 - 1
_MAX_SECONDS = 2**36  # two thousand years: Postgres' clock goes that far back


class Condition:
    """Compiles a program. Joins: body_text as t if `needs_text` (fill it first), message_flags f if `needs_flags`."""

    def __init__(self, sequence: Sequence[int], keywords: Sequence[str], first_parameter: int) -> None:
        self._sequence = sequence
        self._keywords = keywords
        self._first = first_parameter
        self.parameters: list[Any] = []
        self.needs_text = False
        self.needs_flags = False

    def compile(self, key: p.Key) -> str:
        """SQL over message m, message_flags f and body_text t."""
        return str(getattr(self, "_on_" + type(key).__name__.lower())(key))

    def _parameter(self, value: Any, kind: str) -> str:
        if kind == "text":  # surrogates cannot be sent, and no text that is stored has one
            value = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        self.parameters.append(value)
        return f"${self._first + len(self.parameters) - 1}::{kind}"

    def _on_all(self, _key: p.All) -> str:
        return "true"

    def _on_and(self, key: p.And) -> str:
        return "(" + " AND ".join(self.compile(one) for one in dict.fromkeys(key.keys)) + ")" if key.keys else "true"

    def _on_or(self, key: p.Or) -> str:
        return f"({self.compile(key.a)} OR {self.compile(key.b)})"

    def _on_not(self, key: p.Not) -> str:
        return f"(NOT {self.compile(key.key)})"

    def _on_sequence(self, key: p.Sequence) -> str:
        total = len(self._sequence)
        parts = []
        for low, high in key.ranges:
            if low <= total:
                parts.append((self._sequence[max(low, 1) - 1], self._sequence[min(high, total) - 1]))
        return self._ranges(parts)

    def _on_uids(self, key: p.Uids) -> str:
        return self._ranges(key.ranges)

    def _ranges(self, ranges: Sequence[tuple[int, int]]) -> str:
        if not ranges:
            return "false"
        low = self._parameter(min(low for low, _ in ranges), "bigint")
        high = self._parameter(max(high for _, high in ranges), "bigint")
        whole = f"m.uid BETWEEN {low} AND {high}"
        if len(ranges) == 1:
            return whole
        # A multirange is searched by halving; a list of ranges would be read to its end for each message.
        parts = self._parameter([Range(low, high, upper_inc=True) for low, high in ranges], "int8multirange")
        return f"({whole} AND m.uid <@ {parts})"

    def _on_flag(self, key: p.Flag) -> str:
        self.needs_flags = True
        mask = flag_bits.SYSTEM_FLAGS.get(key.name)
        if mask is None:
            mask, _ = flag_bits.mask_of(self._keywords, [key.name])
        return f"(f.flags & {self._parameter(mask, 'bigint')}) {'<>' if key.present else '='} 0"

    def _on_recent(self, key: p.Recent) -> str:
        return f"m.uid {'>=' if key.present else '<'} {self._parameter(key.first_uid, 'bigint')}"

    def _on_header(self, key: p.Header) -> str:
        field, text = fold(key.field).strip(), fold(key.text)
        column = _COLUMNS.get(field)
        if column is not None and text:
            return f"strpos(m.{column}, {self._parameter(text, 'text')}) > 0"
        self.needs_text = True
        name = self._parameter(field + ":", "text")
        line = f"starts_with(line, {name})"
        if text:
            line += f" AND strpos(substr(line, length({name}) + 1), {self._parameter(text, 'text')}) > 0"
        return f"EXISTS (SELECT 1 FROM string_to_table(t.header, E'\\n') AS line WHERE {line})"  # noqa: S608 - names written in the program

    def _on_text(self, key: p.Text) -> str:
        self.needs_text = True
        text = self._parameter(fold(key.text), "text")
        return f"(strpos(t.header, {text}) > 0 OR strpos(t.text, {text}) > 0)"

    def _on_body(self, key: p.Body) -> str:
        self.needs_text = True
        return f"strpos(t.text, {self._parameter(fold(key.text), 'text')}) > 0"

    def _on_date(self, key: p.Date) -> str:
        column = _DATES[key.which]
        # NULL (no readable Date) is no match, also under NOT.
        return f"coalesce({column} {_COMPARE[key.op]} {self._parameter(key.day, 'date')}, false)"

    def _on_size(self, key: p.Size) -> str:
        return f"m.size {'>' if key.op == 'larger' else '<'} {self._parameter(min(key.octets, _MAX_OCTETS), 'bigint')}"

    def _on_modseq(self, key: p.ModSeq) -> str:
        self.needs_flags = True
        return f"f.modseq >= {self._parameter(key.value, 'bigint')}"

    def _on_within(self, key: p.Within) -> str:
        compare = "<=" if key.op == "older" else ">="
        seconds = self._parameter(min(key.seconds, _MAX_SECONDS), "float8")
        return f"m.internal_date {compare} now() - make_interval(secs => {seconds})"

    def _on_emailid(self, key: p.EmailId) -> str:
        return f"m.body_id = {self._parameter(key.id, 'bigint')}"
