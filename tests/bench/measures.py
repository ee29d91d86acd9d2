"""What is measured: one function for each group of figures, and the rows of the table with their targets."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from accounting import measure_memory
from imap_client import ImapClient
from jobs import run_job, settle
from mail_text import NEEDLE, SUBJECT_WORD
from servers import MailRaven, Side

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done in one round."""

    messages: Mapping[str, int]  # of the groups that deliver
    mailbox: int  # messages in the mailbox that is read
    sessions: int
    repeat: int  # of each command in a session


FULL = Scale(
    messages={
        "smtp_1": 1000,
        "smtp_10": 2500,
        "smtp_50": 3000,
        "smtp_10_64k": 600,
        "idle": 240,
        "append_1": 1000,
        "append_10": 2000,
    },
    mailbox=10_000,
    sessions=1000,
    repeat=3,
)
QUICK = Scale(
    messages={
        "smtp_1": 300,
        "smtp_10": 1000,
        "smtp_50": 1500,
        "smtp_10_64k": 200,
        "idle": 60,
        "append_1": 300,
        "append_10": 600,
    },
    mailbox=2_000,
    sessions=200,
    repeat=3,
)


def deliver(side: Side, scale: Scale, round_: int, *, group: str, connections: int, size: int) -> Figures:
    """SMTP until visible."""
    count = scale.messages[group]
    job = {"kind": "deliver", "connections": connections, "count": count, "size": size}
    result = run_job(side, job)
    return {
        "rate": result["visible_per_second"],
        "accepted": result["accepted_per_second"],
        "ack_p50": result["acknowledgement_ms"]["p50"],
        "ack_p99": result["acknowledgement_ms"]["p99"],
        "cpu": result["cpu_seconds"] * 1000 / count,
        "load_cpu": result["load_cpu_ms"],
    }


def announce(side: Side, scale: Scale, round_: int) -> Figures:
    """End of DATA to EXISTS in IDLE, forty messages a second to ten users."""
    count = scale.messages["idle"]
    job = {"kind": "arrive", "count": count, "size": 4096, "rate": 40, "users": side.users[:10]}
    result = run_job(side, job)
    if result["announced"] < count:
        raise RuntimeError(f"{side.name}: {count - result['announced']} messages were never announced")
    return {"p50": result["exists_ms"]["p50"], "p99": result["exists_ms"]["p99"]}


def idle_sessions(side: Side, scale: Scale, round_: int, *, tls: bool) -> Figures:
    """Memory of sessions in IDLE, and how long until the last one has heard of a message."""
    pss: dict[str, int] = {}
    if side.refresh is not None:  # a server of one process for each session needs none
        side.refresh()

    def read_memory(event: str) -> None:
        if event != "done":
            settle()
            pss[event] = measure_memory(side.meter.pids()).pss

    job = {"kind": "idle", "sessions": scale.sessions, "count": len(side.users), "size": 1024}
    result = run_job(side, job | ({"ca_file": side.ca_file} if tls else {}), read_memory)
    if result["heard"] < scale.sessions:
        raise RuntimeError(f"{side.name}: {scale.sessions - result['heard']} sessions never heard of a message")
    return {
        "kib": (pss["opened"] - pss["prepared"]) / scale.sessions,
        "last": result["last_heard_ms"],
    }


def append(side: Side, scale: Scale, round_: int, *, group: str, connections: int) -> Figures:
    """APPEND to mailboxes of different users."""
    job = {"kind": "append", "connections": connections, "count": scale.messages[group], "size": 4096}
    job |= {"mailbox": f"{group}_{round_}", "users": side.users[:connections]}
    return {"rate": run_job(side, job)["appended_per_second"]}


_ITEMS = "(FLAGS UID ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)"


def read(side: Side, scale: Scale, round_: int) -> Figures:
    """Fills a new mailbox, reads it for the first time, then does the rest warm."""
    mailbox = f"read{round_}"
    filling = {"kind": "append", "connections": 8, "count": scale.mailbox, "size": 4096, "mailbox": mailbox}
    filled = run_job(side, filling | {"users": side.users[:1]})
    repeat = scale.repeat
    commands = [
        ("first", f"UID FETCH 1:* {_ITEMS}", 1),
        ("warm", f"UID FETCH 1:* {_ITEMS}", repeat),
        ("flags", "FETCH 1:* FLAGS", repeat),
        ("store", "STORE 1:* +FLAGS (\\Flagged)", 1),
        ("unstore", "STORE 1:* -FLAGS (\\Flagged)", 1),
        ("body", f'SEARCH BODY "{NEEDLE}"', repeat),
        ("subject", f'SEARCH SUBJECT "{SUBJECT_WORD}"', repeat),
        ("from", 'SEARCH FROM "s42@"', repeat),
        ("since", "SEARCH SINCE 1-Jan-2020", repeat),
        ("bodies", "UID FETCH 1:* (FLAGS BODY.PEEK[])", 1),
    ]
    result = run_job(side, {"kind": "command", "mailbox": mailbox, "commands": commands, "users": side.users[:1]})
    if result["messages"] != scale.mailbox:
        raise RuntimeError(f"{side.name}: {result['messages']} of {scale.mailbox} messages are in {mailbox}")
    figures = {name: _median(timed["seconds"]) * 1000 for name, timed in result["commands"].items()}
    for name, timed in result["commands"].items():
        figures[f"found_{name}"] = timed["found"]
    return figures | {"fill": filled["appended_per_second"]}


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


