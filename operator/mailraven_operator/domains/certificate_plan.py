"""What to do about the certificate that the server has for a domain, and what CertificateReady says. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailraven_operator.domains.certificate_names import Denied, covers
from mailraven_operator.domains.tls_secret import Pair
from mailraven_operator.outcome import ConditionValue

CERTIFICATE_READY = "CertificateReady"
_SHOWN = 5

Deny = Callable[[tuple[str, ...]], tuple[Denied, ...]]


@dataclass(frozen=True)
class Trouble:
    """Why there is no certificate as wanted; `passing` when that should be over soon by itself."""

    reason: str
    message: str
    passing: bool = False


@dataclass(frozen=True)
class Source:
    """Where the certificate comes from, as it was found."""

    secret_name: str | None = None
    """None: there is to be none; `why_none` says why."""
    pair: Pair | None = None
    trouble: Trouble | None = None
    gone: bool = False
    """The Secret was taken away: what the server has of it goes too."""
    expected: tuple[str, ...] = ()
    """Names that the certificate should have."""
    why_none: str = "spec.tls asks for none: the server's own certificate is served."


@dataclass(frozen=True)
class Served:
    """What the server has."""

    chain: str
    fingerprint: str
    names: tuple[str, ...]
    not_after: datetime

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Served":
        """From GET /certificates/NAME."""
        return cls(
            chain=document["chain"],
            fingerprint=document["fingerprint"],
            names=tuple(document["names"]),
            not_after=datetime.fromisoformat(document["not_after"]),
        )


@dataclass(frozen=True)
class Plan:
    """What to do, and what to say when that is done."""

    condition: ConditionValue
    upload: Pair | None = None
    remove: bool = False
    passing: bool = False
    """To be looked at again soon."""


def plan_certificate(source: Source, served: Served | None, deny: Deny, now: datetime) -> Plan:
    """`deny` says which names are not the resource's."""
    if source.secret_name is None:
        return Plan(_condition(True, "NotRequested", source.why_none), remove=served is not None)
    # What was right once may be somebody else's by now.
    stale = served is not None and (source.gone or bool(deny(served.names)))
    pair = source.pair
    if pair is None:
        trouble = source.trouble or Trouble("CertificatePending", "There is no certificate yet.", passing=True)
        return Plan(_condition(False, trouble.reason, trouble.message), remove=stale, passing=trouble.passing)
    denied = deny(pair.names)
    if denied:
        return Plan(_condition(False, "NameNotAllowed", denial(denied)), remove=stale)
    if pair.not_after <= now:
        message = f"The certificate in the Secret {source.secret_name} ended at {pair.not_after:%Y-%m-%d %H:%M} UTC."
        return Plan(_condition(False, "Expired", message))
    upload = pair if served is None or served.chain != pair.chain else None
    if source.trouble is not None:
        condition = _condition(False, source.trouble.reason, source.trouble.message)
        return Plan(condition, upload=upload, passing=source.trouble.passing)
    missing = [name for name in source.expected if not any(covers(pattern, name) for pattern in pair.names)]
    if missing:
        message = f"The certificate in the Secret {source.secret_name} is not for {_joined(missing)}."
        return Plan(_condition(False, "NamesMissing", message), upload=upload)
    message = f"The server has the certificate of the Secret {source.secret_name}, for {_joined(pair.names)}."
    return Plan(_condition(True, "Served", message), upload=upload)


def denial(denied: Sequence[Denied]) -> str:
    """In words."""
    return "; ".join(f"{one.name}: {one.reason}" for one in denied[:_SHOWN])


def refused(detail: str) -> ConditionValue:
    """The server does not take it; what it served before goes on being served."""
    return _condition(False, "CertificateRefused", f"The server refuses the certificate: {detail}")


def _condition(status: bool, reason: str, message: str) -> ConditionValue:
    return ConditionValue(CERTIFICATE_READY, status, reason, message)


def _joined(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
