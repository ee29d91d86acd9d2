"""One mailstore behind both: what the API does IMAP sessions hear at once, the other way round, and both at a time."""

import asyncio
import random
import re
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from mailraven.testing.imap_dialogue import Dialogue
from mailraven.testing.mail_clients import Mailserver

RAW = {"Content-Type": "message/rfc822"}
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "$Work")
_FETCH = re.compile(rb"\d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) BODY\[HEADER.FIELDS \(SUBJECT\)\] ")
_SUBJECT = re.compile(rb"Subject: (\S+)")


def letter(name: str) -> bytes:
    return f"From: x@far.test\r\nSubject: {name}\r\n\r\ntext of {name}\r\n".encode()


@dataclass
class Api:
    """The mail of one account."""

    client: httpx.AsyncClient
    base: str

    async def call(self, method: str, path: str, **options: Any) -> Any:
        answer = await self.client.request(method, self.base + path, **options)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def box(self, name: str) -> dict[str, Any]:
        boxes = (await self.call("GET", "/mailboxes"))["items"]
        found: dict[str, Any] = next(box for box in boxes if box["name"] == name)
        return found

    async def make(self, name: str) -> int:
        return int((await self.call("POST", "/mailboxes", json={"name": name}))["id"])

    async def upload(self, box: int, name: str) -> int:
        made = await self.call("POST", f"/mailboxes/{box}/messages", content=letter(name), headers=RAW)
        return int(made["uid"])

    async def contents(self, box: int) -> dict[int, tuple[str, frozenset[str]]]:
        """Subject and flags by UID, page by page."""
        found: dict[int, tuple[str, frozenset[str]]] = {}
        cursor = ""
        while cursor is not None:
            params = {"limit": 50, "cursor": cursor, "preview": "false"}
            page = await self.call("GET", f"/mailboxes/{box}/messages", params=params)
            for item in page["items"]:
                assert item["uid"] not in found
                found[item["uid"]] = (item["subject"], frozenset(item["flags"] + item["keywords"]))
            cursor = page["next"]
        return found


@pytest.fixture
async def api(server: Mailserver) -> AsyncIterator[Api]:
    headers = {"Authorization": f"Bearer {server.ready['admin_token']}"}
    async with httpx.AsyncClient(base_url=server.ready["http"]["url"], headers=headers, trust_env=False) as client:
        yield Api(client, f"/api/v1/accounts/{server.user(0)[0]}")


@asynccontextmanager
async def imap(server: Mailserver, select: str | None = None) -> AsyncIterator[Dialogue]:
    tls = ssl.create_default_context(cafile=server.ca_file)
    async with await Dialogue.connect("localhost", server.port("imaps"), tls) as client:
        await client.login(*server.user(0))
        if select is not None:
            await client.ok(f'SELECT "{select}"')
        yield client


async def listed(client: Dialogue) -> dict[int, tuple[str, frozenset[str]]]:
    answer = await client.ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    found = {}
    for line in answer.untagged:
        if (head := _FETCH.match(line)) and (subject := _SUBJECT.search(line)):
            flags = frozenset(head[2].decode().split()) - {"\\Recent"}
            found[int(head[1])] = (subject[1].decode(), flags)
    return found


async def heard(client: Dialogue, wanted: bytes) -> bytes:
    """The next line with these words, soon."""
    async with asyncio.timeout(5):
        while wanted not in (line := await client.line()):
            pass
        return line


async def test_idle_hears_of_what_the_api_does(server: Mailserver, api: Api) -> None:
    box = await api.make("heard-by-idle")
    async with imap(server, "heard-by-idle") as client:
        tag = await client.idle()
        uid = await api.upload(box, "one")
        assert await heard(client, b" EXISTS") == b"* 1 EXISTS"
        await api.call("PATCH", f"/mailboxes/{box}/messages/{uid}", json={"add": ["\\Seen", "Work"]})
        line = await heard(client, b" FETCH ")
        assert b"\\Seen" in line
        assert b"Work" in line
        await api.call("DELETE", f"/mailboxes/{box}/messages/{uid}")
        assert await heard(client, b" EXPUNGE") == b"* 1 EXPUNGE"
        assert (await client.done(tag)).status == "OK"


