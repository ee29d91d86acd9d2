"""Mailboxes and messages: UIDs, MODSEQ, flags, bodies, search. Nothing here knows a wire format."""

from mailraven.mailstore.errors import (
    HasChildren,
    InvalidName,
    MailboxExists,
    MailstoreError,
    NoSuchMailbox,
    OverQuota,
    TooManyKeywords,
    TooManyMailboxes,
    Unavailable,
)
from mailraven.mailstore.intake import Intake
from mailraven.mailstore.model import (
    Appended,
    BodyRef,
    Copied,
    Delivered,
    Delivery,
    FlagRow,
    Items,
    Listed,
    LocalTarget,
    MailboxInfo,
    Stored,
    Upload,
)
from mailraven.mailstore.paging import FlagListing, Listing, Wanted
from mailraven.mailstore.store import Mailstore
from mailraven.mailstore.view import Delta, MailboxView, Snapshot
from mailraven.queue import RemoteRecipient

__all__ = [
    "Appended",
    "BodyRef",
    "Copied",
    "Delivered",
    "Delivery",
    "Delta",
    "FlagListing",
    "FlagRow",
    "HasChildren",
    "Intake",
    "InvalidName",
    "Items",
    "Listed",
    "Listing",
    "LocalTarget",
    "MailboxExists",
    "MailboxInfo",
    "MailboxView",
    "Mailstore",
    "MailstoreError",
    "NoSuchMailbox",
    "OverQuota",
    "RemoteRecipient",
    "Snapshot",
    "Stored",
    "TooManyKeywords",
    "TooManyMailboxes",
    "Unavailable",
    "Upload",
    "Wanted",
]
