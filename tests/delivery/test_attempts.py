"""What other servers may answer at each stage, and what becomes of the recipient."""

import pytest

from mailraven.testing.remote_server import DROP

HALF_HOUR = 1800


async def test_message_arrives_octet_for_octet(site):
    remote = await site.far()
    await site.start()
    raw = b"Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\nend.\r\n.\r\nNUL \x00 and 8-bit \xff\r\n\r\n"
    await site.send("bob@far.test", raw=raw)
    row = await site.ends("delivered")
    (got,) = remote.transactions
    assert got.content == raw
    assert got.mail.startswith("<alice@ours.test>")
    assert got.recipients == ["<bob@far.test>"]
    assert row["last_reply"] == "250 2.0.0 queued as 42"
    assert (row["last_status"], row["remote_mta"], row["attempts"]) == ("2.0.0", "far.test [127.0.0.1]", 1)
    assert "EHLO mail.ours.test" in remote.commands


async def test_recipients_of_one_domain_go_in_one_transaction(site):
    remote = await site.far()
    await site.start()
    await site.send("a@far.test", "b@far.test", "c@far.test")
    await site.ends("delivered", "c@far.test")
    (got,) = remote.transactions
    assert sorted(got.recipients) == ["<a@far.test>", "<b@far.test>", "<c@far.test>"]
    assert {row["state"] for row in (await site.rows()).values()} == {"delivered"}


@pytest.mark.parametrize(
    ("stage", "reply", "state", "status"),
    [
        ("connect", b"421 4.3.2 later", "deferred", "4.3.2"),
        ("connect", b"450 later", "deferred", "4.0.0"),
        ("connect", b"554 5.7.1 you are blocked", "failed", "5.7.1"),
        ("connect", b"250 what", "deferred", "4.5.0"),
        ("connect", b"garbage", "deferred", "4.5.0"),
        ("connect", DROP, "deferred", "4.4.1"),
        ("ehlo", b"421 4.3.2 later", "deferred", "4.3.2"),
        ("ehlo", b"550 5.7.1 bad name", "failed", "5.7.1"),
        ("ehlo", b"252 what", "deferred", "4.5.0"),
        ("ehlo", DROP, "deferred", "4.4.1"),
        ("mail", b"451 4.7.1 greylisted", "deferred", "4.7.1"),
        ("mail", b"421 4.3.2 closing", "deferred", "4.3.2"),
        ("mail", b"550 5.7.1 sender refused", "failed", "5.7.1"),
        ("mail", b"354 what", "deferred", "4.5.0"),
        ("mail", DROP, "deferred", "4.4.2"),
        ("rcpt", b"450 4.2.1 mailbox busy", "deferred", "4.2.1"),
        ("rcpt", b"550 5.1.1 no such user", "failed", "5.1.1"),
        ("rcpt", b"550 no such user", "failed", "5.0.0"),
        ("rcpt", b"550 2.0.0 the code's class does not fit", "failed", "5.0.0"),
        ("rcpt", b"552 too many recipients", "deferred", "4.5.3"),
        ("rcpt", b"354 what", "deferred", "4.5.0"),
        ("rcpt", DROP, "deferred", "4.4.2"),
        ("data", b"451 4.3.0 later", "deferred", "4.3.0"),
        ("data", b"554 5.5.1 no", "failed", "5.5.1"),
        ("data", b"250 what", "deferred", "4.5.0"),
        ("data", DROP, "deferred", "4.4.2"),
        ("early", b"552 5.3.4 too big", "failed", "5.3.4"),
        ("early", b"421 4.3.2 going down", "deferred", "4.3.2"),
        ("early", b"250 2.0.0 thanks", "deferred", "4.5.0"),
        ("early", DROP, "deferred", "4.4.2"),
        ("dot", b"451 4.3.0 later", "deferred", "4.3.0"),
        ("dot", b"554 5.7.1 spam", "failed", "5.7.1"),
        ("dot", b"354 what", "deferred", "4.5.0"),
        ("dot", DROP, "deferred", "4.4.2"),
    ],
)
async def test_answer_at_stage(site, stage: str, reply: bytes, state: str, status: str):
    remote = await site.far({stage: reply})
    await site.start()
    # "early" answers come while most of it is still to be sent: more than socket buffers hold.
    lines = 300_000 if stage == "early" else 10
    await site.send("bob@far.test", raw=b"Subject: x\r\n\r\n" + b"line of a long message\r\n" * lines)
    row = await site.ends(state)
    assert row["last_status"] == status
    assert row["attempts"] == 1
    assert remote.connections >= 1
    notices = await site.inbox()
    assert len(notices) == (1 if state == "failed" else 0)


