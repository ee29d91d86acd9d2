"""Delivery status notifications, composed by hand; 7-bit unless an address cannot be. Pure.

RFC 3461 (what is sent to whom), RFC 3462/6522 (multipart/report), RFC 3464 (delivery-status), RFC 6533 (utf-8).
"""

from __future__ import annotations

import enum
import quopri
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mailraven.delivery.replies import safe_text
from mailraven.smtp.received import rfc5322_date

_LINE_END = re.compile(rb"\r\n|\r|\n")
_PLAIN_7BIT = re.compile(rb"[\t\n -~]*")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ENVID = re.compile(r"[!-~]{1,100}")  # RFC 3461 §4.4: at most 100 characters
_MTA = re.compile(r"[A-Za-z0-9.\-\[\]: ]{1,300}")
_WIDTH = 76


class Action(enum.StrEnum):
    """RFC 3464 §2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"


@dataclass(frozen=True, slots=True)
class Report:
    """One recipient of the message; `text` is the remote's reply if `remote_said`, else our own words."""

    recipient: str
    action: Action
    status: str
    text: str
    remote_said: bool
    remote_mta: str = ""
    retry_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """Everything a DSN tells; all reports have one action. `header`: the message's, as much as is returned."""

    reporting_mta: str
    to: str
    reports: Sequence[Report]
    arrived_at: datetime
    now: datetime
    unique: str
    envelope_id: str = ""
    header: bytes = b""


def compose(notification: Notification) -> bytes:
    """The message, from the null sender to `to`."""
    boundary = f"=_{notification.unique}"
    mta = notification.reporting_mta
    failed = notification.reports[0].action is Action.FAILED
    subject = "Undelivered mail returned to sender" if failed else "Delayed mail (still being tried)"
    top = [
        f"From: Mail Delivery System <postmaster@{mta}>",
        f"To: <{_CONTROLS.sub('?', notification.to)}>",
        f"Subject: {subject}",
        f"Date: {rfc5322_date(notification.now)}",
        f"Message-ID: <{notification.unique}@{mta}>",
        "Auto-Submitted: auto-replied",  # RFC 3834 §5.1
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
    ]
    parts = [
        _part("text/plain; charset=us-ascii", "Notification", _explanation(notification).encode("ascii")),
        _part("message/delivery-status", "Delivery report", _status_fields(notification).encode("ascii")),
        _returned_header(notification.header),
    ]
    body = b"".join(b"\r\n--" + boundary.encode() + b"\r\n" + part for part in parts)
    preamble = b"This is a delivery status notification in MIME format.\r\n"
    head = "\r\n".join(top).encode() + b"\r\n\r\n"
    return head + preamble + body + b"\r\n--" + boundary.encode() + b"--\r\n"


def cut_header(content: bytes, limit: int) -> bytes:
    """The header section of a message, whole lines of it, `limit` octets at most."""
    end = content.find(b"\r\n\r\n")
    if 0 <= end <= limit:
        return content[: end + 2]
    return content[: content.rfind(b"\n", 0, limit) + 1]


def _explanation(notification: Notification) -> str:
    failed = notification.reports[0].action is Action.FAILED
    said = (
        "Your message could not be delivered to the recipients below. It will not be tried again."
        if failed
        else "Your message could not be delivered yet to the recipients below. It is tried again by itself:"
        " you need not send it again."
    )
    lines = [f"This is the mail server {notification.reporting_mta}.", "", *textwrap.wrap(said, _WIDTH)]
    for report in notification.reports:
        words = safe_text(report.text) or "no reason was given"
        who = f"{report.remote_mta} said: " if report.remote_said and report.remote_mta else ""
        lines += ["", f"<{_readable(report.recipient)}>:"]
        lines += textwrap.wrap(f"{who}{words}", _WIDTH, initial_indent="    ", subsequent_indent="    ")
        if report.retry_until is not None:
            lines.append(f"    It is tried until {rfc5322_date(report.retry_until)}.")
    return "\r\n".join(_ascii(line) for line in lines) + "\r\n"


def _status_fields(notification: Notification) -> str:
    fields = [f"Reporting-MTA: dns; {notification.reporting_mta}"]
    if _ENVID.fullmatch(notification.envelope_id):
        fields.append(f"Original-Envelope-Id: {notification.envelope_id}")
    fields.append(f"Arrival-Date: {rfc5322_date(notification.arrived_at)}")
    for report in notification.reports:
        fields += ["", f"Final-Recipient: {_typed_address(report.recipient)}"]
        fields += [f"Action: {report.action}", f"Status: {report.status}"]
        host = report.remote_mta.partition(" ")[0]
        if host and _MTA.fullmatch(host):
            fields.append(f"Remote-MTA: dns; {host}")
        if report.remote_said:
            fields.append(f"Diagnostic-Code: smtp; {safe_text(report.text)}")
        else:
            fields.append(f"Diagnostic-Code: x-mailraven; {safe_text(report.text)}")
        fields.append(f"Last-Attempt-Date: {rfc5322_date(notification.now)}")
        if report.retry_until is not None:
            fields.append(f"Will-Retry-Until: {rfc5322_date(report.retry_until)}")
    return "\r\n".join(_folded(field) for field in fields) + "\r\n"


def _part(content_type: str, description: str, content: bytes, encoding: str = "7bit") -> bytes:
    head = f"Content-Type: {content_type}\r\nContent-Description: {description}\r\n"
    return (head + f"Content-Transfer-Encoding: {encoding}\r\n\r\n").encode() + content


def _returned_header(header: bytes) -> bytes:
    # Line ends are mended here and here only: what is returned may be the message that was refused for them.
    text = _LINE_END.sub(b"\n", header)
    encoding = "7bit"
    if not _PLAIN_7BIT.fullmatch(text) or any(len(line) > 998 for line in text.split(b"\n")):
        encoding = "quoted-printable"  # RFC 6522 §4 allows it for broken headers
        text = quopri.encodestring(text)
    return _part("text/rfc822-headers", "Headers of the message", text.replace(b"\n", b"\r\n"), encoding)


def _typed_address(address: str) -> str:
    if address.isascii():
        return f"rfc822; {_ascii(address)}"
    return f"utf-8; {_readable(address)}"


def _readable(address: str) -> str:
    # RFC 6533 §3: utf-8-addr-xtext, for a notification that is 7-bit
    if address.isascii():
        return _ascii(address)
    encoded = "".join(c if "!" <= c <= "~" and c not in "+=\\" else f"\\x{{{ord(c):02X}}}" for c in address)
    return _ascii(encoded)


def _ascii(text: str) -> str:
    """Printable ASCII on one line, whatever comes in."""
    return re.sub(r"[^ -~]", "?", text)


def _folded(field: str) -> str:
    """RFC 5322 §2.2.3: at spaces, where there are some."""
    lines = textwrap.wrap(field, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\r\n".join(lines) if lines else ""
