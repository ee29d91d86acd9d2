"""`mailraven queue`, `trace`, `security`, `status` against a running server."""

import re

import pytest

from mailraven.testing.command_line import wait_for
from mailraven.testing.commands import CommandLine

PASSWORD = "vK7-plum-ocean-84"


@pytest.fixture(scope="module")
def sender(mailraven: CommandLine) -> str:
    """An account whose mail to the world waits: the DNS does not answer."""
    mailraven("domain", "add", "queue.example")
    mailraven("user", "add", "ann@queue.example", "--password-file", "-", stdin=PASSWORD + "\n")
    return "ann@queue.example"


def waiting(mailraven: CommandLine, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = mailraven.json("queue", "list", *arguments)
    return found


def test_the_queue_is_seen_held_released_tried_and_cancelled(mailraven: CommandLine, sender: str) -> None:
    for number in range(2):
        mailraven.submit(sender, PASSWORD, f"x{number}@one.invalid", f"queue{number}@queue.example")

    def deferred() -> bool:
        return [item["state"] for item in waiting(mailraven, "--domain", "one.invalid")] == ["deferred"] * 2

    wait_for(deferred, "two deferred recipients")
    rows = mailraven.rows("queue", "list", "--domain", "one.invalid", "--sender", sender)
    assert [row[2:5] for row in rows] == [["deferred", sender, f"x{number}@one.invalid"] for number in (1, 0)]
    recipient, message = rows[0][:2]
    assert ["one.invalid", "deferred", "2"] in [row[:3] for row in mailraven.rows("queue", "summary")]
    shown = mailraven.json("queue", "show", message)
    assert (shown["sender"], [item["recipient"] for item in shown["recipients"]]) == (sender, ["x1@one.invalid"])
    assert f"Message-ID: <queue1@{sender.partition('@')[2]}>" in mailraven("queue", "show", message)

    assert mailraven("queue", "hold", recipient) == "1 held\n"
    [held] = waiting(mailraven, "--state", "held", "--domain", "one.invalid")
    assert str(held["id"]) == recipient
    assert mailraven("queue", "release", "--account", sender, "--lift").startswith("1 released\n")
    result = mailraven.json("queue", "retry", "--recipient", "x0@one.invalid")
    assert result["changed"] + result["attempting"] == 1
    assert "say --yes" in mailraven.refused("queue", "cancel", "--domain", "one.invalid", code=2)

    def cancelled() -> bool:  # one in the hands of a worker is not touched
        mailraven("queue", "cancel", "--domain", "one.invalid", "--yes")
        return not waiting(mailraven, "--domain", "one.invalid")

    wait_for(cancelled, "an empty queue")
    assert {item["state"] for item in waiting(mailraven, "--domain", "one.invalid", "--state", "failed")} == {"failed"}


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("hold",), 2, "say which"),
        (("release", "--lift", "--all"), 2, "--lift needs --account"),
        (("cancel", "--yes"), 2, "say which"),
        (("hold", "first"), 2, "valid integer"),
        (("show", "999999999"), 1, "There is no such"),
        (("list", "--state", "lost"), 1, "state"),
        (("hold", "--account", "nobody@nope.example"), 1, "nobody@nope.example"),
        (("list", "--limit", "0"), 2, "--limit"),
    ],
)
def test_wrong_use_of_the_queue(mailraven: CommandLine, arguments: tuple[str, ...], code: int, expected: str) -> None:
    assert expected in mailraven.refused("queue", *arguments, code=code)


def test_a_message_is_traced_from_connection_to_mailbox(mailraven: CommandLine, sender: str) -> None:
    mailraven.submit(sender, PASSWORD, sender, "trace1@queue.example")

    def known() -> str:
        return mailraven.refused("trace", "<trace1@queue.example>", code=0) or "known"

    def found() -> bool:
        try:
            return known() == "known"
        except AssertionError:
            return False

    wait_for(found, "the trace")
    [message] = mailraven.json("trace", "trace1@queue.example")
    assert message["message_id"] == "trace1@queue.example"
    assert "delivered" in {event["kind"] for event in message["events"]}
    assert mailraven.json("trace", message["trace_id"]) == [message]
    text = mailraven("trace", sender)
    assert re.search(rf"(?m)^<trace1@queue\.example> from {sender}$", text)
    assert re.search(r"(?m)^  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d came from \S+ and is in the mailbox of ", text)
    assert mailraven.refused("trace", "nobody@nope.example") == "mailraven: nothing is known of nobody@nope.example"
    assert "since" in mailraven.refused("trace", sender, "--since", "yesterday")


def test_bans(mailraven: CommandLine) -> None:
    assert (
        mailraven("security", "ban", "198.51.100.7", "--minutes", "5", "--reason", "test") == "banned 198.51.100.7/32\n"
    )
    mailraven("security", "ban", "2001:db8::/48")
    rows = {row[0]: row for row in mailraven.rows("security", "banned-ips")}
    assert rows["198.51.100.7/32"][4] == "test"
    assert rows["2001:db8::/48"][1] == ""
    assert mailraven("security", "unban", "198.51.100.7") == "198.51.100.7 may come again\n"
    mailraven("security", "unban", "2001:db8::/48")
    assert mailraven("security", "banned-ips") == ""
    for arguments, expected in (
        (("ban", "nobody"), "Expected an address"),
        (("unban", "198.51.100.9"), "198.51.100.9"),
        (("ban", "127.0.0.1"), "exempt"),
    ):
        assert expected in mailraven.refused("security", *arguments)


def test_limits_that_hold_and_what_is_used(mailraven: CommandLine, sender: str) -> None:
    rows = mailraven.rows("security", "limits", sender)
    assert ["account", "messages", "100", "60", "reject", "default"] in rows
    used = mailraven.rows("security", "usage", "account", sender)
    assert ["account", "messages", "100", "60"] in [row[:4] for row in used]
    assert "nobody@nope.example" in mailraven.refused("security", "limits", "nobody@nope.example")
    assert "scope" in mailraven.refused("security", "usage", "planet", "earth")


def test_a_user_whose_mail_is_not_held_needs_no_release(mailraven: CommandLine, sender: str) -> None:
    assert "not held" in mailraven.refused("user", "release", sender)


def test_status(mailraven: CommandLine) -> None:
    found = mailraven.json("status")
    assert found["health"]["status"] == "healthy"
    assert found["stats"]["domains"] >= 1
    assert "health.status\thealthy\n" in mailraven("status")
