"""Whether what is published does what it should. Pure: the texts of records in, a judgement out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mailraven.dns.records import Record

State = Literal["ok", "missing", "differs", "error"]
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Judgement:
    """`detail` says what is wrong, or what else is worth knowing."""

    state: State
    detail: str = ""


_OK = Judgement("ok")


def judge(record: Record, found: Sequence[str], *, hostname: str) -> Judgement:
    """`found` are all records of that type at that name, of whatever purpose."""
    return _JUDGES[record.purpose](record, found, hostname)


def _mx(_record: Record, found: Sequence[str], hostname: str) -> Judgement:
    hosts = [text.partition(" ")[2] for text in found]
    if not hosts:
        return Judgement("missing", "mail finds no way to this server")
    if hosts == ["."]:
        return Judgement("differs", "a null MX says that the domain takes no mail (RFC 7505)")
    if hostname not in hosts:
        return Judgement("differs", f"mail goes to another server: {hostname} is not among the hosts")
    best = min(found, key=lambda text: int(text.partition(" ")[0]))
    if hostname != best.partition(" ")[2]:
        return Judgement("ok", f"another host comes first: {best}")
    return _OK


def _spf(record: Record, found: Sequence[str], hostname: str) -> Judgement:
    policies = [text for text in found if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
    if not policies:
        return Judgement("missing", "receivers cannot tell this server from a forger")
    if len(policies) > 1:
        return Judgement("differs", "more than one SPF record: receivers use none of them (RFC 7208 §4.5)")
    terms = policies[0].lower().split()
    domain = record.name
    ours = {"mx", f"mx:{domain}", f"a:{hostname}"}
    if not any(term.removeprefix("+") in ours for term in terms):
        return Judgement("differs", "this server may not be allowed to send: there is no mechanism mx")
    if terms[-1] in ("all", "+all"):
        return Judgement("differs", "everybody is allowed to send (+all)")
    if terms[-1] not in ("-all", "~all") and not any(term.startswith("redirect=") for term in terms):
        return Judgement("ok", "it does not end with -all: forged mail is not refused")
    return _OK


def _dkim(record: Record, found: Sequence[str], _hostname: str) -> Judgement:
    if not found:
        return Judgement("missing", "signatures with this key cannot be verified")
    if len(found) > 1:
        return Judgement("differs", "more than one TXT record: which one counts is undefined (RFC 6376 §3.6.2.2)")
    return judge_key(record.value, found[0])


def judge_key(expected: str, found: str) -> Judgement:
    """Whether a key record has the same key, however it is written (RFC 6376 §3.6.1)."""
    wanted, there = _tags(expected), _tags(found)
    if there.get("v", "DKIM1") != "DKIM1" or "p" not in there:
        return Judgement("differs", "it is not a DKIM key record")
    if not there["p"]:
        return Judgement("differs", "the key is revoked (p= is empty)")
    if there.get("k", "rsa").lower() != wanted["k"] or there["p"] != wanted["p"]:
        return Judgement("differs", "it is another key")
    if "y" in there.get("t", "").lower().split(":"):
        return Judgement("ok", "it says that DKIM is being tested (t=y): receivers ignore failures")
    return _OK


def _dmarc(_record: Record, found: Sequence[str], _hostname: str) -> Judgement:
    policies = [text for text in found if _tags(text).get("v") == "DMARC1"]
    if not policies:
        return Judgement("missing", "receivers do not know what to do with forged mail")
    if len(policies) > 1:
        return Judgement("differs", "more than one DMARC record: receivers use none of them (RFC 7489 §6.6.3)")
    policy = _tags(policies[0]).get("p", "").lower()
    if policy not in ("quarantine", "reject"):
        return Judgement("differs", f"the policy p={policy or '(none)'} does not protect the domain")
    return _OK


def _srv(record: Record, found: Sequence[str], _hostname: str) -> Judgement:
    if not found:
        return Judgement("missing", "mail clients cannot set themselves up by the DNS (RFC 6186)")
    port, host = record.value.split()[2:]
    if not any(text.split()[2:] == [port, host] for text in found):
        return Judgement("differs", f"it does not lead to {host}, port {port}")
    return _OK


def _tags(text: str) -> dict[str, str]:
    """tag=value; ... (RFC 6376 §3.2), without white space in the values."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): _SPACE.sub("", value) for name, equals, value in pairs if equals}


_JUDGES: dict[str, Callable[[Record, Sequence[str], str], Judgement]] = {
    "mx": _mx,
    "spf": _spf,
    "dkim": _dkim,
    "dmarc": _dmarc,
    "submission": _srv,
    "imap": _srv,
}
