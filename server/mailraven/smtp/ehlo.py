"""The reply to EHLO (RFC 5321 §4.1.1.1): what a session may use at this moment."""

from collections.abc import Sequence

from mailraven.smtp.reply import Reply


def ehlo_reply(hostname: str, client: str, *, max_size: int, starttls: bool, mechanisms: Sequence[str]) -> Reply:
    lines = [
        f"{hostname} greets {client}",
        "PIPELINING",  # RFC 2920
        f"SIZE {max_size}",  # RFC 1870
        "8BITMIME",  # RFC 6152
        "SMTPUTF8",  # RFC 6531
        "ENHANCEDSTATUSCODES",  # RFC 2034
    ]
    if starttls:
        lines.append("STARTTLS")  # RFC 3207
    if mechanisms:
        lines.append(f"AUTH {' '.join(mechanisms)}")  # RFC 4954
    return Reply(250, "", "\n".join(lines))
