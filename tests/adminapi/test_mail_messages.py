"""Messages of a mailbox through the API: pages, search, upload, flags, copy, move, delete, download."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailraven.testing.mail_api import RAW, MailApi, running_mail_api

BOX_PATH = "/mailboxes/{}/messages"


def message(subject: str = "hello", body: bytes = b"Text", sender: str = "x@far.test", extra: bytes = b"") -> bytes:
    return b"From: %b\r\nTo: anna@example.org\r\nSubject: %b\r\n%b\r\n%b\r\n" % (
        sender.encode(),
        subject.encode(),
        extra,
        body,
    )


@pytest.fixture
async def both(dsn: str, tmp_path: Path) -> AsyncIterator[tuple[MailApi, MailApi]]:
    config = {"smtp": {"max_message_size": 200_000}}
    async with running_mail_api(dsn, tmp_path, config=config) as running:
        yield running


@pytest.fixture
def anna(both: tuple[MailApi, MailApi]) -> MailApi:
    return both[0]


@pytest.fixture
async def box(anna: MailApi) -> str:
    """Path of the messages of INBOX."""
    return BOX_PATH.format(await anna.inbox())


async def test_a_list_shows_what_is_needed_to_choose(anna: MailApi) -> None:
    extra = b"Message-ID: <1@far.test>\r\nIn-Reply-To: <0@far.test>\r\nCc: =?utf-8?q?J=C3=B6rg?= <j@x.test>\r\n"
    raw = message("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", b"  First   line\r\nsecond", '"X, Y" <x@far.test>', extra)
    uid = await anna.upload(raw, flag=["\\flagged", "Work"], internal_date="2026-08-01T10:00:00+02:00")
    (shown,) = await anna.messages()
    assert shown.pop("modseq") > 0
    assert shown == {
        "uid": uid,
        "flags": ["\\Flagged"],
        "keywords": ["Work"],
        "size": len(raw),
        "internal_date": "2026-08-01T08:00:00Z",
        "date": "",
        "subject": "Grüße",
        "from": [{"name": "X, Y", "address": "x@far.test"}],
        "to": [{"name": "", "address": "anna@example.org"}],
        "cc": [{"name": "Jörg", "address": "j@x.test"}],
        "message_id": "<1@far.test>",
        "in_reply_to": "<0@far.test>",
        "preview": "First line second",
        "has_attachments": False,
    }
    assert (await anna.messages(preview=False))[0]["preview"] is None


async def test_pages_by_cursor_in_both_orders_lose_and_repeat_nothing(anna: MailApi, box: str) -> None:
    for n in range(7):
        await anna.upload(message(f"s{n}", b"needle" if n % 2 else b"hay"))
    for params in ({}, {"sort": "oldest"}, {"q": "NEEDLE"}, {"q": "needle", "sort": "oldest"}):
        seen: list[int] = []
        cursor = ""
        while cursor is not None:
            page = await anna.call("GET", box, params={**params, "limit": 2, "cursor": cursor})
            assert len(page["items"]) <= 2
            seen += [item["uid"] for item in page["items"]]
            cursor = page["next"]
            if len(seen) == 2:  # what comes meanwhile does not shift the pages
                new = await anna.upload(message("new", b"needle"))
        expected = [2, 4, 6] if "q" in params else [1, 2, 3, 4, 5, 6, 7]
        assert set(expected) <= set(seen)
        assert seen == sorted(set(seen), reverse="sort" not in params)
        await anna.call("DELETE", f"{box}/{new}", params={"permanently": True})
    await anna.call("GET", box, 422, params={"cursor": "!"})
    await anna.call("GET", box, 422, params={"limit": 0})


SEARCHES = [
    ({"q": "grüße"}, [1, 3]),
    ({"q": "BODY of"}, [2]),
    ({"q": "%"}, []),
    ({"from": "far.test"}, [1, 3]),
    ({"to": "anna"}, [1, 2, 3]),
    ({"subject": "grü"}, [1]),
    ({"header": "List-Id: dev"}, [2]),
    ({"header": "List-Id"}, [2]),
    ({"header": "X-None"}, []),
    ({"since": "2026-08-02"}, [2, 3]),
    ({"before": "2026-08-02"}, [1]),
    ({"larger": 2000}, [3]),
    ({"smaller": 2000}, [1, 2]),
    ({"unread": "true"}, [2, 3]),
    ({"unread": "false"}, [1]),
    ({"flagged": "true"}, [2]),
    ({"keyword": "work"}, [2]),
    ({"keyword": ["Work", "\\Seen"]}, []),
    ({"keyword": "unheard-of"}, []),
    ({"unread": "true", "larger": 2000}, [3]),
    ({"q": "' OR 1=1 --"}, []),
    ({"larger": 2**63 - 1}, []),
]


@pytest.mark.parametrize(("params", "expected"), SEARCHES, ids=str)
async def test_search(anna: MailApi, params: dict[str, object], expected: list[int]) -> None:
    await anna.upload(message("Grüße"), flag="\\Seen", internal_date="2026-08-01T23:00:00Z")
    await anna.upload(
        message("other", b"the body of it", "y@near.test", b"List-Id: <dev.x>\r\n"),
        flag=["\\Flagged", "Work"],
        internal_date="2026-08-02T01:00:00Z",
    )
    await anna.upload(message("x", "grüße".encode() + b" word" * 500), internal_date="2026-08-03T01:00:00Z")
    assert sorted(await anna.uids(**params)) == expected


BAD_QUERIES = [
    {"since": "yesterday"},
    {"larger": -1},
    {"larger": 2**63},
    {"header": "not a name: x"},
    {"keyword": "two words"},
    {"keyword": "\\Recent"},
    {"sort": "size"},
    {"q": "x" * 501},
    {"unread": "perhaps"},
    {"q": "\0"},
]


@pytest.mark.parametrize("params", BAD_QUERIES, ids=str)
async def test_bad_queries_are_refused(anna: MailApi, box: str, params: dict[str, object]) -> None:
    await anna.call("GET", box, 422, params=params)


async def test_what_is_not_there_is_not_found(anna: MailApi, both: tuple[MailApi, MailApi], box: str) -> None:
    theirs = await both[1].inbox()
    for where in ("/mailboxes/999/messages", BOX_PATH.format(theirs)):
        await anna.call("GET", where, 404)
        await anna.call("GET", f"{where}?q=x", 404)
        await anna.call("POST", where, 404, content=b"x", headers=RAW)
        for action, body in (
            ("copy", {"uids": [1], "mailbox_id": theirs}),
            ("move", {"uids": [1], "mailbox_id": theirs}),
            ("delete", {"uids": [1]}),
        ):
            await anna.call("POST", f"{where}/{action}", 404, json=body)
        await anna.call("PATCH", where, 404, json={"uids": [1], "add": ["\\Seen"]})
    for path in ("/7", "/7/raw", "/7/parts/1"):
        await anna.call("GET", box + path, 404)
    await anna.call("PATCH", f"{box}/7", 404, json={"add": ["\\Seen"]})
    await anna.call("DELETE", f"{box}/7", 404)
    for bad in ("0", "4294967296", "-1", "x", "1e3"):
        await anna.call("GET", f"{box}/{bad}", 422)


async def test_uploads_are_bounded_and_all_or_nothing(anna: MailApi, box: str) -> None:
    await anna.call("POST", box, 415, content=message(), headers={"Content-Type": "text/plain"})
    await anna.call("POST", box, 415, content=b"{}", headers={"Content-Type": "application/json"})
    await anna.call("POST", box, 413, content=b"x" * 200_001, headers=RAW)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b"x" * 1000

    await anna.call("POST", box, 413, content=pieces(), headers=RAW)
    for bad in (b"", b"\r\n \r\n", b"Subject: x\r\n\r\na\0b"):
        await anna.call("POST", box, 422, content=bad, headers=RAW)
    for params in ({"flag": "a b"}, {"flag": "\\Nonsense"}, {"internal_date": "2026-08-01T10:00:00"}):
        await anna.call("POST", box, 422, content=message(), headers=RAW, params=params)
    assert await anna.uids() == []
    services = anna.api.services
    assert services.mail_memory.free == services.mail_memory._total
    async with services.database.acquire() as connection:
        await connection.execute("UPDATE account SET quota_bytes = 100")
    assert "quota" in (await anna.call("POST", box, 422, content=message(body=b"x" * 100), headers=RAW))["detail"]
    assert await anna.uids() == []


async def test_an_upload_keeps_its_octets_but_for_bare_line_ends(anna: MailApi, box: str) -> None:
    eight_bit = message(body=bytes(range(1, 10)) + bytes(range(14, 256)))
    large = message(body=base64.encodebytes(bytes(100_000)).replace(b"\n", b"\r\n"))
    unix = message().replace(b"\r\n", b"\n")
    for raw, expected in ((eight_bit, eight_bit), (large, large), (unix, message())):
        uid = await anna.upload(raw)
        answer = await anna.client.get(f"{anna.base}{box}/{uid}/raw")
        assert answer.content == expected
        assert answer.headers["content-type"] == "message/rfc822"
        assert answer.headers["content-disposition"].startswith(f'attachment; filename="message-{uid}.eml"')
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_flags_change_together_and_conflicts_are_named(anna: MailApi, box: str) -> None:
    for _ in range(3):
        await anna.upload(message(), flag="\\Draft")
    changed = await anna.call(
        "PATCH", box, json={"uids": [3, 1, 1, 9], "add": ["\\Seen", "$Work"], "remove": ["\\draft"]}
    )
    assert (changed["missing"], changed["conflicts"]) == ([9], [])
    assert [(one["uid"], one["flags"], one["keywords"]) for one in changed["items"]] == [
        (1, ["\\Seen"], ["$Work"]),
        (3, ["\\Seen"], ["$Work"]),
    ]
    before = {one["uid"]: one["modseq"] for one in await anna.messages()}
    assert before[1] == before[3] > before[2]  # one change
    conflict = await anna.call(
        "PATCH", box, json={"uids": [1, 2], "replace": ["\\Answered"], "unchanged_since": before[2]}
    )
    assert conflict["conflicts"] == [1]
    flags = {one["uid"]: (one["flags"], one["keywords"]) for one in await anna.messages()}
    assert flags == {1: (["\\Seen"], ["$Work"]), 2: (["\\Answered"], []), 3: (["\\Seen"], ["$Work"])}
    assert (await anna.mailbox())["unseen"] == 1


async def test_flags_of_one_message_with_if_match(anna: MailApi, box: str) -> None:
    uid = await anna.upload(message())
    shown = await anna.client.get(f"{anna.base}{box}/{uid}")
    tag = shown.headers["etag"]
    first = await anna.call("PATCH", f"{box}/{uid}", json={"add": ["\\Seen"]}, headers={"If-Match": tag})
    assert first["flags"] == ["\\Seen"]
    late = await anna.call("PATCH", f"{box}/{uid}", 412, json={"add": ["\\Deleted"]}, headers={"If-Match": tag})
    assert late["modseq"] == first["modseq"]
    assert (await anna.messages())[0]["flags"] == ["\\Seen"]


BAD_CHANGES = [
    {},
    {"add": []},
    {"add": ["\\Seen"], "replace": []},
    {"add": ["\\Seen"], "remove": ["\\SEEN"]},
    {"add": ["\\Recent"]},
    {"add": ["\\\u017feen"]},
    {"add": ["a(b"]},
    {"add": ["x" * 101]},
    {"add": [f"k{n}" for n in range(65)]},
    {"add": ["\\Seen"], "unchanged_since": -1},
    {"add": ["\\Seen"], "unchanged_since": 2**63},
    {"add": ["\\Seen"], "unknown": 1},
    {"add": "\\Seen"},
]


@pytest.mark.parametrize("body", BAD_CHANGES, ids=str)
async def test_bad_changes_of_flags_change_nothing(anna: MailApi, box: str, body: dict[str, object]) -> None:
    uid = await anna.upload(message())
    await anna.call("PATCH", f"{box}/{uid}", 422, json=body)
    await anna.call("PATCH", box, 422, json={"uids": [uid], **body})
    await anna.call("PATCH", box, 422, json={"uids": [], "add": ["\\Seen"]})
    await anna.call("PATCH", box, 422, json={"uids": [2**32], "add": ["\\Seen"]})
    (shown,) = await anna.messages()
    assert (shown["flags"], shown["keywords"]) == ([], [])


async def test_more_keywords_than_a_mailbox_has_are_refused(anna: MailApi, box: str) -> None:
    uid = await anna.upload(message())
    await anna.call("PATCH", f"{box}/{uid}", json={"add": [f"k{n}" for n in range(58)]})
    await anna.call("PATCH", f"{box}/{uid}", 422, json={"replace": ["one-more"]})
    assert len((await anna.messages())[0]["keywords"]) == 58


async def test_copy_and_move_tell_the_new_uids(anna: MailApi, box: str) -> None:
    for n in range(3):
        await anna.upload(message(f"s{n}"), flag=["\\Flagged", "Work"])
    target = await anna.call("POST", "/mailboxes", 201, json={"name": "Target"})
    body = {"uids": [2, 1, 8], "mailbox_id": target["id"]}
    copied = await anna.call("POST", f"{box}/copy", json=body)
    assert copied["items"] == [{"uid": 1, "new_uid": 1}, {"uid": 2, "new_uid": 2}]
    assert (copied["missing"], copied["uidvalidity"]) == ([8], target["uidvalidity"])
    moved = await anna.call("POST", f"{box}/move", json={"uids": [3], "mailbox_id": target["id"]})
    assert moved["items"] == [{"uid": 3, "new_uid": 3}]
    assert await anna.uids() == [2, 1]
    shown = await anna.messages(target["id"])
    assert [(one["subject"], one["flags"], one["keywords"]) for one in shown] == [
        (f"s{n}", ["\\Flagged"], ["Work"]) for n in (2, 1, 0)
    ]
    for action in ("copy", "move"):
        await anna.call("POST", f"{box}/{action}", 422, json={"uids": [1], "mailbox_id": 10**6})
    assert await anna.uids() == [2, 1]


async def test_delete_goes_to_trash_first_and_for_good_when_asked(anna: MailApi, box: str) -> None:
    for _ in range(4):
        await anna.upload(message())
    await anna.call("PATCH", f"{box}/4", json={"add": ["\\Deleted"]})
    deleted = await anna.call("DELETE", f"{box}/1")
    trash = next(one for one in (await anna.call("GET", "/mailboxes"))["items"] if one["special_use"] == "\\Trash")
    assert deleted["moved"]["mailbox_id"] == trash["id"]
    assert await anna.uids(trash["id"]) == [1]
    await anna.call("DELETE", BOX_PATH.format(trash["id"]) + "/1", 409)
    await anna.call("DELETE", BOX_PATH.format(trash["id"]) + "/1", params={"permanently": True})
    gone = await anna.call("DELETE", f"{box}/2", params={"permanently": True})
    assert (gone["removed"], gone["moved"]) == ([2], None)
    many = await anna.call("POST", f"{box}/delete", json={"uids": [3, 2], "permanently": True})
    assert (many["removed"], many["missing"]) == ([3], [2])
    assert await anna.uids() == [4]  # whatever its flag \Deleted says
    inbox = await anna.mailbox()
    assert (inbox["messages"], inbox["deleted"]) == (1, 1)


async def test_trash_is_made_when_there_is_none(anna: MailApi, box: str) -> None:
    for one in (await anna.call("GET", "/mailboxes"))["items"]:
        if one["special_use"] == "\\Trash":
            await anna.call("DELETE", f"/mailboxes/{one['id']}", 204)
    await anna.upload(message())
    await anna.call("DELETE", f"{box}/1")
    made = await anna.mailbox("Trash")
    assert (made["special_use"], made["messages"], made["subscribed"]) == ("\\Trash", 1, True)


MULTIPART = (
    b"From: x@far.test\r\nSubject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nplain\r\n"
    b"--b\r\nContent-Type: text/html\r\nContent-Disposition: inline; filename=evil.html\r\n\r\n"
    b"<script>alert(1)</script>\r\n"
    b"--b\r\nContent-Type: image/svg+xml\r\n\r\n<svg onload='x'/>\r\n"
    b"--b\r\nContent-Type: image/png; name*=utf-8''%C3%B6.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(bytes(range(256)) * 30).replace(b"\n", b"\r\n")
    + b'--b\r\nContent-Type: text/plain; charset="x\r\n\t;y"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    b"a=3Db=\r\nc\r\n"
    b"--b--\r\n"
)


async def test_parts_are_downloads_that_no_browser_runs(anna: MailApi, box: str) -> None:
    uid = await anna.upload(MULTIPART)
    shown = await anna.call("GET", f"{box}/{uid}")
    assert [part["section"] for part in shown["parts"]] == ["1", "2", "3", "4", "5"]
    assert shown["html"][0] == {
        "section": "2",
        "text": "<script>alert(1)</script>",
        "truncated": False,
        "untrusted": True,
    }
    expected = {
        "1": (b"plain", "text/plain; charset=us-ascii"),
        "2": (b"<script>alert(1)</script>", "application/octet-stream"),
        "3": (b"<svg onload='x'/>", "application/octet-stream"),
        "4": (bytes(range(256)) * 30, "image/png"),
        "5": (b"a=bc", "text/plain; charset=us-ascii"),
    }
    for section, (octets, kind) in expected.items():
        answer = await anna.client.get(f"{anna.base}{box}/{uid}/parts/{section}")
        assert (answer.content, answer.headers["content-type"]) == (octets, kind)
        assert answer.headers["content-disposition"].startswith("attachment; ")
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    named = await anna.client.get(f"{anna.base}{box}/{uid}/parts/4")
    assert named.headers["content-disposition"] == "attachment; filename=\"_.png\"; filename*=UTF-8''%C3%B6.png"
    await anna.call("GET", f"{box}/{uid}/parts/6", 404)
    await anna.call("GET", f"{box}/{uid}/parts/1.1", 404)
    for bad in ("0", "1.", "a", "1..2", "999999"):
        await anna.call("GET", f"{box}/{uid}/parts/{bad}", 422)


async def test_reading_changes_no_flag(anna: MailApi, box: str) -> None:
    uid = await anna.upload(MULTIPART)
    for path in ("", "/raw", "/parts/1"):
        assert (await anna.client.get(f"{anna.base}{box}/{uid}{path}")).status_code == 200
    assert (await anna.messages())[0]["flags"] == []


async def test_a_body_that_is_away_is_503_and_the_list_still_works(anna: MailApi, box: str, tmp_path: Path) -> None:
    uid = await anna.upload(message(body=b"x" * 50_000))
    for blob in (tmp_path / "blobs").rglob("*"):
        if blob.is_file():
            blob.unlink()
    for path in ("", "/raw", "/parts/1"):
        await anna.call("GET", f"{box}/{uid}{path}", 503)
    assert (await anna.messages())[0]["preview"] == ""