async def test_noop_hears_of_what_the_api_did(server: Mailserver, api: Api) -> None:
    box = await api.make("heard-by-noop")
    async with imap(server, "heard-by-noop") as client:
        first, second = [await api.upload(box, name) for name in ("one", "two")]
        assert (await client.ok("NOOP")).lines("EXISTS") == [b"2 EXISTS"]
        await api.call("PATCH", f"/mailboxes/{box}/messages", json={"uids": [first, second], "add": ["\\Flagged"]})
        assert len((await client.ok("NOOP")).lines("FETCH")) == 2
        await api.call("POST", f"/mailboxes/{box}/messages/delete", json={"uids": [first, second], "permanently": True})
        assert (await client.ok("NOOP")).lines("EXPUNGE") == [b"2 EXPUNGE", b"1 EXPUNGE"]
        assert await listed(client) == {}


async def test_the_api_sees_at_once_what_imap_did(server: Mailserver, api: Api) -> None:
    box, other = await api.make("seen-by-api"), await api.make("seen-by-api-2")
    async with imap(server, "seen-by-api") as client:
        for name in ("one", "two", "three"):
            assert (await client.append("seen-by-api", letter(name), "(\\Draft)")).status == "OK"
            assert name in [subject for subject, _ in (await api.contents(box)).values()]
        await client.ok("UID STORE 1 FLAGS (\\Seen Work)")
        assert (await api.contents(box))[1] == ("one", frozenset(("\\Seen", "Work")))
        await client.ok("UID MOVE 2 seen-by-api-2")
        assert (sorted(await api.contents(box)), list(await api.contents(other))) == ([1, 3], [1])
        await client.ok("UID STORE 3 +FLAGS.SILENT (\\Deleted)")
        assert (await api.box("seen-by-api"))["deleted"] == 1
        await client.ok("EXPUNGE")
        assert list(await api.contents(box)) == [1]
        await client.ok("RENAME seen-by-api-2 renamed-by-imap")
        assert (await api.box("renamed-by-imap"))["id"] == other
        found = await api.call("GET", f"/mailboxes/{box}/messages", params={"q": "TEXT OF one"})
        assert [item["uid"] for item in found["items"]] == [1]


@dataclass
class Ledger:
    """What was put in, and what somebody may have taken out."""

    boxes: dict[str, int]
    put: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    known: dict[tuple[str, int], str] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)

    def pick(self, rng: random.Random) -> tuple[str, int] | None:
        """Some message, as far as anybody knows."""
        return rng.choice(list(self.known)) if self.known else None

    def moved(self, box: str, uid: int, target: str, new: int) -> None:
        name = self.known.pop((box, uid), None)
        if name is not None:
            self.known[target, new] = name


class ApiWorker:
    """Acts through the API."""

    def __init__(self, api: Api, ledger: Ledger, number: int) -> None:
        self.api, self.ledger, self.number, self.count = api, ledger, number, 0

    async def put(self, box: str) -> None:
        name = f"api{self.number}-{self.count}"
        self.count += 1
        self.ledger.put.add(name)
        uid = await self.api.upload(self.ledger.boxes[box], name)
        self.ledger.known[box, uid] = name

    async def flag(self, box: str, uid: int, flag: str, on: bool) -> None:
        body = {"uids": [uid], "add" if on else "remove": [flag]}
        await self.api.call("PATCH", f"/mailboxes/{self.ledger.boxes[box]}/messages", json=body)

    async def move(self, box: str, uid: int, target: str) -> None:
        body = {"uids": [uid], "mailbox_id": self.ledger.boxes[target]}
        moved = await self.api.call("POST", f"/mailboxes/{self.ledger.boxes[box]}/messages/move", json=body)
        for item in moved["items"]:
            self.ledger.moved(box, uid, target, item["new_uid"])
            self.ledger.done["moved"] += 1

    async def remove(self, box: str, uid: int) -> None:
        self.ledger.removed.add(self.ledger.known.pop((box, uid), ""))
        body = {"uids": [uid], "permanently": True}
        await self.api.call("POST", f"/mailboxes/{self.ledger.boxes[box]}/messages/delete", json=body)