async def test_server_that_is_not_there(site):
    remote = await site.far()
    await remote.__aexit__(None, None, None)
    await site.start()
    await site.send("bob@far.test")
    row = await site.ends("deferred")
    assert row["last_status"] == "4.4.1"


async def test_silence_after_the_dot_is_unknown_and_tried_again(site):
    """RFC 1047: the message may be there; twice is better than never."""
    remote = await site.far({"dot": [None]})
    await site.start(data_timeout=0.2)
    await site.send("bob@far.test")
    row = await site.ends("deferred")
    assert "after the message was sent" in row["last_reply"]
    await site.make_due()
    (await site.start()).wake()
    await site.ends("delivered")
    assert len(remote.transactions) == 2


@pytest.mark.parametrize("stage", ["connect", "mail", "rcpt", "data"])
async def test_silence_is_bounded(site, stage: str):
    await site.far({stage: None})
    await site.start(command_timeout=0.2, data_timeout=0.2)
    await site.send("bob@far.test")
    row = await site.ends("deferred")
    assert row["last_reply"] == "no answer in time"


async def test_each_recipient_has_its_own_answer(site):
    def answer(command: str) -> bytes:
        if "late" in command:
            return b"450 4.2.1 busy"
        return b"550 5.1.1 unknown" if "gone" in command else b"250 ok"

    remote = await site.far({"rcpt": answer})
    await site.start()
    await site.send("good@far.test", "late@far.test", "gone@far.test")
    await site.ends("delivered", "good@far.test")
    rows = await site.rows()
    assert {name.partition("@")[0]: row["state"] for name, row in rows.items()} == {
        "good": "delivered",
        "late": "deferred",
        "gone": "failed",
    }
    (got,) = remote.transactions
    assert got.recipients == ["<good@far.test>"]


async def test_deferred_recipient_is_tried_again_and_delivered(site):
    remote = await site.far({"rcpt": [b"450 4.7.1 greylisted"]})
    server = await site.start()
    await site.send("bob@far.test")
    row = await site.ends("deferred")
    seconds = (row["due_at"] - row["updated_at"]).total_seconds()
    assert 0 < seconds < HALF_HOUR
    await site.make_due()
    server.wake()
    row = await site.ends("delivered")
    assert row["attempts"] == 2
    assert len(remote.transactions) == 1


async def test_helo_where_ehlo_is_unknown(site):
    remote = await site.far({"ehlo": b"502 5.5.1 what"})
    await site.start()
    await site.send("bob@far.test")
    await site.ends("delivered")
    assert "HELO mail.ours.test" in remote.commands
    assert "MAIL FROM:<alice@ours.test>" in remote.commands


async def test_empty_message_body_and_missing_last_line_end(site):
    remote = await site.far()
    await site.start()
    await site.send("bob@far.test", raw=b"Subject: no line end")
    await site.ends("delivered")
    assert remote.transactions[0].content == b"Subject: no line end\r\n"


async def test_large_message_from_the_blob_store(site):
    remote = await site.far()
    await site.start()
    raw = b"Subject: large\r\n\r\n" + b"".join(b".%d\r\n" % n for n in range(400_000))
    await site.send("bob@far.test", raw=raw)
    await site.ends("delivered", timeout=30)
    assert remote.transactions[0].content == raw


@pytest.mark.parametrize("body", [b"bare\nline feed\r\n", b"bare\rreturn\r\n", b"smuggled\n.\nMAIL FROM:<>\r\n"])
async def test_bare_line_ends_never_leave(site, body: bytes):
    """RFC 5321 §2.3.8: refused, and the sender hears of it; nothing is mended behind his signature."""
    remote = await site.far()
    await site.start()
    await site.send("bob@far.test", raw=b"Subject: bare\r\n\r\n" + body)
    row = await site.ends("failed")
    assert row["last_status"] == "5.6.0"
    assert remote.transactions == []
    assert "DATA" not in remote.commands
    (notice,) = await site.inbox()
    assert b"5.6.0" in notice


