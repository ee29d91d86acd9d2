"""Messages in mailboxes, and messages to be sent (RFC 5322, RFC 9051 §2.3)."""

import re
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from mailraven_api.model import Model

Uid = Annotated[int, Field(ge=1, le=4_294_967_295)]
Uids = Annotated[tuple[Uid, ...], Field(min_length=1, max_length=10_000)]
ModSeq = Annotated[int, Field(ge=0, lt=2**63)]
_KEYWORD = re.compile(
    r"\\(?:seen|answered|flagged|deleted|draft)|[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]{1,100}", re.IGNORECASE | re.ASCII
)
# Control characters and the separators of lines and paragraphs: none of them gets into a header.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_UNSAFE_TEXT = re.compile(r"[\x00\ud800-\udfff]")


def _flag(name: str) -> str:
    if not _KEYWORD.fullmatch(name):
        raise ValueError("a flag is \\Seen, \\Answered, \\Flagged, \\Deleted, \\Draft or a keyword: an IMAP atom")
    return name


def _header_text(text: str) -> str:
    if _UNSAFE.search(text):
        raise ValueError("control characters and line ends cannot be in a header field")
    return text


def _body_text(text: str) -> str:
    if _UNSAFE_TEXT.search(text):
        raise ValueError("a text cannot hold NUL or half a surrogate pair")
    return text


FlagName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_flag)]
Flags = Annotated[tuple[FlagName, ...], Field(max_length=64)]
HeaderText = Annotated[str, AfterValidator(_header_text)]
BodyText = Annotated[str, AfterValidator(_body_text)]


class MailAddress(Model):
    """A mailbox in a header field."""

    name: str
    """Display name, decoded; may be empty."""
    address: str
    """As it stands in the message: it need not be one that works."""


class MessageSummary(Model):
    """A message as a list shows it. What the sender wrote is decoded, and to be shown as text only."""

    model_config = ConfigDict(populate_by_name=True)

    uid: int
    """Names it within its mailbox for ever."""
    flags: tuple[str, ...]
    keywords: tuple[str, ...]
    modseq: int
    """Rises with each change of its flags (RFC 7162); for unchanged_since."""
    size: int
    """Octets."""
    internal_date: datetime
    """When it came."""
    date: str
    """The field Date as the sender wrote it."""
    subject: str
    from_: tuple[MailAddress, ...] = Field(alias="from")
    to: tuple[MailAddress, ...]
    """The first of them."""
    cc: tuple[MailAddress, ...]
    """The first of them."""
    message_id: str
    in_reply_to: str
    preview: str | None
    """The start of its text (RFC 8970); null: not asked for."""
    has_attachments: bool
    """A part is marked as an attachment."""


class MessagePage(Model):
    """Messages of one mailbox."""

    items: tuple[MessageSummary, ...]
    next: str | None
    """Give this as `cursor` for the next page; null: there is none."""
    uidvalidity: int
    highestmodseq: int


class HeaderField(Model):
    """A field of the header, decoded (RFC 2047)."""

    name: str
    value: str


class MessageText(Model):
    """A text part, decoded. Data from a stranger: never to be rendered as it is."""

    section: str
    text: str
    truncated: bool
    """There is more; the whole is under …/parts/{section}."""
    untrusted: bool = True
    """HTML may hold scripts, forms and trackers."""


class MessagePart(Model):
    """A leaf of the MIME tree."""

    section: str
    """Its number, as in IMAP (RFC 9051 §6.4.5.1)."""
    type: str
    """Media type as declared, lower case."""
    charset: str | None
    name: str | None
    """File name, made safe."""
    disposition: str | None
    content_id: str | None
    encoding: str
    size: int
    """Octets as they are in the message, encoded."""


class Message(Model):
    """A message, read as far as reason goes: what is left out, `truncated` tells."""

    model_config = ConfigDict(populate_by_name=True)

    uid: int
    uidvalidity: int
    mailbox_id: int
    flags: tuple[str, ...]
    keywords: tuple[str, ...]
    modseq: int
    size: int
    internal_date: datetime
    subject: str
    from_: tuple[MailAddress, ...] = Field(alias="from")
    sender: tuple[MailAddress, ...]
    reply_to: tuple[MailAddress, ...]
    to: tuple[MailAddress, ...]
    cc: tuple[MailAddress, ...]
    bcc: tuple[MailAddress, ...]
    date: str
    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    headers: tuple[HeaderField, ...]
    text: tuple[MessageText, ...]
    """Parts of type text/plain that are no attachments."""
    html: tuple[MessageText, ...]
    """Parts of type text/html that are no attachments, as they are: nothing is taken out."""
    parts: tuple[MessagePart, ...]
    truncated: bool
    """It has more fields, addresses or parts than are listed."""


class Uploaded(Model):
    """Where an uploaded message is."""

    mailbox_id: int
    uidvalidity: int
    uid: int


