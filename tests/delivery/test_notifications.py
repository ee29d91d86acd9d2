"""DSNs: each failed recipient's sender hears exactly once; nobody else hears anything (RFC 3461, 3464, 5321 §6.1)."""

import email
import email.policy

import pytest


def parts(raw: bytes):
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    text, status, header = message.get_payload()
    assert status.get_content_type() == "message/delivery-status"
    assert header.get_content_type() == "text/rfc822-headers"
    per_message, *recipients = status.get_payload()
    return message, text.get_payload(), per_message, recipients, header.get_payload(decode=True)


async def test_failure_goes_to_the_local_sender(site):
    await site.far({"rcpt": b"550-5.1.1 no such user\r\n550 5.1.1 really not"})
    await site.start()
    await site.send("bob@far.test", envelope_id="QQ314159")
    await site.ends("failed")
    (notice,) = await site.inbox()
    assert notice.startswith(b"Return-Path: <>\r\nDelivered-To: alice@ours.test\r\n")
    message, text, per_message, (recipient,), header = parts(notice)
    assert message["To"] == "<alice@ours.test>"
    assert message["From"] == "Mail Delivery System <postmaster@mail.ours.test>"
    assert message["Auto-Submitted"] == "auto-replied"
    assert per_message["Reporting-MTA"] == "dns; mail.ours.test"
    assert per_message["Original-Envelope-Id"] == "QQ314159"
    assert per_message["Arrival-Date"]
    assert recipient["Final-Recipient"] == "rfc822; bob@far.test"
    assert recipient["Action"] == "failed"
    assert recipient["Status"] == "5.1.1"
    assert recipient["Remote-MTA"] == "dns; far.test"
    assert recipient["Diagnostic-Code"].split() == [
        "smtp;",
        "550",
        "5.1.1",
        "no",
        "such",
        "user",
        "5.1.1",
        "really",
        "not",
    ]
    assert recipient["Last-Attempt-Date"]
    assert "far.test [127.0.0.1] said: 550 5.1.1 no such user" in " ".join(text.split())
    assert header.startswith(b"Received: from client")
    assert b"Subject: greetings\r\n" in header
    assert b"Hello." not in notice


async def test_one_notification_for_the_failures_of_one_attempt(site):
    await site.far({"rcpt": lambda command: b"550 5.1.1 no" if "gone" in command else b"250 ok"})
    await site.start()
    await site.send("gone1@far.test", "bob@far.test", "gone2@far.test")
    await site.ends("failed", "gone2@far.test")
    (notice,) = await site.inbox()
    *_, recipients, _ = parts(notice)
    assert [r["Final-Recipient"] for r in recipients] == ["rfc822; gone1@far.test", "rfc822; gone2@far.test"]


async def test_null_sender_never_gets_one(site):
    """RFC 5321 §6.1: a double bounce is dropped."""
    await site.far({"rcpt": b"550 5.1.1 no"})
    await site.start()
    await site.send("bob@far.test", sender="")
    await site.ends("failed")
    assert await site.inbox() == []
    assert len(await site.rows()) == 1


async def test_remote_sender_gets_it_through_the_queue(site):
    """Mail that came from elsewhere and was forwarded."""
    await site.remote("far.test", script={"rcpt": b"550 5.1.1 no"})
    origin = await site.remote("origin.test")
    await site.start()
    await site.send("bob@far.test", sender="writer@origin.test")
    await site.ends("delivered", "writer@origin.test")
    (got,) = origin.transactions
    assert got.mail.startswith("<>")
    assert got.recipients == ["<writer@origin.test>"]
    *_, (recipient,), _ = parts(got.content)
    assert recipient["Status"] == "5.1.1"
    assert await site.inbox() == []


async def test_notification_that_cannot_be_delivered_is_dropped(site):
    await site.remote("far.test", script={"rcpt": b"550 5.1.1 no"})
    await site.remote("origin.test", script={"rcpt": b"550 5.1.1 no"})
    await site.start()
    await site.send("bob@far.test", sender="writer@origin.test")
    await site.ends("failed", "writer@origin.test")
    assert len(await site.rows()) == 2
    assert await site.inbox() == []


