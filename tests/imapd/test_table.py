"""The table of commands and the grammar fit together."""

from __future__ import annotations

from mailraven.imap import GRAMMAR
from mailraven.imapd.state import In
from mailraven.imapd.table import COMMANDS, MAY_EXPUNGE, USES_SEQ


def test_every_command_has_a_grammar_and_a_row():
    assert set(COMMANDS) == set(GRAMMAR)


def test_expunge_is_never_told_during_fetch_store_and_search():
    # RFC 9051 §7.5.1
    assert {name for name, row in COMMANDS.items() if row.effects & USES_SEQ and not row.effects & MAY_EXPUNGE} == {
        "FETCH",
        "STORE",
        "SEARCH",
    }


def test_strangers_can_do_little():
    assert {name for name, row in COMMANDS.items() if row.states & In.NOT_AUTHENTICATED} == {
        "CAPABILITY",
        "NOOP",
        "LOGOUT",
        "ID",
        "STARTTLS",
        "LOGIN",
        "AUTHENTICATE",
    }
