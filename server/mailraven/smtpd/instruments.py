"""The metrics of a role, looked up once: labels() on every message would cost more than parsing it."""

from dataclasses import dataclass
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from mailraven.smtpd.services import Role
from mailraven.telemetry import metrics


@dataclass(frozen=True, slots=True)
class Instruments:
    connections: Gauge
    sessions_taken: Counter
    sessions_refused: Counter
    accepted: Counter
    rejected: Counter
    deferred: Counter
    rcpt_accepted: Counter
    rcpt_rejected: Counter
    rcpt_deferred: Counter
    octets: Counter
    seconds: Histogram


@cache
def of(role: Role) -> Instruments:
    return Instruments(
        connections=metrics.SMTP_CONNECTIONS.labels(role.value),
        sessions_taken=metrics.SMTP_SESSIONS.labels(role.value, "taken"),
        sessions_refused=metrics.SMTP_SESSIONS.labels(role.value, "refused"),
        accepted=metrics.SMTP_MESSAGES.labels("accepted", role.value),
        rejected=metrics.SMTP_MESSAGES.labels("rejected", role.value),
        deferred=metrics.SMTP_MESSAGES.labels("deferred", role.value),
        rcpt_accepted=metrics.SMTP_RECIPIENTS.labels("accepted", role.value),
        rcpt_rejected=metrics.SMTP_RECIPIENTS.labels("rejected", role.value),
        rcpt_deferred=metrics.SMTP_RECIPIENTS.labels("deferred", role.value),
        octets=metrics.SMTP_BYTES.labels(role.value),
        seconds=metrics.SMTP_DATA_SECONDS.labels(role.value),
    )
