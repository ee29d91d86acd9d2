"""Untagged data responses but FETCH (RFC 9051 §7.2-7.4): complete lines, ready to be sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mailraven.imap import strings
from mailraven.imap.mailbox_name import DELIMITER, encode_utf7
from mailraven.imap.sequence_set import compact


def capability(capabilities: Iterable[str]) -> bytes:
    """CAPABILITY."""
    return b"* CAPABILITY %b\r\n" % " ".join(capabilities).encode("ascii")


def enabled(capabilities: Iterable[str]) -> bytes:
    """ENABLED (RFC 5161 §3.2), also with nothing in it."""
    return " ".join(("* ENABLED", *capabilities)).encode("ascii") + b"\r\n"


def flags(names: Iterable[str]) -> bytes:
    """FLAGS."""
    return b"* FLAGS (%b)\r\n" % " ".join(names).encode("ascii")


def exists(count: int) -> bytes:
    """EXISTS."""
    return b"* %d EXISTS\r\n" % count


def recent(count: int) -> bytes:
    """RECENT (RFC 3501 §7.3.2)."""
    return b"* %d RECENT\r\n" % count


def expunge(sequence_numbers: Iterable[int]) -> bytes:
    """EXPUNGE for each, in this order: each number counts after the ones before it."""
    return b"".join([b"* %d EXPUNGE\r\n" % number for number in sequence_numbers])


def vanished(uids: Iterable[int], *, earlier: bool = False) -> bytes:
    """VANISHED of ascending UIDs (RFC 7162 §3.2.10); nothing for none. `earlier`: before this SELECT or FETCH."""
    names = compact(uids)
    if not names:
        return b""
    return b"* VANISHED %b%b\r\n" % (b"(EARLIER) " if earlier else b"", names.encode("ascii"))


def esearch(tag: str, items: Iterable[tuple[str, int | str]], *, uid: bool) -> bytes:
    """ESEARCH (RFC 9051 §7.3.4): its items in order; `uid`: they are UIDs."""
    parts = ["* ESEARCH", f'(TAG "{tag}")', *(["UID"] if uid else []), *(f"{name} {value}" for name, value in items)]
    return " ".join(parts).encode("ascii") + b"\r\n"


def search(numbers: Sequence[int], modseq: int | None = None) -> bytes:
    """SEARCH; with MODSEQ if that was a criterion (RFC 7162 §3.1.5)."""
    line = " ".join(("* SEARCH", *map(str, numbers)))
    if modseq is not None and numbers:
        line += f" (MODSEQ {modseq})"
    return line.encode("ascii") + b"\r\n"


def status(mailbox: str, items: Mapping[str, int | str], *, utf8: bool = False) -> bytes:
    """STATUS; an item's value is a number, or a token as it is (MAILBOXID)."""
    pairs = " ".join(f"{name} {value}" for name, value in items.items())
    return b"* STATUS %b (%b)\r\n" % (strings.mailbox(mailbox, utf8=utf8), pairs.encode("ascii"))


def list_entry(
    mailbox: str,
    attributes: Iterable[str] = (),
    *,
    kind: str = "LIST",
    utf8: bool = False,
    child_info: Sequence[str] = (),
) -> bytes:
    """LIST or LSUB for one mailbox. `child_info`: CHILDINFO selection options (RFC 5258 §3.5)."""
    line = b'* %b (%b) "%b" %b' % (
        kind.encode("ascii"),
        " ".join(attributes).encode("ascii"),
        DELIMITER.encode("ascii"),
        strings.mailbox(mailbox, utf8=utf8),
    )
    if child_info:
        options = b" ".join(strings.quoted(option.encode("ascii")) for option in child_info)
        line += b' ("CHILDINFO" (%b))' % options
    return line + b"\r\n"


def list_root(*, kind: str = "LIST") -> bytes:
    """The answer to an empty pattern: delimiter and root (RFC 9051 §6.3.9)."""
    return b'* %b (\\Noselect) "%b" ""\r\n' % (kind.encode("ascii"), DELIMITER.encode("ascii"))


def quota(root: bytes, resources: Mapping[str, tuple[int, int]]) -> bytes:
    """QUOTA: usage and limit by resource (RFC 9208 §4.2.1); none: nothing is limited."""
    triplets = " ".join(f"{name} {used} {limit}" for name, (used, limit) in resources.items())
    return b"* QUOTA %b (%b)\r\n" % (strings.string(root), triplets.encode("ascii"))


def quota_root(mailbox: str, root: bytes, *, utf8: bool = False) -> bytes:
    """QUOTAROOT (RFC 9208 §4.2.2)."""
    return b"* QUOTAROOT %b %b\r\n" % (strings.mailbox(mailbox, utf8=utf8), strings.string(root))


def namespace(personal: Sequence[str] = ("",), other: Sequence[str] = (), shared: Sequence[str] = ()) -> bytes:
    """NAMESPACE: prefixes of each kind; none is NIL (RFC 2342 §5)."""
    return b"* NAMESPACE %b %b %b\r\n" % (_namespaces(personal), _namespaces(other), _namespaces(shared))


def identification(parameters: Mapping[str, str | None] | None) -> bytes:
    """ID (RFC 2971 §3.2)."""
    if not parameters:
        return b"* ID NIL\r\n"
    pairs: list[bytes] = []
    for field, value in parameters.items():
        pairs.append(strings.string(field.encode("utf-8")))
        pairs.append(strings.nstring(None if value is None else value.encode("utf-8")))
    return b"* ID (%b)\r\n" % b" ".join(pairs)


def _namespaces(prefixes: Sequence[str]) -> bytes:
    if not prefixes:
        return strings.NIL
    return b"(%b)" % b"".join(
        b'(%b "%b")' % (strings.quoted(encode_utf7(prefix)), DELIMITER.encode("ascii")) for prefix in prefixes
    )
