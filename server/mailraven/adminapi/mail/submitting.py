"""What is to be sent, made of a request: who sends, to whom, and the octets (RFC 6409 §8, RFC 5322 §3.6). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailraven.adminapi.mail.composing import BadAttachment, compose
from mailraven.adminapi.problems import ApiProblem
from mailraven.directory import Address, AddressError, parse_address
from mailraven.directory.address import make_address
from mailraven.message import parse
from mailraven.message.address import read_addresses
from mailraven.smtp.submission import complete_header
from mailraven_api.message import Correspondent, Send

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is made anew for each message."""

    date: str
    message_id: str
    """With its angle brackets."""
    unique: str
    """In boundaries."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A message with its envelope; `senders` are all who must be the account's. `bcc` stands in its own copy only."""

    sender: Address
    senders: tuple[Address, ...]
    recipients: tuple[Address, ...]
    raw: bytes
    bcc: bytes = b""


def of_json(message: Send, stamp: Stamp) -> Submission:
    """Raises ApiProblem 422 with a pointer to what is wrong."""
    sender = _address(message.from_.address, "/from/address")
    lists = {name: _addresses(getattr(message, name), name) for name in ("to", "cc", "bcc", "reply_to")}
    normal = {name: _named(found, getattr(message, name)) for name, found in lists.items()}
    author = Correspondent(address=str(sender), name=message.from_.name)
    message = message.model_copy(update={"from_": author, **normal})
    try:
        composed = compose(message, date=stamp.date, message_id=stamp.message_id, boundary=f"=_{stamp.unique}")
    except BadAttachment as error:
        raise ApiProblem(422, f"Not valid: {error}", errors=[("/attachments", str(error))]) from None
    recipients = dict.fromkeys((*lists["to"], *lists["cc"], *lists["bcc"]))
    return Submission(sender, (sender,), tuple(recipients), composed.raw, composed.bcc)


def of_raw(raw: bytes, stamp: Stamp, explicit: Sequence[str], max_recipients: int) -> Submission:
    """`explicit`: the recipients, where the header does not say them. Raises ApiProblem 422."""
    raw = canonical(raw)
    fields = parse(raw).fields
    senders = _people(fields.get(b"from"), "From", 20)
    if not senders:
        raise ApiProblem(422, "The message has no From field with an address.")
    declared = _people(fields.get(b"sender"), "Sender", 2)
    if len(senders) > 1 and not declared:  # RFC 5322 §3.6.2
        raise ApiProblem(422, "A message with several addresses in From needs a Sender field.")
    if explicit:
        recipients = [_address(text, "/recipient") for text in explicit]
    else:
        names = {b"to": "To", b"cc": "Cc", b"bcc": "Bcc"}
        recipients = [
            one for name, shown in names.items() for one in _people(fields.get(name), shown, max_recipients + 1)
        ]
    if not recipients:
        raise ApiProblem(422, "The message has no recipient.")
    completed = complete_header(raw, date=stamp.date, message_id=stamp.message_id.strip("<>"))
    bcc = b""
    if given := fields.get(b"bcc"):
        bcc = b"Bcc: " + given + b"\r\n" if len(given) <= 900 else b""
    return Submission((declared or senders)[0], (*senders, *declared), tuple(dict.fromkeys(recipients)), completed, bcc)


def canonical(raw: bytes) -> bytes:
    """A message with CRLF at each line's end; as it is where it has nothing else. Raises ApiProblem 422."""
    if not raw.strip():
        raise ApiProblem(422, "The message is empty.")
    if b"\0" in raw:
        raise ApiProblem(422, "A message cannot hold NUL octets.")
    return _LINE_END.sub(b"\r\n", raw) if _BARE.search(raw) else raw


def _named(addresses: Sequence[Address], people: Sequence[Correspondent]) -> tuple[Correspondent, ...]:
    return tuple(
        Correspondent(address=str(address), name=one.name) for address, one in zip(addresses, people, strict=True)
    )


def _addresses(people: Sequence[Correspondent], name: str) -> tuple[Address, ...]:
    return tuple(_address(one.address, f"/{name}/{number}/address") for number, one in enumerate(people))


def _address(text: str, pointer: str) -> Address:
    try:
        return parse_address(text)
    except AddressError as error:
        raise ApiProblem(422, f"Not valid: {pointer}: {error}", errors=[(pointer, str(error))]) from None


def _people(value: bytes | None, shown: str, limit: int) -> list[Address]:
    found = []
    for one in read_addresses(value, limit) if value else ():
        if one.localpart is None or one.domain is None:
            continue  # the name of a group
        try:
            found.append(make_address(one.localpart.decode("utf-8", "replace"), one.domain.decode("utf-8", "replace")))
        except AddressError as error:
            raise ApiProblem(422, f"An address in the field {shown} is not valid: {error}.") from None
    return found