Measure = Callable[[Side, Scale, int], Figures]
KIB = 1024
GROUPS: dict[str, Measure] = {
    "smtp_1": functools.partial(deliver, group="smtp_1", connections=1, size=4 * KIB),
    "smtp_10": functools.partial(deliver, group="smtp_10", connections=10, size=4 * KIB),
    "smtp_50": functools.partial(deliver, group="smtp_50", connections=50, size=4 * KIB),
    "smtp_10_64k": functools.partial(deliver, group="smtp_10_64k", connections=10, size=64 * KIB),
    "idle": announce,
    "read": read,
    "append_1": functools.partial(append, group="append_1", connections=1),
    "append_10": functools.partial(append, group="append_10", connections=10),
    "sessions": functools.partial(idle_sessions, tls=False),
}
# Those of ours alone.
OUR_GROUPS: dict[str, Measure] = {"sessions_tls": functools.partial(idle_sessions, tls=True)}


def measure_process(server: MailRaven) -> Figures:
    """A restart on the directory as it is, then the memory of a worker that has nothing to do, or nothing any more."""
    ready = server.restart()
    settle(2.0)
    workers = [measure_memory([pid]) for pid in server.server.worker_pids()]
    for user in server.side.users:
        client = ImapClient(server.side.imap)
        client.login(*user)
        client.close()
    settle()
    return {
        "rss_later": max(measure_memory([pid]).rss for pid in server.server.worker_pids()) / KIB,
        "ready": ready,
        "rss": max(worker.rss for worker in workers) / KIB,
        "pss": max(worker.pss for worker in workers) / KIB,
        "pss_all": measure_memory(server.side.meter.pids()).pss / KIB,
    }


@dataclass(frozen=True, slots=True)
class Target:
    """Of a ratio to the other side (ours / theirs), or of our figure itself."""

    at_least: float | None = None
    at_most: float | None = None
    ratio: bool = True

    def met(self, value: float) -> bool:
        """Whether it is reached."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is None or value <= self.at_most

    def __str__(self) -> str:
        limit = self.at_least if self.at_least is not None else self.at_most
        return (
            "" if limit is None else f"{'≥' if self.at_least is not None else '≤'} {limit:g}{'x' if self.ratio else ''}"
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a figure of a group."""

    group: str
    figure: str
    title: str
    unit: str
    target: Target = Target()


def _least(ratio: float) -> Target:
    return Target(at_least=ratio)


def _most(ratio: float) -> Target:
    return Target(at_most=ratio)


def _limit(value: float) -> Target:
    return Target(at_most=value, ratio=False)


# Targets: the foundation's; the final ones are in README.md.
ROWS = (
    Row("smtp_1", "rate", "SMTP to visible, 4 KiB, 1 connection", "/s", _least(0.8)),
    Row("smtp_10", "rate", "SMTP to visible, 4 KiB, 10 connections", "/s", _least(2)),
    Row("smtp_50", "rate", "SMTP to visible, 4 KiB, 50 connections", "/s", _least(3)),
    Row("smtp_10_64k", "rate", "SMTP to visible, 64 KiB, 10 connections", "/s", _least(1.5)),
    Row("smtp_1", "cpu", "server CPU per message, 4 KiB, 1 connection", "ms"),
    Row("smtp_10", "cpu", "server CPU per message, 4 KiB, 10 connections", "ms", _most(0.5)),
    Row("smtp_50", "cpu", "server CPU per message, 4 KiB, 50 connections", "ms", _most(0.5)),
    Row("smtp_10_64k", "cpu", "server CPU per message, 64 KiB", "ms"),
    Row("smtp_1", "ack_p50", "end of DATA to 250, 1 connection, p50", "ms"),
    Row("smtp_50", "ack_p99", "end of DATA to 250, 50 connections, p99", "ms"),
    Row("idle", "p50", "end of DATA to EXISTS in IDLE, p50", "ms", _limit(20)),
    Row("idle", "p99", "end of DATA to EXISTS in IDLE, p99", "ms"),
    Row("read", "warm", "FETCH of ENVELOPE, BODYSTRUCTURE ..., warm", "ms", _most(1)),
    Row("read", "first", "the same, first time", "ms"),
    Row("read", "flags", "FETCH FLAGS", "ms"),
    Row("read", "store", "STORE +FLAGS (ours durable)", "ms"),
    Row("read", "body", "SEARCH BODY", "ms"),
    Row("read", "subject", "SEARCH SUBJECT", "ms"),
    Row("read", "from", "SEARCH FROM", "ms"),
    Row("read", "since", "SEARCH SINCE", "ms"),
    Row("read", "bodies", "FETCH of all bodies", "ms"),
    Row("read", "fill", "APPEND, 8 connections to one mailbox", "/s"),
    Row("append_1", "rate", "APPEND, 1 connection", "/s"),
    Row("append_10", "rate", "APPEND, 10 connections", "/s"),
    Row("sessions", "kib", "memory of an idle IMAP session", "KiB", _limit(30)),
    Row("sessions_tls", "kib", "the same with TLS", "KiB", _limit(60)),
    Row("sessions", "last", "all idle sessions, last one notified", "ms"),
    Row("process", "ready", "`mailraven up` on existing data, ready", "s", _limit(3)),
    Row("process", "rss", "RSS of an idle worker", "MiB", _limit(90)),
    Row("process", "rss_later", "the same after the log-ins of 50 users", "MiB"),
    Row("process", "pss", "PSS of an idle worker", "MiB"),
    Row("process", "pss_all", "PSS of everything, idle", "MiB"),
    Row("smtp_10", "load_cpu", "(CPU of the load itself per message, 10 connections)", "ms"),
)
