"""Sending through the API: who may, to whom, once, and with the limits of submission."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailraven import queue
from mailraven.testing.mail_api import ANNA, BEN, RAW, MailApi, running_mail_api

LETTER = {"from": ANNA, "to": [BEN], "subject": "hello", "text": "Hi"}


@pytest.fixture
async def both(dsn: str, tmp_path: Path) -> AsyncIterator[tuple[MailApi, MailApi]]:
    config = {"smtp": {"max_message_size": 100_000, "max_recipients": 100}}
    async with running_mail_api(dsn, tmp_path, config=config) as running:
        yield running


@pytest.fixture
def anna(both: tuple[MailApi, MailApi]) -> MailApi:
    return both[0]


@pytest.fixture
def ben(both: tuple[MailApi, MailApi]) -> MailApi:
    return both[1]


async def send(anna: MailApi, status: int = 202, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return await anna.call("POST", "/send", status, json={**LETTER, **fields}, headers=headers or {})


async def queued(anna: MailApi) -> dict[str, str]:
    """Recipient -> state."""
    async with anna.api.services.database.acquire() as connection:
        return {row["recipient"]: row["state"] for row in await connection.fetch("SELECT * FROM queue_recipient")}


async def sent_copies(anna: MailApi) -> list[dict[str, Any]]:
    boxes = (await anna.call("GET", "/mailboxes"))["items"]
    sent = next(box for box in boxes if box["special_use"] == "\\Sent")
    return await anna.messages(sent["id"])


async def raw_of(mail: MailApi, mailbox: int, uid: int) -> bytes:
    return (await mail.client.get(f"{mail.base}/mailboxes/{mailbox}/messages/{uid}/raw")).content


async def test_one_transaction_delivers_queues_and_keeps_a_copy(anna: MailApi, ben: MailApi) -> None:
    answer = await send(
        anna,
        to=[BEN, {"name": "Zoë", "address": "zoe@bücher.test"}],
        bcc=["secret@far.test"],
        attachments=[{"name": "a.bin", "content": base64.b64encode(b"\0\1").decode()}],
        in_reply_to="<0@x>",
        references=["<0@x>"],
    )
    assert (answer["local"], answer["remote"], answer["held"]) == (1, 2, False)
    assert await queued(anna) == {"zoe@xn--bcher-kva.test": "queued", "secret@far.test": "queued"}
    (shown,) = await ben.messages()
    assert (shown["subject"], shown["message_id"], shown["in_reply_to"]) == ("hello", answer["message_id"], "<0@x>")
    assert shown["has_attachments"]
    raw = await raw_of(ben, await ben.inbox(), shown["uid"])
    head = raw.partition(b"\r\n\r\n")[0]
    assert head.startswith(
        b"Return-Path: <anna@example.org>\r\nDelivered-To: ben@example.org\r\nReceived: from [127.0.0.1]"
    )
    assert b" with HTTP id " + answer["trace_id"].encode() in head
    assert b"\r\nDate: " in head
    assert b"secret" not in raw
    (copy,) = await sent_copies(anna)
    assert (copy["flags"], copy["uid"]) == (["\\Seen"], answer["saved"]["uid"])
    kept = await raw_of(anna, answer["saved"]["mailbox_id"], copy["uid"])
    assert kept.startswith(b"Bcc: secret@far.test\r\nReceived: ")
    async with anna.api.services.database.acquire() as connection:
        outbound = await connection.fetchrow("SELECT * FROM queue_message")
    assert (outbound["id"], outbound["return_path"]) == (answer["queue_id"], ANNA)
    assert (outbound["account_id"], outbound["trace_id"]) == (anna.account, answer["trace_id"])


async def test_no_copy_when_none_is_wanted_and_one_body_where_one_is_enough(anna: MailApi) -> None:
    assert (await send(anna, save_to_sent=False))["saved"] is None
    assert await sent_copies(anna) == []
    await send(anna)
    async with anna.api.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM body") == 2


async def test_the_sent_mailbox_is_found_by_its_purpose_whatever_its_name(anna: MailApi) -> None:
    await send(anna)
    (old,) = [box for box in (await anna.call("GET", "/mailboxes"))["items"] if box["special_use"] == "\\Sent"]
    await anna.call("PATCH", f"/mailboxes/{old['id']}", json={"name": "Gesendet"})
    await anna.call("POST", "/mailboxes", 201, json={"name": old["name"]})
    answer = await send(anna)
    assert answer["saved"]["mailbox_id"] == old["id"]
    await anna.call("DELETE", f"/mailboxes/{old['id']}", 204)
    answer = await send(anna)  # the plain one of that name will do
    assert len(await anna.messages(answer["saved"]["mailbox_id"])) == 1


async def nothing_happened(anna: MailApi, ben: MailApi) -> None:
    assert await queued(anna) == {}
    assert await ben.messages() == []
    assert await sent_copies(anna) == []


async def test_unknown_recipients_are_named_and_nothing_is_sent(anna: MailApi, ben: MailApi) -> None:
    to = [BEN, "nobody@example.org", "x@far.test"]
    answer = await send(anna, 422, to=to, cc=["gone@example.org"], bcc=["x@[127.0.0.1]"])
    assert [(one["recipient"], one["status"]) for one in answer["recipients"]] == [
        ("nobody@example.org", "5.1.1"),
        ("gone@example.org", "5.1.1"),
        ("x@[127.0.0.1]", "5.1.2"),
    ]
    assert "nobody@example.org" in answer["detail"]
    await nothing_happened(anna, ben)


async def test_a_full_mailbox_and_a_suspended_account_refuse(anna: MailApi, ben: MailApi) -> None:
    async with anna.api.services.database.acquire() as connection:
        await connection.execute("UPDATE account SET quota_bytes = 10 WHERE id = $1", ben.account)
    anna.api.services.directory.invalidate()
    answer = await send(anna, 422)
    assert [one["status"] for one in answer["recipients"]] == ["4.2.2"]
    async with anna.api.services.database.acquire() as connection:
        await connection.execute("UPDATE account SET suspended = true WHERE id = $1", ben.account)
    anna.api.services.directory.invalidate()
    assert (await send(anna, 422))["recipients"][0]["status"] == "5.2.1"
    async with anna.api.services.database.acquire() as connection:
        await connection.execute("UPDATE account SET suspended = false WHERE id = $1", ben.account)
    await nothing_happened(anna, ben)


BAD_LETTERS = [
    {"to": []},
    {"to": ["no address"]},
    {"to": ["a@-x.test"]},
    {"from": "no address"},
    {"subject": "a\r\nBcc: x@far.test"},
    {"subject": "a\nb"},
    {"to": [{"name": "x\r\nBcc: y@far.test", "address": BEN}]},
    {"to": ["ben@example.org\r\nBcc: x@far.test"]},
    {"in_reply_to": "<x>\r\nX: y"},
    {"in_reply_to": "x@y"},
    {"attachments": [{"name": "x", "content": "not base64!"}]},
    {"attachments": [{"name": "x\n", "content": ""}]},
    {"attachments": [{"name": "x", "type": "text/html\r\nX: y", "content": ""}]},
    {"text": "a\0b"},
    {"unknown": {"X": "y"}},
    {"to": BEN},
]


@pytest.mark.parametrize("fields", BAD_LETTERS, ids=str)
async def test_bad_letters_are_refused_whole(anna: MailApi, ben: MailApi, fields: dict[str, Any]) -> None:
    await send(anna, 422, **fields)
    await nothing_happened(anna, ben)


async def test_the_sender_has_to_be_the_accounts(anna: MailApi, ben: MailApi) -> None:
    directory = anna.api.services.directory
    await directory.create_alias("sales@example.org", [ANNA])
    for sender in (BEN, "x@far.test", "nobody@example.org"):
        assert "not an address of this account" in (await send(anna, 403, **{"from": sender}))["detail"]
    raw = b"From: %b\r\nTo: ben@example.org\r\n\r\nx\r\n"
    for sender in (b"ben@example.org", b"anna@example.org, ben@example.org\r\nSender: anna@example.org"):
        await anna.call("POST", "/send/raw", 403, content=raw % sender, headers=RAW)
    await anna.call("POST", "/send/raw", 403, content=raw % b"anna@example.org\r\nSender: ben@example.org", headers=RAW)
    await nothing_happened(anna, ben)
    for sender in ("sales@example.org", "anna+tag@example.org", "ANNA@example.org"):
        await send(anna, **{"from": {"name": "Anna", "address": sender}})
    assert [one["from"][0]["address"] for one in await ben.messages()] == [
        "ANNA@example.org",
        "anna+tag@example.org",
        "sales@example.org",
    ]
    async with anna.api.services.database.acquire() as connection:
        await connection.execute("UPDATE account SET disabled = '{smtp}' WHERE id = $1", anna.account)
    await send(anna, 403)


async def test_a_raw_message_goes_as_it_is_but_for_bcc(anna: MailApi, ben: MailApi) -> None:
    raw = (
        b"From: Anna <anna@example.org>\nTo: team: ben@example.org, x@far.test;\nBcc: y@far.test,\n z@far.test\n"
        b"Subject: =?utf-8?q?=C3=B6?=\nX-Mine: kept\n\nbody\n"
    )
    answer = await anna.call("POST", "/send/raw", 202, content=raw, headers=RAW)
    assert (answer["local"], answer["remote"]) == (1, 3)
    (shown,) = await ben.messages()
    got = await raw_of(ben, await ben.inbox(), shown["uid"])
    assert got.endswith(b"Subject: =?utf-8?q?=C3=B6?=\r\nX-Mine: kept\r\n\r\nbody\r\n")
    assert b"far.test" not in got.replace(b"x@far.test", b"")
    assert answer["message_id"].encode() in got
    only = await anna.call(
        "POST", "/send/raw", 202, content=raw, headers=RAW, params={"recipient": ["w@far.test"], "save_to_sent": False}
    )
    assert (only["local"], only["remote"], only["saved"]) == (0, 1, None)


BAD_RAW = [
    b"",
    b"\r\n",
    b"To: ben@example.org\r\n\r\nx",
    b"From: anna@example.org\r\n\r\nx",
    b"From: anna@example.org\r\nTo: <>\r\n\r\nx",
    b"From: anna@example.org\r\nTo: b@-.test\r\n\r\nx",
    b"From: anna@example.org, anna+2@example.org\r\nTo: ben@example.org\r\n\r\nx",
    b"From: anna@example.org\r\nTo: ben@example.org\r\n\r\na\0b",
    b"From: anna@example.org\r\nTo: ben@example.org\r\n" + b"Received: x\r\n" * 60 + b"\r\nx",
    b"From: anna@example.org\r\nTo: " + b", ".join(b"u%d@far.test" % n for n in range(101)) + b"\r\n\r\nx",
]


@pytest.mark.parametrize("raw", BAD_RAW, ids=lambda raw: repr(raw[:60]))
async def test_bad_raw_messages_are_refused(anna: MailApi, ben: MailApi, raw: bytes) -> None:
    await anna.call("POST", "/send/raw", 422, content=raw, headers=RAW)
    await nothing_happened(anna, ben)


async def test_what_is_too_large_is_refused(anna: MailApi, ben: MailApi) -> None:
    await send(anna, 413, text="x " * 60_000)
    raw = b"From: anna@example.org\r\nTo: ben@example.org\r\n\r\n" + b"x" * 100_000
    await anna.call("POST", "/send/raw", 413, content=raw, headers=RAW)
    await anna.call("POST", "/send/raw", 415, content=raw, headers={"Content-Type": "text/plain"})
    await nothing_happened(anna, ben)


async def test_the_limits_of_submission_hold(anna: MailApi, ben: MailApi) -> None:
    async with anna.api.services.database.transaction() as connection:
        await connection.execute(
            """UPDATE account SET limits = '{"messages": [{"count": 2, "window_minutes": 60}]}' WHERE id = $1""",
            anna.account,
        )
    anna.api.services.directory.invalidate()
    await send(anna)
    await send(anna, 422, to=["nobody@example.org"])  # costs nothing
    await send(anna)
    answer = await anna.client.post(f"{anna.base}/send", json=LETTER)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "2 messages" in answer.json()["detail"]
    assert len(await ben.messages()) == 2


async def test_mail_of_a_held_account_waits_and_says_so(anna: MailApi) -> None:
    async with anna.api.services.database.transaction() as connection:
        await queue.hold_account(connection, anna.account, "looks taken over")
    assert (await send(anna))["held"] is False  # here it is not held
    assert (await send(anna, to=["x@far.test"]))["held"] is True
    assert await queued(anna) == {"x@far.test": "held"}


async def test_a_key_sends_once_also_when_asked_side_by_side(anna: MailApi, ben: MailApi) -> None:
    key = {"Idempotency-Key": "order-17"}
    first = await send(anna, headers=key, to=[BEN, "x@far.test"])
    assert await send(anna, headers=key, to=[BEN, "x@far.test"]) == first
    await send(anna, 422, headers=key, to=[BEN])  # another request
    assert len(await ben.messages()) == 1
    assert len(await sent_copies(anna)) == 1
    url, body = f"{anna.base}/send", {**LETTER, "subject": "burst"}
    answers = await asyncio.gather(
        *(anna.client.post(url, json=body, headers={"Idempotency-Key": "burst"}) for _ in range(12))
    )
    assert {answer.status_code for answer in answers} <= {202, 409}
    accepted = [answer.json() for answer in answers if answer.status_code == 202]
    assert accepted
    assert all(answer == accepted[0] for answer in accepted)
    assert [one["subject"] for one in await ben.messages()] == ["burst", "hello"]
    raw = b"From: anna@example.org\r\nTo: ben@example.org\r\n\r\nx\r\n"
    for _ in range(2):
        await anna.call("POST", "/send/raw", 202, content=raw, headers={**RAW, "Idempotency-Key": "raw"})
    assert len(await ben.messages()) == 3
    await send(ben, 202, headers=key, **{"from": BEN})  # keys are each account's own


async def test_a_key_is_forgotten_after_a_day_and_a_refusal_at_once(anna: MailApi, ben: MailApi) -> None:
    key = {"Idempotency-Key": "k"}
    await send(anna, 422, headers=key, to=["nobody@example.org"])
    await send(anna, headers=key)
    async with anna.api.services.database.acquire() as connection:
        await connection.execute("UPDATE send_request SET created_at = now() - interval '25 h'")
    await send(anna, headers=key)
    assert len(await ben.messages()) == 2
    for bad in ("", "two words", "x" * 256, "a\tb"):
        await send(anna, 422, headers={"Idempotency-Key": bad})


async def test_a_utf8_address_is_sent_with_smtputf8(anna: MailApi) -> None:
    await send(anna, to=["jörg@far.test"])
    async with anna.api.services.database.acquire() as connection:
        assert await connection.fetchval("SELECT smtputf8 FROM queue_message")


async def test_a_super_admin_may_send_for_an_account_and_it_is_written_down(anna: MailApi, ben: MailApi) -> None:
    async with await anna.api.admin() as root:
        answer: httpx.Response = await root.post(f"{anna.base}/send", json=LETTER)
        assert answer.status_code == 202
        assert (await root.post(f"{anna.base}/send", json={**LETTER, "from": BEN})).status_code == 403
    assert len(await ben.messages()) == 1
    assert [one["target"] for one in await anna.api.audit() if one["action"] == "mail.write"] == [ANNA, ANNA]
    await anna.api.services.trace.flush()
    async with anna.api.services.database.acquire() as connection:
        events = await connection.fetch("SELECT kind, recipient FROM trace_event")
    assert [(event["kind"], event["recipient"]) for event in events] == [("delivered", BEN)]
