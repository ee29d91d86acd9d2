"""Look-ups of the phases into facts for mailraven.policy; raises what the directory raises."""

from dataclasses import replace
from functools import partial

from mailraven.directory import Directory, Resolution, Targets, parse_address
from mailraven.directory.recipients import delivered_names, destination_of, room_of
from mailraven.limits import Gate
from mailraven.policy.data import MAX_SUBMITTED_HEADER
from mailraven.policy.facts import BannedFor, ConnectFacts, DataFacts, EnvelopeFacts, MailFacts, RcptFacts
from mailraven.queue import RemoteRecipient
from mailraven.smtp import transaction
from mailraven.smtp.envelope import Mail, Rcpt
from mailraven.smtp.parameters import MailParameters
from mailraven.smtp.received import count_received
from mailraven.smtp.submission import header_end
from mailraven.smtpd.services import Role, Services
from mailraven.smtpd.session import LocalRecipient, Session


async def connect_facts(gate: Gate | None, facts: ConnectFacts, ip: str, request_id: str) -> ConnectFacts:
    """Completes what the server knows of itself; who is refused anyway is not counted."""
    if gate is None or facts.draining or facts.crowded or facts.open_connections >= facts.max_connections:
        return facts
    decision = await gate.connection(ip, "smtp", request_id=request_id)
    if decision.allowed:
        return facts
    if decision.ban is not None:
        return replace(facts, banned=BannedFor.GOOD if decision.ban.until is None else BannedFor.A_TIME)
    return replace(facts, over_limit=decision.text)


async def mail_facts(services: Services, session: Session, command: Mail) -> MailFacts:
    sender, identity = command.sender, session.identity
    owned = False
    if identity is not None:
        # The null sender is everybody's, disposition notifications need it (RFC 8098 §2.1): then the
        # question is only whether the account still is what it was at login.
        address = identity.address if sender.is_null else sender.address
        owned = await services.directory.may_send_as(identity.account_id, address)
    return MailFacts(
        authenticated=identity is not None,
        sender_owned=owned,
        size=command.parameters.size,
        max_size=services.max_message_size,
    )


def rcpt_facts(
    services: Services, session: Session, command: Rcpt, parameters: MailParameters, found: Resolution
) -> RcptFacts:
    return RcptFacts(
        destination=destination_of(found),
        literal=command.recipient.is_literal,
        postmaster=command.recipient.is_postmaster,
        room=room_of(found),
        size=parameters.size,
        recipients=_count(session),
        max_recipients=services.limits.max_recipients,
    )


def is_full(services: Services, session: Session) -> bool:
    """Whether the transaction has as many recipients as it may: known before anything is looked up."""
    return _count(session) >= services.limits.max_recipients


async def envelope_facts(services: Services, session: Session, envelope: transaction.Data) -> EnvelopeFacts:
    """Charges the message on the limits that hold for it; the session gives it back unless it is accepted."""
    gate, identity = services.gate, session.identity
    if gate is None:
        return EnvelopeFacts("")
    account, domain = (None, None) if identity is None else (identity.account_id, identity.domain_id)
    decision = await gate.message(
        session.peer_ip,
        account if services.role is Role.SUBMISSION else None,
        domain,
        envelope.mail.sender.address,
        len(envelope.recipients),
        request_id=session.id,
    )
    if not decision.allowed:
        return EnvelopeFacts(decision.text)
    session.unbook = partial(gate.refund, decision)
    return EnvelopeFacts("")


def data_facts(services: Services, message: bytes) -> DataFacts:
    # As far as a header may go: a message without an empty line must not be searched to its end.
    window = message[: MAX_SUBMITTED_HEADER + 4]
    header = window[: header_end(window)]
    hops = count_received(header)
    return DataFacts(hops=hops, max_hops=services.limits.max_hops, header_octets=len(header))


async def add_targets(directory: Directory, session: Session, command: Rcpt, found: Resolution) -> None:
    """Puts what a recipient that was accepted leads to into the transaction."""
    targets, given = session.targets, command.recipient.address
    if not isinstance(found, Targets):
        remote = remote_recipient(given)
        targets.remote.setdefault(remote.address, remote)
        return
    remotes = [remote_recipient(address) for address in found.remote]
    if not found.accounts and session.identity is None and targets.owner is None:
        # What an account forwards without a copy is its own; an alias has no account.
        targets.owner = found.owners[0] if found.owners else await _postmaster_of(directory, command)
    for account, shown in delivered_names(found, given if command.recipient.domain else ""):
        targets.local.setdefault(account, LocalRecipient(account, shown))
    for remote in remotes:
        targets.remote.setdefault(remote.address, remote)


def remote_recipient(address: str) -> RemoteRecipient:
    """Raises AddressError for a domain that IDNA refuses."""
    return RemoteRecipient(address, parse_address(address).domain)


async def _postmaster_of(directory: Directory, command: Rcpt) -> int | None:
    """An alias that only leads elsewhere has no account; the queue entry is its domain's postmaster's."""
    domain = command.recipient.domain
    for address in (f"postmaster@{domain}" if domain else "postmaster", "postmaster"):
        found = await directory.resolve(address)
        if isinstance(found, Targets) and (ids := (*found.owners, *(one.account_id for one in found.accounts))):
            return ids[0]
    return None


def _count(session: Session) -> int:
    recipients = getattr(session.state, "recipients", ())
    return len(recipients)
