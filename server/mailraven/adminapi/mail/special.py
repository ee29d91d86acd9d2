"""The mailboxes that have a purpose (RFC 6154): found, or made when they are needed."""

from __future__ import annotations

from mailraven.mailstore import MailboxExists, MailboxInfo, Mailstore

_MAX_TRIES = 20


async def sent_mailbox(mailstore: Mailstore, account: int) -> MailboxInfo:
    """Where copies of sent mail go."""
    return await _special(mailstore, account, "\\Sent", "Sent")


async def trash(mailstore: Mailstore, account: int) -> MailboxInfo:
    """Where deleted mail goes."""
    return await _special(mailstore, account, "\\Trash", "Trash")


async def _special(mailstore: Mailstore, account: int, use: str, name: str) -> MailboxInfo:
    """The one with this use, else the one with the usual name, else a new one."""
    for number in range(1, _MAX_TRIES):
        boxes = await mailstore.list_mailboxes(account)
        found = next((box for box in boxes if box.special_use == use), None)
        found = found or next((box for box in boxes if box.name == name and box.special_use is None), None)
        if found is not None:
            return found
        try:
            wanted = name if number == 1 else f"{name} {number}"  # the name may be that of another purpose
            made = await mailstore.create(account, wanted, use)
        except MailboxExists:
            continue
        await mailstore.subscribe(account, made.name)
        return made
    raise MailboxExists(f"no mailbox for {use} can be made")
