"""Mail that goes in and is read all the time, with a ledger: what the server took has to be there, once."""

from __future__ import annotations

import contextlib
import imaplib
import itertools
import re
import smtplib
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

_REPLY_SECONDS = 30.0
_AGAIN_SECONDS = 0.2
_SUBJECT = re.compile(rb"Subject: (\S+)\r\n", re.IGNORECASE)
Address = tuple[str, int]
_FAILURES = (OSError, smtplib.SMTPException, imaplib.IMAP4.error, EOFError)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose mailbox is used."""

    address: str
    password: str = field(repr=False)


@dataclass
class Ledger:
    """What was sent, by the subject of the attempt: each attempt has one of its own."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    """Subject: recipient. The server said 250."""
    unknown: set[str] = field(default_factory=set)
    """The connection broke before the answer: it may be there or not, but not twice."""
    refusals: Counter[str] = field(default_factory=Counter)
    reconnects: Counter[str] = field(default_factory=Counter)
    longest_gap: float = 0.0
    """Seconds between two acknowledged messages of one sender."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the mailboxes hold, beside the ledger."""

    acknowledged: int
    missing: tuple[str, ...]
    duplicated: tuple[str, ...]
    reconnects: dict[str, int]
    refusals: dict[str, int]
    longest_gap: float


def without_verification() -> ssl.SSLContext:
    """For servers whose certificate is not what the test is about."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def open_mailbox(imaps: Address, person: Person) -> imaplib.IMAP4_SSL:
    """Logged in, INBOX selected."""
    client = imaplib.IMAP4_SSL(*imaps, ssl_context=without_verification(), timeout=_REPLY_SECONDS)
    try:
        client.login(person.address, person.password)
        client.select("INBOX")
    except BaseException:
        with contextlib.suppress(*_FAILURES):
            client.shutdown()
        raise
    return client


def subjects(imaps: Address, person: Person) -> list[str]:
    """Of all messages in the INBOX."""
    client = open_mailbox(imaps, person)
    try:
        status, data = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        if status != "OK":
            raise imaplib.IMAP4.error(f"FETCH: {status}")
        parts = [item[1] for item in data if isinstance(item, tuple)]
        return [found[1].decode() for part in parts if (found := _SUBJECT.search(part))]
    finally:
        with contextlib.suppress(*_FAILURES):
            client.logout()


class Traffic:
    """Senders and readers in threads, from `with` until its end; they connect again whatever happens.

    With a `submitter` the mail is submitted by that person (STARTTLS, AUTH); else it comes in from outside. `size`
    is that of a message, in octets; `pause` is between two of one sender, in seconds.
    """

    def __init__(
        self,
        smtp: Address,
        imaps: Address,
        people: Sequence[Person],
        *,
        name: str,
        senders: int = 2,
        submitter: Person | None = None,
        pause: float = 0.02,
        size: int = 0,
    ) -> None:
        self.ledger = Ledger()
        self._smtp, self._imaps, self._people = smtp, imaps, list(people)
        self._name, self._submitter, self._pause = name, submitter, pause
        self._text = f"{'.' * 70}\r\n" * (size // 72)
        self._numbers = itertools.count()
        self._sent_at: dict[int, float] = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [self._thread(self._send_all, number) for number in range(senders)]
        self._threads += [self._thread(self._read_all, number) for number in range(len(self._people))]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * _REPLY_SECONDS)

    def acknowledged(self) -> int:
        """So far."""
        return len(self.ledger.acknowledged)

    def settle(self, seconds: float = 60.0) -> Result:
        """After the end: waits until all that was acknowledged is there; what is missing then is lost."""
        deadline = time.monotonic() + seconds
        while True:
            result = self._look()
            if not result.missing or time.monotonic() > deadline:
                return result
            time.sleep(0.5)

    def _look(self) -> Result:
        found: Counter[str] = Counter()
        for person in self._people:
            found.update(f"{person.address} {subject}" for subject in subjects(self._imaps, person))
        ledger = self.ledger
        wanted = {f"{recipient} {subject}" for subject, recipient in ledger.acknowledged.items()}
        mine = {name for name in found if name.partition(" ")[2].startswith(self._name)}
        return Result(
            acknowledged=len(wanted),
            missing=tuple(sorted(wanted - found.keys())),
            duplicated=tuple(sorted(name for name in mine if found[name] > 1)),
            reconnects=dict(ledger.reconnects),
            refusals=dict(ledger.refusals),
            longest_gap=round(ledger.longest_gap, 1),
        )

    def _thread(self, work: Callable[[int], None], number: int) -> threading.Thread:
        return threading.Thread(target=self._again, args=(work, number), daemon=True)

    def _again(self, work: Callable[[int], None], number: int) -> None:
        while not self._stop.is_set():
            try:
                work(number)
            except _FAILURES as problem:
                with self._lock:
                    self.ledger.reconnects[work.__name__.strip("_")] += 1
                    self.ledger.refusals[_short(problem)] += 1
                self._stop.wait(_AGAIN_SECONDS)

    def _send_all(self, number: int) -> None:
        with self._connected() as client:
            for turn in itertools.count():
                if self._stop.is_set():
                    return
                person = self._people[(number + turn) % len(self._people)]
                self._send(client, person)
                now = time.monotonic()
                with self._lock:  # over reconnections: that is what a sender waits
                    gap = now - self._sent_at.get(number, now)
                    self.ledger.longest_gap = max(self.ledger.longest_gap, gap)
                    self._sent_at[number] = now
                self._stop.wait(self._pause)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        client = smtplib.SMTP(*self._smtp, local_hostname="client.example", timeout=_REPLY_SECONDS)
        try:
            if self._submitter is not None:
                client.starttls(context=without_verification())
                client.login(self._submitter.address, self._submitter.password)
            yield client
        finally:
            client.close()

    def _send(self, client: smtplib.SMTP, person: Person) -> None:
        subject = f"{self._name}-{next(self._numbers)}"
        sender = "sender@elsewhere.example" if self._submitter is None else self._submitter.address
        text = f"From: {sender}\r\nTo: {person.address}\r\nSubject: {subject}\r\n\r\n{subject}\r\n{self._text}"
        try:
            client.sendmail(sender, [person.address], text)
        except smtplib.SMTPResponseException:
            raise  # an answer: it was not taken
        except _FAILURES:
            with self._lock:
                self.ledger.unknown.add(subject)
            raise
        with self._lock:
            self.ledger.acknowledged[subject] = person.address

    def _read_all(self, number: int) -> None:
        client = open_mailbox(self._imaps, self._people[number])
        try:
            while not self._stop.wait(_AGAIN_SECONDS):
                client.noop()
                client.uid("SEARCH", "UNSEEN")
        finally:
            with contextlib.suppress(*_FAILURES):
                client.shutdown()


def _short(problem: BaseException) -> str:
    """Without what differs each time, so that equal ones count together."""
    return re.sub(r"\d{4,}|b'[^']{60,}'", "…", f"{type(problem).__name__}: {problem}")[:80]