class ImapWorker:
    """Acts through an IMAP session for each mailbox."""

    def __init__(self, sessions: dict[str, Dialogue], ledger: Ledger, number: int) -> None:
        self.sessions, self.ledger, self.number, self.count = sessions, ledger, number, 0

    async def put(self, box: str) -> None:
        name = f"imap{self.number}-{self.count}"
        self.count += 1
        self.ledger.put.add(name)
        answer = await self.sessions[box].append(box, letter(name))
        assert answer.status == "OK", answer
        code = re.match(r"\[APPENDUID \d+ (\d+)\]", answer.text)
        assert code is not None
        self.ledger.known[box, int(code[1])] = name

    async def flag(self, box: str, uid: int, flag: str, on: bool) -> None:
        await self.sessions[box].ok(f"UID STORE {uid} {'+' if on else '-'}FLAGS ({flag})")

    async def move(self, box: str, uid: int, target: str) -> None:
        answer = await self.sessions[box].ok(f"UID MOVE {uid} {target}")
        text = b"\n".join(answer.untagged).decode("latin-1") + answer.text
        if code := re.search(r"COPYUID \d+ (\d+) (\d+)", text):
            self.ledger.moved(box, int(code[1]), target, int(code[2]))
            self.ledger.done["moved"] += 1

    async def remove(self, box: str, uid: int) -> None:
        self.ledger.removed.add(self.ledger.known.pop((box, uid), ""))
        await self.sessions[box].ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        await self.sessions[box].ok(f"UID EXPUNGE {uid}")


async def work(worker: ApiWorker | ImapWorker, rng: random.Random, rounds: int) -> None:
    ledger = worker.ledger
    for _ in range(rounds):
        picked = ledger.pick(rng)
        action = rng.choices(("put", "flag", "move", "remove"), (4, 4, 3, 1))[0]
        if picked is None or action == "put":
            await worker.put(rng.choice(list(ledger.boxes)))
        elif action == "flag":
            await worker.flag(*picked, rng.choice(FLAGS), rng.random() < 0.7)
        elif action == "move":
            await worker.move(*picked, next(box for box in ledger.boxes if box != picked[0]))
        else:
            await worker.remove(*picked)
        ledger.done[action] += 1


async def test_both_at_once_lose_and_double_nothing(server: Mailserver, api: Api) -> None:
    names = ("both-a", "both-b")
    ledger = Ledger({name: await api.make(name) for name in names})
    async with AsyncExitStack() as stack:
        workers: list[ApiWorker | ImapWorker] = [ApiWorker(api, ledger, number) for number in range(3)]
        for number in range(3):
            sessions = {name: await stack.enter_async_context(imap(server, name)) for name in names}
            workers.append(ImapWorker(sessions, ledger, number))
        async with asyncio.TaskGroup() as group:
            for number, worker in enumerate(workers):
                group.create_task(work(worker, random.Random(number), 60))
        assert all(ledger.done[action] > 10 for action in ("put", "flag", "move", "remove")), ledger.done
        found: Counter[str] = Counter()
        for name, box in ledger.boxes.items():
            by_api = await api.contents(box)
            async with imap(server, name) as fresh:
                assert await listed(fresh) == by_api
            for worker in workers:
                if isinstance(worker, ImapWorker):  # those that were there all the time agree as well
                    await worker.sessions[name].ok("NOOP")
                    assert await listed(worker.sessions[name]) == by_api
            shown = await api.box(name)
            assert shown["messages"] == len(by_api)
            assert shown["unseen"] == sum("\\Seen" not in flags for _, flags in by_api.values())
            assert shown["deleted"] == sum("\\Deleted" in flags for _, flags in by_api.values())
            found.update(subject for subject, _ in by_api.values())
        assert set(found.values()) <= {1}  # nothing twice
        assert set(found) <= ledger.put
        assert ledger.put - set(found) <= ledger.removed  # nothing lost
