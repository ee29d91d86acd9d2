"""From a received command to its outcome, and the news of the mailbox that go with it. No IO of its own."""

from __future__ import annotations

from dataclasses import replace

import structlog

from mailraven.imap import GRAMMAR, Received, response
from mailraven.imapd import updates
from mailraven.imapd.errors import SERVER_BUG, outcome_of
from mailraven.imapd.outcome import Outcome, bad
from mailraven.imapd.session import Session
from mailraven.imapd.state import In, NotAuthenticated, Selected, member
from mailraven.imapd.table import COMMANDS, MAY_EXPUNGE, REFRESH
from mailraven.mailstore import Unavailable

_log = structlog.get_logger(component="imapd")

_READING = ("FETCH", "UID FETCH")


def refusal(session: Session, name: str) -> Outcome | None:
    """Why the command cannot be given now; None: it can. Asked before a literal is read, too."""
    command = COMMANDS.get(name)
    if command is None:
        return bad("Unknown command")
    if member(session.state) & command.states:
        return None
    if isinstance(session.state, NotAuthenticated):
        return bad("Log in first")
    if command.states is In.SELECTED:
        return bad("Select a mailbox first")
    return bad("Already logged in")


async def perform(session: Session, received: Received) -> Outcome:
    """Run one command. Never raises: what we do not know is logged and answered NO [SERVERBUG]."""
    refused = refusal(session, received.name)
    if refused is not None:
        return refused
    if isinstance(session.state, Selected) and received.name not in _READING:
        session.state.ahead = None
    try:
        session.tag = received.tag
        arguments = GRAMMAR[received.name](received.lexer())
        return await COMMANDS[received.name].run(session, arguments)
    except ConnectionResetError:  # the client has gone while the command waited for it
        raise
    except Exception as error:  # noqa: BLE001 - the boundary of a command
        return failure(session, received.name, error)


def failure(session: Session, name: str, error: Exception) -> Outcome:
    """The outcome of an exception, from a handler or from a stream that it returned."""
    known = outcome_of(error)
    if known is None:
        _log.error("command failed", session=session.id, command=name, exc_info=error)
        return SERVER_BUG
    if isinstance(error, Unavailable):
        _log.warning("storage is away", session=session.id, command=name, error=str(error))
    return known


def concluded(session: Session, outcome: Outcome) -> Outcome:
    """With what can be said only after the news."""
    state = session.state
    if not outcome.with_modseq or not session.enabled.qresync or not isinstance(state, Selected):
        return outcome
    status = response.ok(outcome.status.text, f"HIGHESTMODSEQ {state.snapshot.modseq}")
    return replace(outcome, status=status)


async def news(session: Session, name: str) -> bytes:
    """What happened to the selected mailbox, as far as this command may tell (RFC 9051 §7.5.1)."""
    reported, session.reported = session.reported, None
    state = session.state
    command = COMMANDS.get(name)
    if not isinstance(state, Selected) or command is None:
        return b""
    if command.effects & REFRESH:
        try:
            await session.services.mailstore.refresh(state.view)
        except Unavailable as error:
            _log.info("no news of the mailbox", session=session.id, error=str(error))
    return updates.collect(state, expunge=bool(command.effects & MAY_EXPUNGE), reported=reported)
