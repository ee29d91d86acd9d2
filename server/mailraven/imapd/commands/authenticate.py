"""AUTHENTICATE (RFC 9051 §6.2.2), with an initial response (RFC 4959); SASL itself is in mailraven.sasl."""

from __future__ import annotations

from mailraven import sasl
from mailraven.imap.commands.authenticate import Authenticate, parse_response
from mailraven.imapd.capability import SASL_MECHANISMS
from mailraven.imapd.outcome import Outcome, bad, no
from mailraven.imapd.session import Session
from mailraven.imapd.sign_in import NOT_IN_THE_CLEAR, sign_in


async def run(session: Session, arguments: Authenticate) -> Outcome:
    """Run the exchange to its end."""
    exchange = sasl.start(arguments.mechanism) if arguments.mechanism in SASL_MECHANISMS else None
    if exchange is None:
        return no("Unknown mechanism", "CANNOT")
    if not session.may_send_password:
        return NOT_IN_THE_CLEAR
    step = exchange.step(arguments.initial)
    while isinstance(step, sasl.Challenge):
        answer = parse_response(await session.ask(sasl.encode_challenge(step.data)))
        if answer is None:
            return bad("Authentication cancelled")
        step = exchange.step(answer)
    if isinstance(step, sasl.Malformed):
        return bad(step.why[:1].upper() + step.why[1:])
    if not step.acts_for_itself:
        return no("Nobody may act for another user here", "AUTHORIZATIONFAILED")
    return await sign_in(session, step.login, step.password, arguments.mechanism)