@pytest.mark.parametrize(
    ("extensions", "fields", "raw", "mail"),
    [
        (("SIZE",), {}, b"A: b\r\n\r\nx\r\n", "MAIL FROM:<alice@ours.test> SIZE=11"),
        (("SIZE 0",), {}, b"A: b\r\n\r\nx\r\n", "MAIL FROM:<alice@ours.test> SIZE=11"),
        ((), {}, b"A: b\r\n\r\nx\r\n", "MAIL FROM:<alice@ours.test>"),
        (
            ("8BITMIME",),
            {"eight_bit": True},
            b"A: b\r\n\r\n\xfc\r\n",
            "MAIL FROM:<alice@ours.test> BODY=8BITMIME",
        ),
        ((), {"eight_bit": True}, b"A: b\r\n\r\n\xfc\r\n", "MAIL FROM:<alice@ours.test>"),
        (
            ("SMTPUTF8", "8BITMIME"),
            {"smtputf8": True, "eight_bit": True},
            "Subject: grüße\r\n\r\n.\r\n".encode(),
            "MAIL FROM:<alice@ours.test> BODY=8BITMIME SMTPUTF8",
        ),
        (("SMTPUTF8",), {"smtputf8": True}, b"A: b\r\n\r\nascii\r\n", "MAIL FROM:<alice@ours.test>"),
    ],
)
async def test_extensions_are_used_where_they_are(site, extensions, fields, raw: bytes, mail: str):
    remote = await site.far(extensions=extensions)
    await site.start()
    await site.send("bob@far.test", raw=raw, **fields)
    await site.ends("delivered")
    assert mail in remote.commands
    assert remote.transactions[0].content == raw


async def test_message_larger_than_the_server_takes_is_not_sent(site):
    remote = await site.far(extensions=("SIZE 1000",))
    await site.start()
    await site.send("bob@far.test", raw=b"A: b\r\n\r\n" + b"x" * 2000 + b"\r\n")
    row = await site.ends("failed")
    assert row["last_status"] == "5.3.4"
    assert not any(command.startswith("MAIL") for command in remote.commands)


@pytest.mark.parametrize(
    ("recipient", "raw"),
    [
        ("jürgen@far.test", b"A: b\r\n\r\nx\r\n"),
        ("bob@far.test", "Subject: grüße\r\n\r\nx\r\n".encode()),
    ],
)
async def test_internationalized_mail_to_a_server_without_smtputf8_fails(site, recipient: str, raw: bytes):
    await site.far(extensions=("8BITMIME",))
    await site.start()
    await site.send(recipient, raw=raw, smtputf8=True)
    row = await site.ends("failed", recipient)
    assert row["last_status"] == "5.6.7"


async def test_internationalized_address_goes_out_as_utf8(site):
    remote = await site.far()
    await site.start()
    await site.send("jürgen@far.test", smtputf8=True)
    await site.ends("delivered", "jürgen@far.test")
    assert remote.transactions[0].recipients == ["<jürgen@far.test>"]


async def test_replies_of_a_hostile_server_are_bounded_and_harmless(site):
    lines = b"".join(b"550-5.7.1 \x1b[31mline %d\x00 \xff\r\n" % n for n in range(300))
    await site.far({"rcpt": lines + b"550 5.7.1 Bcc: victim@x.test"})
    await site.start()
    await site.send("bob@far.test")
    row = await site.ends("failed")
    assert len(row["last_reply"]) < 520
    assert row["last_reply"].isascii()
    assert row["last_reply"].isprintable()
    (notice,) = await site.inbox()
    assert b"\x1b" not in notice
    assert b"\nBcc:" not in notice


async def test_endless_reply_is_cut_off(site):
    await site.far({"rcpt": b"250-x\r\n" * 20_000 + b"250 ok"})
    await site.start()
    await site.send("bob@far.test")
    row = await site.ends("deferred")
    assert row["last_status"] == "4.5.0"
