"""How an attempt ended for one recipient."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from mailraven.delivery.replies import RemoteReply


class Result(enum.StrEnum):
    """For the log and the metric."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` is an enhanced status code, `text` the remote's reply or, when it said nothing, our own words."""

    status: str
    text: str
    remote_mta: str = ""
    remote_said: bool = False
    tls: str = ""
    unknown: bool = False
    """The connection broke between our final dot and the reply: the message may be there (RFC 1047)."""

    @property
    def result(self) -> Result:
        """By the class of the status."""
        return {"2": Result.DELIVERED, "4": Result.DEFERRED, "5": Result.FAILED}[self.status[0]]


def said(reply: RemoteReply, remote_mta: str, tls: str = "") -> Outcome:
    """What the remote decided."""
    return Outcome(reply.status, str(reply), remote_mta, remote_said=True, tls=tls)


def worst_of_hosts(outcomes: list[Outcome]) -> Outcome:
    """No host took it: as long as one of them may do so later it is not for ever. The last word counts."""
    temporary = [outcome for outcome in outcomes if outcome.result is not Result.FAILED]
    return (temporary or outcomes)[-1]
