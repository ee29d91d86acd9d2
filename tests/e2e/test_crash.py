"""Kill -9 at any moment loses no acknowledged message and shows none twice (docs/architecture.md, invariants)."""

import asyncio
import contextlib
import hashlib
import imaplib
import itertools
import os
import random
import re
import signal
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mailraven.testing.running import RunningServer

USERS = [f"{name}@example.test" for name in ("anna", "ben", "cleo")]
SMTP_CONNECTIONS = 20
APPENDERS = 3
LARGE = 40_000  # octets: above blobs.inline_max, so kept in the blob store
ATTEMPT = re.compile(rb"X-Attempt: ([\w.]+)\r\n")
REPLY_SECONDS = 20.0
# What dies, one after another. All: supervisor, workers and Postgres at one moment.
DEATHS = ("all", "worker", "all", "postgres", "supervisor", "all", "worker", "postgres", "all")


@dataclass
class Ledger:
    """What was tried and what the server has acknowledged. Each attempt has an id of its own."""

    tried: dict[str, tuple[str, ...]] = field(default_factory=dict)  # id: mailboxes' owners
    digests: dict[str, str] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    uids: dict[str, int] = field(default_factory=dict)  # of APPENDUID
    refusals: Counter[str] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def compose(self, users: tuple[str, ...], chance: random.Random) -> tuple[str, bytes]:
        """A new message for these users."""
        attempt = f"a{next(self._numbers)}.{chance.getrandbits(32):x}"
        size = LARGE if chance.random() < 0.03 else chance.randint(10, 2000)
        text = chance.randbytes(size).hex()[:size]
        lines = "\r\n".join(text[n : n + 70] for n in range(0, size, 70))
        content = (
            f"X-Attempt: {attempt}\r\nFrom: sender@elsewhere.example\r\nTo: {', '.join(users)}\r\n"
            f"Message-ID: <{attempt}@elsewhere.example>\r\nSubject: {attempt}\r\n\r\n{lines}\r\n"
        ).encode()
        self.tried[attempt] = users
        self.digests[attempt] = hashlib.sha256(content).hexdigest()
        return attempt, content


class Gone(Exception):
    """The server is away or says that it cannot just now: connect again."""


