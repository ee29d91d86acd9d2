"""Search keys of the wire into a search program of the mailstore: numbers resolved, shorthands gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mailraven.imap import search_keys as keys
from mailraven.imapd.chosen import Chosen
from mailraven.imapd.state import Selected
from mailraven.mailstore import program as p


def translate(key: keys.Key, selected: Selected) -> p.Key:
    """The same search, for this session's sequence numbers, `*` and \\Recent."""
    return _Translation(selected).of(key)


class _Translation:
    def __init__(self, selected: Selected) -> None:
        self._selected = selected

    def of(self, key: keys.Key) -> p.Key:
        return _RULES[type(key)](self, key)

    def and_(self, key: keys.And) -> p.Key:
        return p.And(tuple(self.of(one) for one in key.keys))

    def or_(self, key: keys.Or) -> p.Key:
        return _balanced([self.of(one) for one in key.keys])

    def not_(self, key: keys.Not) -> p.Key:
        return p.Not(self.of(key.key))

    def sequence(self, key: keys.Sequence) -> p.Key:
        return p.Uids(Chosen(self._selected, key.messages, uid=False).uid_ranges())

    def uids(self, key: keys.Uids) -> p.Key:
        return p.Uids(Chosen(self._selected, key.messages, uid=True).uid_ranges())

    def recent(self, key: keys.Recent) -> p.Key:
        return p.Recent(self._selected.first_recent, key.present)

    def email_id(self, key: keys.EmailId) -> p.Key:
        number = key.id.removeprefix("M")
        if number == key.id or not number.isdecimal() or len(number) > 18:
            return p.Not(p.All())  # none of ours
        return p.EmailId(int(number))


def _balanced(operands: Sequence[p.Key]) -> p.Key:
    """A chain of hundreds must not become as deep."""
    if len(operands) == 1:
        return operands[0]
    middle = len(operands) // 2
    return p.Or(_balanced(operands[:middle]), _balanced(operands[middle:]))


_RULES: dict[type[keys.Key], Callable[[_Translation, Any], p.Key]] = {
    keys.All: lambda _, __: p.All(),
    keys.And: _Translation.and_,
    keys.Or: _Translation.or_,
    keys.Not: _Translation.not_,
    keys.Sequence: _Translation.sequence,
    keys.Uids: _Translation.uids,
    keys.Recent: _Translation.recent,
    keys.Flag: lambda _, key: p.Flag(key.name, key.present),
    keys.Header: lambda _, key: p.Header(key.field, key.text),
    keys.Text: lambda _, key: p.Text(key.text),
    keys.Body: lambda _, key: p.Body(key.text),
    keys.Date: lambda _, key: p.Date(key.which, key.op, key.day),
    keys.Size: lambda _, key: p.Size(key.op, key.octets),
    keys.Within: lambda _, key: p.Within(key.op, key.seconds),
    keys.ModSeq: lambda _, key: p.ModSeq(key.value),
    keys.EmailId: _Translation.email_id,
}