async def test_warning_after_four_hours_comes_once(site, eventually):
    await site.far({"rcpt": b"450 4.2.1 busy"})
    server = await site.start()
    await site.send("bob@far.test")
    await site.ends("deferred")
    assert await site.inbox() == []
    for attempt in (2, 3):
        await site.make_due(age="4 h 1 min")
        server.wake()

        async def attempted(attempt: int = attempt) -> bool:
            row = await site.row()
            return row["attempts"] == attempt and row["state"] == "deferred"

        await eventually(attempted)
    (notice,) = await site.inbox()
    message, text, _, (recipient,), _ = parts(notice)
    assert message["Subject"].startswith("Delayed")
    assert (recipient["Action"], recipient["Status"]) == ("delayed", "4.2.1")
    assert recipient["Will-Retry-Until"]
    assert "need not send it again" in " ".join(text.split())
    assert (await site.row())["delay_warned"]


async def test_expired_after_five_days(site):
    await site.far({"rcpt": b"450 4.2.1 busy"})
    server = await site.start()
    await site.send("bob@far.test")
    await site.ends("deferred")
    await site.make_due(age="5 d")
    server.wake()
    row = await site.ends("expired")
    assert (row["attempts"], row["last_status"], row["last_reply"]) == (2, "4.4.7", "450 4.2.1 busy")
    (notice,) = await site.inbox()
    message, _, _, (recipient,), _ = parts(notice)
    assert message["Subject"].startswith("Undelivered")
    assert (recipient["Action"], recipient["Status"]) == ("failed", "4.4.7")


async def test_sender_that_is_gone_is_not_told(site):
    await site.far({"rcpt": b"550 5.1.1 no"})
    await site.start()
    await site.send("bob@far.test", sender="nobody@ours.test")
    await site.ends("failed")
    assert await site.inbox() == []
    assert len(await site.rows()) == 1


async def test_alias_as_return_path_reaches_its_targets(site):
    await site.directory.create_alias("team@ours.test", ["alice@ours.test", "carol@ours.test"])
    await site.far({"rcpt": b"550 5.1.1 no"})
    await site.start()
    await site.send("bob@far.test", sender="team@ours.test")
    await site.ends("failed")
    for address in ("alice@ours.test", "carol@ours.test"):
        assert len(await site.inbox(address)) == 1


async def test_without_blob_store_the_failure_waits_and_the_rest_stands(site):
    """A DSN that cannot be stored is not lost: its recipient is tried again."""
    remote = await site.far({"rcpt": lambda command: b"550 5.1.1 no" if "gone" in command else b"250 ok"})
    raw = (b"X-Long: " + b"x" * 70 + b"\r\n") * 600 + b"\r\nbody\r\n"  # its DSN is larger than inline bodies are
    await site.send("gone@far.test", "bob@far.test", raw=raw)
    incoming = site.blob_directory / ".incoming"
    away = incoming.rename(incoming.with_name("away"))
    server = await site.start()
    await site.ends("delivered", "bob@far.test")
    row = await site.ends("deferred", "gone@far.test")
    assert row["last_status"] == "5.1.1"
    assert await site.inbox() == []
    away.rename(incoming)
    await site.make_due()
    server.wake()
    await site.ends("failed", "gone@far.test")
    assert len(await site.inbox()) == 1
    assert len(remote.transactions) == 1


@pytest.mark.parametrize("sender", ["jürgen@ours.test"])
async def test_internationalized_sender(site, sender: str):
    account = await site.directory.create_account(sender, None)
    site.accounts[sender] = account.id
    await site.far({"rcpt": b"550 5.1.1 no"})
    await site.start()
    await site.send("żaba@far.test", sender=sender, smtputf8=True)
    await site.ends("failed", "żaba@far.test")
    (notice,) = await site.inbox(sender)
    *_, (recipient,), _ = parts(notice)
    assert recipient["Final-Recipient"] == "utf-8; \\x{17C}aba@far.test"


async def test_many_failures_at_once_on_a_small_pool(site):
    """Each DSN needs a second connection for its body: the pool of 3 must not be eaten up by waiters."""
    for n in range(5):
        await site.remote(f"d{n}.test", script={"rcpt": b"550 5.1.1 no"})
    for n in range(40):
        await site.send(f"u{n}@d{n % 5}.test")
    await site.start(concurrency=40)
    for n in range(40):
        await site.ends("failed", f"u{n}@d{n % 5}.test", timeout=30)
    assert len(await site.inbox()) == 40