class FlagChange(Model):
    """Change of flags: either `replace`, or `add` and `remove`."""

    add: Flags = ()
    remove: Flags = ()
    replace: Flags | None = None
    """Exactly these flags and keywords."""
    unchanged_since: ModSeq | None = None
    """Only messages whose modseq is not higher (RFC 7162 §3.1.3); the others are conflicts."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.replace is not None and (self.add or self.remove):
            raise ValueError("replace goes without add and remove")
        if self.replace is None and not self.add and not self.remove:
            raise ValueError("say what to add, remove or replace")
        both = {name.lower() for name in self.add} & {name.lower() for name in self.remove}
        if both:
            raise ValueError("a flag cannot be added and removed")
        return self


class FlagChanges(FlagChange):
    """The same for several messages, in one transaction."""

    uids: Uids


class MessageFlags(Model):
    """What a message has now."""

    uid: int
    flags: tuple[str, ...]
    keywords: tuple[str, ...]
    modseq: int


class FlagsChanged(Model):
    """Result of a change of flags."""

    uidvalidity: int
    items: tuple[MessageFlags, ...]
    """The messages that are there, as they are now."""
    conflicts: tuple[int, ...]
    """Not changed, for unchanged_since."""
    missing: tuple[int, ...]
    """There is no such message."""


class Transfer(Model):
    """POST …/messages/copy and …/move: all or nothing."""

    uids: Uids
    mailbox_id: Annotated[int, Field(ge=1, lt=2**63)]
    """The mailbox they go to."""


class Transferred(Model):
    """A message under its old and its new UID."""

    uid: int
    new_uid: int


class Transfers(Model):
    """Result of a copy or move."""

    mailbox_id: int
    uidvalidity: int
    """Of the mailbox they went to."""
    items: tuple[Transferred, ...]
    missing: tuple[int, ...]
    """There is no such message."""


class Deletion(Model):
    """POST …/messages/delete: to Trash, or for good."""

    uids: Uids
    permanently: bool = False


class Deleted(Model):
    """Result of a deletion."""

    removed: tuple[int, ...]
    """UIDs that are gone from this mailbox."""
    moved: Transfers | None
    """Where they are now; null: nowhere."""
    missing: tuple[int, ...]


class Correspondent(Model):
    """Somebody in a message to be sent; an address alone will do: "a@example.org"."""

    address: Annotated[HeaderText, Field(min_length=3, max_length=320)]
    name: Annotated[HeaderText, Field(max_length=200)] = ""

    @model_validator(mode="before")
    @classmethod
    def _accept_address(cls, value: Any) -> Any:
        return {"address": value} if isinstance(value, str) else value


Correspondents = Annotated[tuple[Correspondent, ...], Field(max_length=10_000)]
MessageId = Annotated[str, Field(pattern=r"^<[!-;=?-~]{1,990}>$")]


class Attachment(Model):
    """A file that goes with a message."""

    name: Annotated[HeaderText, Field(min_length=1, max_length=200)]
    type: Annotated[
        str, Field(max_length=127, pattern=r"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$")
    ] = "application/octet-stream"
    content: str
    """In base64 (RFC 4648 §4)."""
    content_id: (
        Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+$", max_length=250)] | None
    ) = None
    """Shown inside the HTML as cid:…, not listed as a file."""


class Send(Model):
    """POST …/send. What is not a message in itself, is made one: Date and Message-ID are added."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Correspondent = Field(alias="from")
    """One of the account's addresses."""
    to: Correspondents = ()
    cc: Correspondents = ()
    bcc: Correspondents = ()
    """They get it, and no field of the message tells."""
    reply_to: Correspondents = ()
    subject: Annotated[HeaderText, Field(max_length=2000)] = ""
    text: BodyText = ""
    html: BodyText | None = None
    """With `text` beside it as the alternative for who cannot show HTML."""
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=100)] = ()
    in_reply_to: MessageId | None = None
    references: Annotated[tuple[MessageId, ...], Field(max_length=100)] = ()
    save_to_sent: bool = True
    """Keep a copy in the mailbox that is for sent mail."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.to or self.cc or self.bcc):
            raise ValueError("a message needs a recipient")
        return self


class Sent(Model):
    """A message that was accepted: it is durable, and delivered or on its way."""

    trace_id: str
    """Follows it through the log and the trace."""
    message_id: str
    queue_id: int | None
    """In the outbound queue; null: all recipients are here."""
    local: int
    """Mailboxes here that have it now."""
    remote: int
    """Recipients elsewhere."""
    held: bool
    """What goes elsewhere waits: sending is held for this account."""
    saved: Uploaded | None
    """The copy among the sent mail."""


class RefusedRecipient(Model):
    """Why a message was not taken for one recipient."""

    recipient: str
    status: str
    """Enhanced status code (RFC 3463)."""
    detail: str
