"""IMAP as bytes <-> values (RFC 3501, RFC 9051): receiver, grammar, responses. No IO, no clock, no logging.

The way of a command: `Receiver.feed` -> `Received` -> `GRAMMAR[name](received.lexer())` -> a frozen dataclass.
"""

from mailraven.imap.errors import BadCharset, SyntaxProblem
from mailraven.imap.grammar import GRAMMAR, Arguments
from mailraven.imap.lexer import Lexer, Literal
from mailraven.imap.limits import BEFORE_LOGIN, Limits
from mailraven.imap.receiver import Invalid, Line, NeedLiteral, NeedMore, Received, Receiver
from mailraven.imap.response import Condition, Status, bad, bye, no, ok
from mailraven.imap.sequence_set import SequenceSet

__all__ = [
    "BEFORE_LOGIN",
    "GRAMMAR",
    "Arguments",
    "BadCharset",
    "Condition",
    "Invalid",
    "Lexer",
    "Limits",
    "Line",
    "Literal",
    "NeedLiteral",
    "NeedMore",
    "Received",
    "Receiver",
    "SequenceSet",
    "Status",
    "SyntaxProblem",
    "bad",
    "bye",
    "no",
    "ok",
]
