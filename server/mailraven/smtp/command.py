"""A command line to its verb and argument (RFC 5321 §2.4, §4.1.1; sizes §4.5.3.1.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mailraven.smtp import replies
from mailraven.smtp.reply import Reply

DEFAULT_LIMIT = 512  # octets with CRLF
MAX_LIMIT = 12288  # RFC 4954 §4: an AUTH line
LIMITS: Mapping[bytes, int] = MappingProxyType(
    {
        # RFC 1870 +26, RFC 6152 +17, RFC 6531 +10, RFC 4954 §5 +500; the rest is room for unknown ones
        b"MAIL": 2048,
        b"RCPT": 2048,
        b"AUTH": MAX_LIMIT,
    }
)
UTF8_VERBS = frozenset({"MAIL", "RCPT", "VRFY", "EXPN"})  # RFC 6531 §3.6, §3.7.4
NOT_SMTP_VERBS = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "HOST:", "USER-AGENT:"})


@dataclass(frozen=True, slots=True)
class Command:
    verb: str
    argument: str


def parse_command(line: bytes) -> Command | Reply:
    """`line` is without its CRLF. A command ends at CRLF only, so a CR or LF inside is an error."""
    verb_octets, _, argument_octets = line.partition(b" ")
    verb_octets = verb_octets.upper()
    if len(line) + 2 > LIMITS.get(verb_octets, DEFAULT_LIMIT):
        return replies.LINE_TOO_LONG
    if b"\n" in line or b"\r" in line or b"\0" in line:
        return replies.LINE_HAS_CONTROLS
    if not verb_octets.isascii():
        return replies.UNKNOWN_COMMAND
    verb = verb_octets.decode("ascii")
    if argument_octets.isascii():
        return Command(verb, argument_octets.decode("ascii").strip(" \t"))
    if verb not in UTF8_VERBS:
        return replies.LINE_NOT_ASCII
    try:
        return Command(verb, argument_octets.decode("utf-8").strip(" \t"))
    except UnicodeDecodeError:
        return replies.LINE_NOT_UTF8
