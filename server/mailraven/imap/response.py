"""Status responses and response codes (RFC 9051 §7.1, RFC 5530). Data responses are in data.py and fetch_data.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mailraven.imap import strings
from mailraven.imap.sequence_set import compact


class Condition(StrEnum):
    """resp-cond-state, resp-cond-auth and resp-cond-bye."""

    OK = "OK"
    NO = "NO"
    BAD = "BAD"
    BYE = "BYE"
    PREAUTH = "PREAUTH"


@dataclass(frozen=True, slots=True)
class Status:
    """One status response; `code` goes between the brackets. Both are made harmless when rendered."""

    condition: Condition
    text: str
    code: str = ""

    def tagged(self, tag: str) -> bytes:
        """The end of the command `tag`."""
        return b"%b %b" % (tag.encode("ascii"), self._rest())

    def untagged(self) -> bytes:
        """News, or the end of the connection."""
        return b"* %b" % self._rest()

    def _rest(self) -> bytes:
        text = strings.sanitised(self.text) or b"Done"
        if self.code:
            # resp-text-code = ... atom [SP 1*<any TEXT-CHAR except "]">]
            code = strings.sanitised(self.code, 1_000_000).replace(b"]", b"?")
            return b"%b [%b] %b\r\n" % (self.condition.encode("ascii"), code, text)
        if text.startswith(b"["):
            text = b"(" + text[1:]  # resp-text = ["[" resp-text-code "]" SP] text: never a code by accident
        return b"%b %b\r\n" % (self.condition.encode("ascii"), text)


def ok(text: str, code: str = "") -> Status:
    """Success."""
    return Status(Condition.OK, text, code)


def no(text: str, code: str = "") -> Status:
    """It could not be done."""
    return Status(Condition.NO, text, code)


def bad(text: str, code: str = "") -> Status:
    """It was not understood."""
    return Status(Condition.BAD, text, code)


def bye(text: str, code: str = "") -> Status:
    """The connection ends."""
    return Status(Condition.BYE, text, code)


def preauth(text: str, code: str = "") -> Status:
    """Greeting of a connection that is authenticated already."""
    return Status(Condition.PREAUTH, text, code)


# --- response codes with data -------------------------------------------------


def capability_code(capabilities: Iterable[str]) -> str:
    """CAPABILITY."""
    return " ".join(("CAPABILITY", *capabilities))


def permanentflags_code(names: Iterable[str], *, new_keywords: bool) -> str:
    """PERMANENTFLAGS; `\\*`: keywords may be created by storing them (RFC 9051 §7.1)."""
    names = (*names, "\\*") if new_keywords else names
    return f"PERMANENTFLAGS ({' '.join(names)})"


def appenduid_code(uidvalidity: int, uids: Iterable[int]) -> str:
    """APPENDUID (RFC 4315 §3)."""
    return f"APPENDUID {uidvalidity} {compact(uids)}"


def copyuid_code(uidvalidity: int, source: Iterable[int], target: Iterable[int]) -> str:
    """COPYUID: both ascend, pair by pair (RFC 4315 §3)."""
    return f"COPYUID {uidvalidity} {compact(source)} {compact(target)}"


def badcharset_code(charsets: Iterable[str]) -> str:
    """BADCHARSET with what we do know."""
    return f"BADCHARSET ({' '.join(charsets)})"


# --- continuation ---------------------------------------------------------------


def continuation(text: str = "go on") -> bytes:
    """continue-req: ask for a literal, or for more of a command."""
    return b"+ %b\r\n" % strings.sanitised(text)


def challenge(base64: bytes = b"") -> bytes:
    """continue-req with a SASL challenge in base64, which may be empty (RFC 9051 §6.2.2)."""
    return b"+ %b\r\n" % base64
