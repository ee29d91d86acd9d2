"""The process that makes the load: a job as JSON on its standard input, events and results as JSON lines on its output.

At each event it waits for a line, so that the bench can read the servers' counters at the right moment.
"""

import json
import resource
import ssl
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from imap_client import ImapClient, parse_count
from imap_load import Appender, IdleSessions, time_command
from mail_text import make_message
from smtp_load import Letter, Sender

_POLL_SECONDS = 0.005
Job = dict[str, Any]


def barrier(event: str) -> None:
    """Tells the bench where the load is and waits until it may go on."""
    sys.stdout.write(json.dumps({"at": event}) + "\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        raise SystemExit(1)


def milliseconds(values: list[float]) -> dict[str, float]:
    """The usual percentiles."""
    ordered = sorted(value * 1000 for value in values)
    return {name: ordered[int(part * (len(ordered) - 1))] for name, part in (("p50", 0.5), ("p99", 0.99), ("max", 1))}


def make_letters(job: Job) -> list[Letter]:
    """Messages to the users in turn."""
    addresses = [address for address, _ in job["users"]]
    made = []
    for index in range(job["count"]):
        user = index % len(addresses)
        made.append(Letter.to(user, addresses[user], make_message(index, addresses[user], job["size"])))
    return made


def log_in(job: Job, user: int) -> ImapClient:
    """A session of one of the job's users."""
    client = ImapClient(tuple(job["imap"]))
    client.login(*job["users"][user])
    return client


def deliver(job: Job) -> dict[str, Any]:
    """SMTP deliveries, until IMAP STATUS counts them all."""
    letters = make_letters(job)
    watchers = [log_in(job, user) for user in range(len(job["users"]))]
    wanted = [watcher.count("INBOX") for watcher in watchers]
    for letter in letters:
        wanted[letter.user] += 1
    sender = Sender(tuple(job["smtp"]), job["connections"])
    sender.prepare()
    barrier("prepared")
    cpu, begin = time.process_time(), time.perf_counter()
    sender.run(letters, job["timeout"])
    accepted = time.perf_counter()
    wait_visible(watchers, wanted, job["timeout"])
    visible = time.perf_counter()
    cpu = time.process_time() - cpu
    barrier("done")
    return {
        "accepted_per_second": len(letters) / (accepted - begin),
        "visible_per_second": len(letters) / (visible - begin),
        "acknowledgement_ms": milliseconds([sent.accepted - sent.dot for sent in sender.sent]),
        "load_cpu_ms": cpu * 1000 / len(letters),
    }


def wait_visible(watchers: list[ImapClient], wanted: list[int], timeout: float) -> None:
    """Asks all at once, again and again."""
    deadline = time.monotonic() + timeout
    pending = dict(enumerate(watchers))
    while True:
        tags = {user: watcher.begin('STATUS "INBOX" (MESSAGES)') for user, watcher in pending.items()}
        counts = {user: parse_count(pending[user].finish(tag)) for user, tag in tags.items()}
        pending = {user: watcher for user, watcher in pending.items() if counts[user] < wanted[user]}
        if not pending:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(pending)} mailboxes lack messages")
        time.sleep(_POLL_SECONDS)


def arrive(job: Job) -> dict[str, Any]:
    """Paced deliveries over one connection to users in IDLE: from the end of the data to EXISTS."""
    letters = make_letters(job)
    sessions = IdleSessions()
    sessions.open(tuple(job["imap"]), job["users"], len(job["users"]), None)
    sender = Sender(tuple(job["smtp"]), 1)
    sender.prepare()
    barrier("prepared")
    begin = time.perf_counter()
    for number, letter in enumerate(letters):
        while (left := begin + number / job["rate"] - time.perf_counter()) > 0:
            sessions.listen(left)
        sender.run([letter], job["timeout"])
    deadline = time.monotonic() + job["timeout"]
    while sum(len(session.seen) for _, session in sessions.all) < len(letters) and time.monotonic() < deadline:
        sessions.listen(0.1)
    delays = []
    for user, session in sessions.all:
        dots = sorted(sent.dot for sent in sender.sent if sent.user == user)
        delays += [seen - dot for dot, seen in zip(dots, session.seen, strict=False)]
    barrier("done")
    return {"announced": len(delays), "exists_ms": milliseconds(delays)}


def idle(job: Job) -> dict[str, Any]:
    """Many sessions in IDLE; then one message to each user, until every session has heard of it."""
    context = ssl.create_default_context(cafile=job["ca_file"]) if job.get("ca_file") else None
    address = tuple(job["imaps" if context else "imap"])
    first = IdleSessions()  # stay open: what a first log-in and a first look at a mailbox cost is not a session's
    first.open(address, job["users"], len(job["users"]), context)
    barrier("prepared")
    sessions = IdleSessions()
    begin = time.perf_counter()
    sessions.open(address, job["users"], job["sessions"], context)
    opened = time.perf_counter() - begin
    barrier("opened")
    sender = Sender(tuple(job["smtp"]), 1)
    sender.prepare()
    begin = time.perf_counter()
    sender.run(make_letters(job), job["timeout"])
    deadline = time.monotonic() + job["timeout"]
    while not all(session.seen for _, session in sessions.all) and time.monotonic() < deadline:
        sessions.listen(0.1)
    heard = [session.seen[0] - begin for _, session in sessions.all if session.seen]
    barrier("done")
    return {"opened_seconds": opened, "heard": len(heard), "last_heard_ms": max(heard) * 1000}


def append(job: Job) -> dict[str, Any]:
    """APPENDs over several connections, to each user's mailbox or (fewer users than connections) to the same ones."""
    users, count = job["users"], job["connections"]
    messages = [make_message(index, users[0][0], job["size"]) for index in range(job["count"])]
    clients = [log_in(job, number % len(users)) for number in range(count)]
    if job["mailbox"] != "INBOX":
        for client in clients[: len(users)]:
            client.command(f'CREATE "{job["mailbox"]}"')
    barrier("prepared")
    begin = time.perf_counter()
    Appender(clients).run(messages, job["mailbox"], job["timeout"])
    seconds = time.perf_counter() - begin
    barrier("done")
    return {"appended_per_second": len(messages) / seconds}


def command(job: Job) -> dict[str, Any]:
    """Commands on one mailbox, each `repeat` times: seconds, and what was found."""
    client = log_in(job, 0)
    barrier("prepared")
    messages = client.select(job["mailbox"])
    timed = {}
    for name, text, repeat in job["commands"]:
        runs = [time_command(client, text) for _ in range(repeat)]
        timed[name] = {"seconds": [seconds for seconds, _ in runs], "found": runs[-1][1]}
    barrier("done")
    return {"messages": messages, "commands": timed}


def main() -> None:
    """One job."""
    job = json.loads(sys.stdin.readline())
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kinds = {"deliver": deliver, "arrive": arrive, "idle": idle, "append": append, "command": command}
    result = kinds[job["kind"]](job)
    sys.stdout.write(json.dumps({"result": result}) + "\n")


if __name__ == "__main__":
    main()
