"""Sending through the API: limits, recipients and durability as in a submission session (RFC 6409).

202 is said only after the commit: then every local copy, the queue entry and the copy among the sent mail are durable.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

import structlog

from mailraven.adminapi.mail import requests
from mailraven.adminapi.mail.routing import Routes, route
from mailraven.adminapi.mail.special import sent_mailbox
from mailraven.adminapi.mail.submitting import Stamp, Submission
from mailraven.adminapi.problems import ApiProblem
from mailraven.config import Config
from mailraven.db import Connection, Database
from mailraven.directory import Address, Directory
from mailraven.limits import Decision, Gate
from mailraven.mailstore import Delivered, Delivery, LocalTarget, MailboxInfo, Mailstore, NoSuchMailbox
from mailraven.mailstore.flags import SEEN
from mailraven.policy.chain import SUBMISSION_DATA, decide
from mailraven.policy.facts import DataFacts
from mailraven.policy.verdict import Accept
from mailraven.settings import Settings
from mailraven.smtp.received import count_received, rfc5322_date, tcp_info
from mailraven.smtp.submission import header_end
from mailraven.trace import Kind, Recorder, TraceEvent
from mailraven_api.message import Sent, Uploaded

_log = structlog.get_logger(component="adminapi")
_HEADER_WINDOW = (1 << 20) + 4

_SENDER = "SELECT sending_held IS NOT NULL AS held, 'smtp' = ANY(disabled) AS disabled FROM account WHERE id = $1"


class Services(Protocol):
    """What sending stands on."""

    @property
    def config(self) -> Config: ...
    @property
    def database(self) -> Database: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def mailstore(self) -> Mailstore: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def gate(self) -> Gate: ...
    @property
    def trace(self) -> Recorder: ...


@dataclass(frozen=True, slots=True)
class Sender:
    """The account that sends, and where its request came from."""

    account: int
    domain: int
    address: str
    ip: str
    request_id: str

    @property
    def trace_id(self) -> str:
        """In the form of those of SMTP sessions: one transaction."""
        return f"{self.request_id or secrets.token_hex(8)}.1"


def max_message_size(services: Services) -> int:
    """The setting that is in force now."""
    return services.settings.mail.max_message_size or services.config.smtp.max_message_size


def stamp(services: Services) -> Stamp:
    """For one message."""
    unique = secrets.token_hex(16)
    return Stamp(rfc5322_date(datetime.now(UTC)), f"<{unique}@{services.config.hostname}>", unique)


async def remembered(services: Services, key: requests.Key) -> Sent | None:
    """The answer to the same request, if it was sent before. ApiProblem 409, 422."""
    async with services.database.transaction() as connection:
        return await _remembered(connection, key)


async def send(
    services: Services, sender: Sender, submission: Submission, *, save: bool, key: requests.Key | None = None
) -> Sent:
    """Raises ApiProblem: 403, 409, 413, 422 (with `recipients`), 429, 503."""
    trace_id = sender.trace_id
    with_trace = _received(services, sender, trace_id) + submission.raw
    held = await _check(services, sender, submission, len(with_trace))
    address = str(submission.sender)
    routes = await route(
        services.directory,
        address,
        submission.recipients,
        size=len(with_trace),
        max_recipients=services.config.smtp.max_recipients,
    )
    if routes.refused:
        raise _refused(routes)
    decision = await services.gate.message(
        sender.ip, sender.account, sender.domain, address, len(submission.recipients), request_id=sender.request_id
    )
    if not decision.allowed:
        raise _over_limit(decision)
    try:
        delivery = Delivery(
            raw=with_trace,
            recipients=tuple(routes.local.values()),
            remote=tuple(routes.remote.values()),
            return_path=address,
            trace_id=trace_id,
            submitter_account=sender.account,
            smtputf8=_needs_smtputf8(submission, with_trace),
            eight_bit=not with_trace.isascii(),
        )
        sent = await _deliver(services, sender, delivery, submission.bcc, save=save, held=held, key=key)
    except BaseException:
        services.gate.refund(decision)
        raise
    if sent.trace_id != trace_id:  # the same request had been answered meanwhile
        services.gate.refund(decision)
    return sent


async def _check(services: Services, sender: Sender, submission: Submission, size: int) -> bool:
    """Whether mail of the account waits; what speaks against the message as a whole is raised."""
    limit = max_message_size(services)
    if size > limit:
        raise ApiProblem(413, f"The message has {size} octets, {limit} are allowed.")
    most = services.config.smtp.max_recipients
    if len(submission.recipients) > most:
        raise ApiProblem(422, f"The message has more than {most} recipients.")
    header = submission.raw[:_HEADER_WINDOW]
    header = header[: header_end(header)]
    verdict = decide(SUBMISSION_DATA, DataFacts(count_received(header), services.config.smtp.max_hops, len(header)))
    if not isinstance(verdict, Accept):
        raise ApiProblem(422, f"{verdict.reply.text}.")
    async with services.database.acquire() as connection:
        row = await connection.fetchrow(_SENDER, sender.account)
    if row is None or row["disabled"]:
        raise ApiProblem(403, "This account may not send.")
    for one in dict.fromkeys(submission.senders):
        await _check_sender(services.directory, sender.account, one)
    return bool(row["held"])


async def _check_sender(directory: Directory, account: int, address: Address) -> None:
    # RFC 6409 §6.1
    if not await directory.may_send_as(account, str(address)):
        raise ApiProblem(403, f"{address} is not an address of this account.")


async def _deliver(
    services: Services,
    sender: Sender,
    delivery: Delivery,
    bcc: bytes,
    *,
    save: bool,
    held: bool,
    key: requests.Key | None,
) -> Sent:
    for attempt in (1, 2):
        box = await sent_mailbox(services.mailstore, sender.account) if save else None
        try:
            if key is None:
                delivered = await services.mailstore.intake.deliver_together(_deliveries(sender, delivery, bcc, box))
                return _accepted(services, sender, delivery, delivered, box, held=held)
            return await _deliver_once(services, sender, delivery, bcc, box, held=held, key=key)
        except NoSuchMailbox:
            # A mailbox was deleted in this moment, and nothing was stored.
            if attempt == 2:
                raise ApiProblem(503, "A mailbox went away; try again.", headers={"Retry-After": "1"}) from None
    raise AssertionError("unreachable")


async def _deliver_once(
    services: Services,
    sender: Sender,
    delivery: Delivery,
    bcc: bytes,
    box: MailboxInfo | None,
    *,
    held: bool,
    key: requests.Key,
) -> Sent:
    """The message and the memory of its key are one transaction."""
    intake = services.mailstore.intake
    async with services.database.transaction() as connection:
        known = await _remembered(connection, key)
        if known is not None:
            return known
        delivered = [await intake.deliver_on(connection, one) for one in _deliveries(sender, delivery, bcc, box)]
        sent = _answer(delivery, delivered, box, held=held)
        await requests.keep(connection, key, sent.model_dump(mode="json"))
    for one in delivered:
        intake.announce(one)
    return _accepted(services, sender, delivery, delivered, box, held=held)


async def _remembered(connection: Connection, key: requests.Key) -> Sent | None:
    try:
        answer = await requests.remembered(connection, key)
    except requests.InProgress:
        raise ApiProblem(
            409, "A request with this Idempotency-Key is in work; ask again.", headers={"Retry-After": "1"}
        ) from None
    except requests.OtherRequest:
        raise ApiProblem(422, "This Idempotency-Key was used for another request.") from None
    return None if answer is None else Sent.model_validate(answer)


def _deliveries(sender: Sender, delivery: Delivery, bcc: bytes, box: MailboxInfo | None) -> list[Delivery]:
    """The copy among the sent mail shares the octets, unless it says who else got it."""
    if box is None:
        return [delivery]
    copy = LocalTarget(sender.account, sender.address, b"", box.name, SEEN, box.id)
    if not bcc:
        return [replace(delivery, recipients=(*delivery.recipients, copy))]
    own = Delivery(raw=bcc + delivery.raw, recipients=(copy,), trace_id=delivery.trace_id)
    return [delivery, own]


def _answer(delivery: Delivery, delivered: list[Delivered], box: MailboxInfo | None, *, held: bool) -> Sent:
    # The copy is the last target; one that is missing was for a mailbox deleted in this moment.
    saved = None
    if box is not None and (rows := delivered[-1].uids) and rows[-1][1] == box.id:
        saved = Uploaded(mailbox_id=box.id, uidvalidity=box.uidvalidity, uid=rows[-1][2])
    return Sent(
        trace_id=delivery.trace_id,
        message_id=delivered[0].message_id,
        queue_id=delivered[0].queue_id,
        local=len(delivery.recipients),
        remote=len(delivery.remote),
        held=held and bool(delivery.remote),
        saved=saved,
    )


def _accepted(
    services: Services,
    sender: Sender,
    delivery: Delivery,
    delivered: list[Delivered],
    box: MailboxInfo | None,
    *,
    held: bool,
) -> Sent:
    sent = _answer(delivery, delivered, box, held=held)
    services.gate.submitted(sender.account, [one.address for one in delivery.remote])
    uids = {account: uid for account, mailbox, uid in delivered[0].uids if box is None or mailbox != box.id}

    def record(kind: Kind, account: int, recipient: str, detail: str) -> None:
        services.trace.record(
            TraceEvent(
                kind=kind,
                trace_id=sent.trace_id,
                account=account,
                message_id=sent.message_id,
                sender=delivery.return_path,
                recipient=recipient,
                peer=sender.ip,
                detail=detail,
            )
        )

    for one in delivery.recipients:
        if one.account in uids:
            record(Kind.DELIVERED, one.account, one.address, f"{one.mailbox}, UID {uids[one.account]}")
    for remote in delivery.remote:
        record(Kind.QUEUED, sender.account, remote.address, f"queue id {sent.queue_id}")
    _log.info(
        "message accepted",
        request_id=sender.request_id,
        trace_id=sent.trace_id,
        role="admin",
        sender=delivery.return_path,
        local=sent.local,
        remote=sent.remote,
        size=len(delivery.raw),
        queue_id=sent.queue_id,
    )
    return sent


def _received(services: Services, sender: Sender, trace_id: str) -> bytes:
    # RFC 5321 §4.4: a gateway from another environment says which protocol it was.
    now = rfc5322_date(datetime.now(UTC))
    source = tcp_info(sender.ip) if sender.ip else "unknown"
    return f"Received: from {source}\r\n\tby {services.config.hostname} with HTTP id {trace_id}; {now}\r\n".encode()


def _needs_smtputf8(submission: Submission, raw: bytes) -> bool:
    addresses = (submission.sender, *submission.recipients)
    header = raw[:_HEADER_WINDOW]
    return not (all(str(one).isascii() for one in addresses) and header[: header_end(header)].isascii())


def _refused(routes: Routes) -> ApiProblem:
    named = ", ".join(one.recipient for one in routes.refused[:10])
    return ApiProblem(
        422,
        f"Nothing was sent: the message cannot be accepted for {named}.",
        recipients=[one.model_dump() for one in routes.refused],
    )


def _over_limit(decision: Decision) -> ApiProblem:
    seconds = str(max(1, round(decision.reset_seconds)))
    return ApiProblem(429, f"{decision.text}.", headers={"Retry-After": seconds})
