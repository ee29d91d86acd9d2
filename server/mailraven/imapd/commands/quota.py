"""GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208 §4.1): one quota root, "", for all mailboxes of an account."""

from __future__ import annotations

from mailraven.imap import data
from mailraven.imap.commands.quota import GetQuota, GetQuotaRoot, SetQuota
from mailraven.imapd.outcome import Outcome, no, ok
from mailraven.imapd.session import Session

_ROOT = b""
_UNIT = 1024  # RFC 9208 §5.1: STORAGE counts units of 1,024 octets


async def run(session: Session, arguments: GetQuota) -> Outcome:
    """What is used, and how much may be."""
    if arguments.root != _ROOT:
        return no("There is no such quota root", "NONEXISTENT")
    return ok("GETQUOTA completed", untagged=await _quota(session))


async def run_root(session: Session, arguments: GetQuotaRoot) -> Outcome:
    """The root of a mailbox, and its quota."""
    info = await session.services.mailstore.mailbox(session.account, arguments.mailbox)
    return ok("GETQUOTAROOT completed", untagged=data.quota_root(info.name, _ROOT) + await _quota(session))


async def run_set(_session: Session, _: SetQuota) -> Outcome:
    """Quotas are set by an administrator, not here."""
    return no("A quota is set by an administrator", "NOPERM")


async def _quota(session: Session) -> bytes:
    used, limit = await session.services.mailstore.usage(session.account)
    resources = {} if limit is None else {"STORAGE": (-(-used // _UNIT), limit // _UNIT)}
    return data.quota(_ROOT, resources)
