"""Messages as a list shows them: from rows of the mailstore, with previews from the first octets of the bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC

from mailraven.adminapi.mail import flags, wire
from mailraven.mailstore import Listed, Listing, Mailstore
from mailraven.message import preview
from mailraven_api.message import MessageSummary

PREVIEW_OCTETS = 16 << 10
"""Of the message, header included: a preview comes from the start of the first text."""
_AT_A_TIME = 20  # previews between two looks at what else is to be done


async def summarize(mailstore: Mailstore, listing: Listing, *, previews: bool) -> list[MessageSummary]:
    """In the order of the listing."""
    texts: list[str | None] = [None] * len(listing.messages)
    if previews:
        texts = list(await _previews(mailstore, listing.messages))
    summaries = []
    for number, (listed, text) in enumerate(zip(listing.messages, texts, strict=True), 1):
        summaries.append(_summary(listed, listing.keywords, text))
        if number % _AT_A_TIME == 0:
            await asyncio.sleep(0)
    return summaries


async def _previews(mailstore: Mailstore, messages: Sequence[Listed]) -> list[str]:
    heads = await mailstore.read_heads([listed.items.body for listed in messages], PREVIEW_OCTETS)
    texts = []
    for number, head in enumerate(heads, 1):
        texts.append(wire.clean(preview(head)))
        if number % _AT_A_TIME == 0:
            await asyncio.sleep(0)
    return texts


def _summary(listed: Listed, keywords: Sequence[str], text: str | None) -> MessageSummary:
    items = listed.items
    envelope = wire.envelope(items.envelope)
    set_flags, set_keywords = flags.names(keywords, listed.flags)
    return MessageSummary.model_construct(
        uid=items.uid,
        flags=set_flags,
        keywords=set_keywords,
        modseq=listed.modseq,
        size=items.size,
        internal_date=items.internal_date.astimezone(UTC),
        date=envelope.date,
        subject=envelope.subject,
        from_=envelope.from_,
        to=envelope.to,
        cc=envelope.cc,
        message_id=wire.clean(listed.message_id),
        in_reply_to=envelope.in_reply_to,
        preview=text,
        has_attachments=wire.has_attachment(items.bodystructure),
    )