class Dialogue:
    """A connection that is opened again by its owner when it breaks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: tuple[str, int]) -> "Dialogue":
        return cls(*await asyncio.open_connection(*address))

    async def line(self) -> str:
        line = await asyncio.wait_for(self._reader.readline(), REPLY_SECONDS)
        if not line.endswith(b"\r\n"):
            raise Gone("connection closed")
        return line.decode().rstrip()

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def close(self) -> None:
        self._writer.transport.abort()


class Clients:
    """Senders that go on, whatever happens, until `stop` is set."""

    def __init__(self, server: RunningServer, ledger: Ledger, seed: int) -> None:
        self._server = server
        self._ledger = ledger
        self._seed = seed
        self.stop = asyncio.Event()

    async def run(self, kind: str, number: int) -> None:
        chance = random.Random(f"{self._seed} {kind} {number}")
        talk = {"smtp": self._deliver, "imap": self._append}[kind]
        address = self._server.address(kind)
        while not self.stop.is_set():
            dialogue = None
            try:
                dialogue = await Dialogue.open(address)
                await talk(dialogue, chance)
            except (Gone, OSError) as problem:
                self._ledger.refusals[str(problem)[:60]] += 1
                # Not synchronisation: a client waits a moment before it connects again.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), 0.02 + 0.05 * chance.random())
            finally:
                if dialogue is not None:
                    dialogue.close()

    async def _deliver(self, dialogue: Dialogue, chance: random.Random) -> None:
        await _reply(dialogue, "220")
        dialogue.send(b"EHLO client.example\r\n")
        await _reply(dialogue, "250")
        while not self.stop.is_set():
            users = tuple(chance.sample(USERS, 2 if chance.random() < 0.1 else 1))
            attempt, content = self._ledger.compose(users, chance)
            recipients = "".join(f"RCPT TO:<{user}>\r\n" for user in users)
            dialogue.send(f"MAIL FROM:<sender@elsewhere.example>\r\n{recipients}DATA\r\n".encode())
            for code in ("250", *("250" for _ in users), "354"):
                await _reply(dialogue, code)
            dialogue.send(content + b".\r\n")
            await _reply(dialogue, "250")
            self._ledger.acknowledged.add(attempt)

    async def _append(self, dialogue: Dialogue, chance: random.Random) -> None:
        user = chance.choice(USERS)
        await dialogue.line()
        dialogue.send(f'login LOGIN "{user}" "{self._server.passwords[user]}"\r\n'.encode())
        await _tagged(dialogue, "login")
        while not self.stop.is_set():
            attempt, content = self._ledger.compose((user,), chance)
            dialogue.send(b"%s APPEND INBOX {%d+}\r\n%s\r\n" % (attempt.encode(), len(content), content))
            answer = await _tagged(dialogue, attempt)
            found = re.search(r"\[APPENDUID \d+ (\d+)\]", answer)
            assert found, answer
            self._ledger.uids[attempt] = int(found[1])
            self._ledger.acknowledged.add(attempt)


async def _reply(dialogue: Dialogue, code: str) -> None:
    line = await dialogue.line()
    while line[3:4] == "-":
        line = await dialogue.line()
    if line.startswith(code):
        return
    assert line.startswith("4"), f"a permanent failure in a temporary condition: {line}"
    raise Gone(line)


async def _tagged(dialogue: Dialogue, tag: str) -> str:
    while not (line := await dialogue.line()).startswith(f"{tag} "):
        if line.startswith("* BYE"):
            raise Gone(line)
    status = line.removeprefix(f"{tag} ")
    if not status.startswith("OK"):
        assert "[UNAVAILABLE]" in status, f"a permanent failure in a temporary condition: {line}"
        raise Gone(line)
    return status


@dataclass(frozen=True)
class Mailbox:
    """An INBOX as IMAP shows it."""

    uidvalidity: int
    uidnext: int
    attempts: dict[int, str]  # by UID, in the server's order
    digests: dict[str, str]


def read_mailbox(server: RunningServer, user: str, *, whole: bool = False) -> Mailbox:
    """All of it; with `whole` the contents too."""
    context = ssl.create_default_context(cafile=server.ready["ca_file"])
    host, port = server.address("imaps")
    with imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=60) as client:
        client.login(user, server.passwords[user])
        client.select("INBOX", readonly=True)
        section = "BODY.PEEK[]" if whole else "BODY.PEEK[HEADER.FIELDS (X-Attempt)]"
        answer = client.uid("FETCH", "1:*", f"(UID {section})")[1]
        client.unselect()
        status = client.status("INBOX", "(UIDVALIDITY UIDNEXT)")[1][0]
    uidvalidity, uidnext = (int(number) for number in re.findall(rb"UID\w+ (\d+)", status))
    attempts: dict[int, str] = {}
    digests: dict[str, str] = {}
    for part in answer:
        if not isinstance(part, tuple):
            continue
        uid, attempt = re.search(rb"UID (\d+)", part[0]), ATTEMPT.search(part[1])
        assert uid, part
        assert attempt, part
        assert int(uid[1]) not in attempts, f"UID {int(uid[1])} is there twice"
        name = attempt[1].decode()
        attempts[int(uid[1])] = name
        digests[name] = hashlib.sha256(part[1][attempt.start() :]).hexdigest()
    return Mailbox(uidvalidity, uidnext, attempts, digests)


async def test_no_acknowledged_message_is_lost_or_doubled_by_sigkill(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    ledger = Ledger()
    server = RunningServer(
        tmp_path, users=USERS, workers=2, settings={"imap.allow_plaintext_login_from_loopback": "true"}
    )
    await asyncio.to_thread(server.start)
    try:
        before = {user: await asyncio.to_thread(read_mailbox, server, user) for user in USERS}
        clients = Clients(server, ledger, seed)
        async with asyncio.timeout(100), asyncio.TaskGroup() as tasks:
            for kind, count in (("smtp", SMTP_CONNECTIONS), ("imap", APPENDERS)):
                for number in range(count):
                    tasks.create_task(clients.run(kind, number))
            tasks.create_task(_let_die(server, ledger, clients.stop, before, random.Random(seed)))
        after = {user: await asyncio.to_thread(read_mailbox, server, user, whole=True) for user in USERS}
        await asyncio.to_thread(server.stop)
    except BaseException:
        print(f"seed {seed}; {len(ledger.acknowledged)} acknowledged; {ledger.refusals}\n{server.log_tail()}")
        raise
    finally:
        await asyncio.to_thread(server.kill)
    for user in USERS:
        check_mailbox(user, before[user], after[user], ledger)
    assert len(ledger.acknowledged) > 1000, ledger.refusals


async def _let_die(
    server: RunningServer, ledger: Ledger, stop: asyncio.Event, before: dict[str, Mailbox], chance: random.Random
) -> None:
    """Kills at random moments of a busy server, and looks at the mailboxes after some of the restarts."""
    try:
        for victim in DEATHS:
            await _progress(ledger, 120 + chance.randrange(200))
            if victim == "worker":
                os.kill(chance.choice(server.worker_pids()), signal.SIGKILL)
            elif victim == "postgres":
                os.kill(server.postgres_pid(), signal.SIGKILL)
            else:
                await asyncio.to_thread(server.kill if victim == "all" else server.kill_supervisor)
                await asyncio.to_thread(server.start)
                user = chance.choice(USERS)
                seen = await asyncio.to_thread(read_mailbox, server, user)
                _check_history(user, before[user], seen)
                before[user] = seen
        await _progress(ledger, 100)
    finally:
        stop.set()


async def _progress(ledger: Ledger, count: int) -> None:
    """Until `count` more messages are acknowledged: the server is busy again."""
    wanted = len(ledger.acknowledged) + count
    deadline = time.monotonic() + 30
    while len(ledger.acknowledged) < wanted:
        assert time.monotonic() < deadline, f"no progress: {ledger.refusals}"
        await asyncio.sleep(0.002)


def _check_history(user: str, before: Mailbox, after: Mailbox) -> None:
    assert after.uidvalidity == before.uidvalidity, user
    assert after.uidnext >= before.uidnext, user
    assert list(after.attempts) == sorted(after.attempts), f"{user}: UIDs do not ascend"
    assert all(uid < after.uidnext for uid in after.attempts), user
    changed = {uid for uid, attempt in before.attempts.items() if after.attempts.get(uid) != attempt}
    assert not changed, f"{user}: UIDs that meant other messages before: {sorted(changed)}"


def check_mailbox(user: str, before: Mailbox, after: Mailbox, ledger: Ledger) -> None:
    """Every acknowledged message once, every other at most once, each with its octets."""
    _check_history(user, before, after)
    counts = Counter(after.attempts.values())
    assert not [attempt for attempt, count in counts.items() if count > 1], f"{user}: messages are there twice"
    assert counts.keys() <= {attempt for attempt, users in ledger.tried.items() if user in users}, user
    lost = {attempt for attempt in ledger.acknowledged if user in ledger.tried[attempt]} - counts.keys()
    assert not lost, f"{user}: {len(lost)} acknowledged messages are lost: {sorted(lost)[:5]}"
    broken = {attempt for attempt, digest in after.digests.items() if digest != ledger.digests[attempt]}
    assert not broken, f"{user}: {len(broken)} messages have other octets: {sorted(broken)[:5]}"
    by_attempt = {attempt: uid for uid, attempt in after.attempts.items()}
    moved = {a for a, uid in ledger.uids.items() if ledger.tried[a] == (user,) and by_attempt[a] != uid}
    assert not moved, f"{user}: APPENDUID said another UID: {sorted(moved)[:5]}"
