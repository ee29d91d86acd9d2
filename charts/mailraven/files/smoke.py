"""`helm test`: a message goes in by SMTP and comes out by the API; every role is ready. Standard library only."""

import json
import os
import secrets
import smtplib
import socket
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

NAME = os.environ["MAILRAVEN_TEST_NAME"]  # what the names of the Services begin with
PORTS = json.loads(os.environ["MAILRAVEN_TEST_PORTS"])  # role: port of its Service
API = f"http://{NAME}-admin:{PORTS['admin']}/api/v1"
TOKEN = Path("/run/secrets/mailraven/admin-token").read_text(encoding="utf-8").strip()
SECONDS = 60.0


def call(method, path, body=None):
    """The JSON that the API answers with."""
    request = urllib.request.Request(  # noqa: S310 - http, written below by us
        API + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        return json.loads(answer.read() or b"null")


def soon(what, look):
    """What `look` finds, within a minute."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            if found := look():
                print(f"ok: {what}")
                return found
            problem = "nothing"
        except (OSError, smtplib.SMTPException) as error:
            problem = error
        if time.monotonic() > deadline:
            sys.exit(f"{what}: {problem}")
        time.sleep(0.5)


def ready():
    """Whether all pods of the server that there are say so."""
    found = socket.getaddrinfo(f"{NAME}-metrics", 9090, type=socket.SOCK_STREAM)
    for address in {entry[4][0] for entry in found}:
        host = f"[{address}]" if ":" in address else address
        with urllib.request.urlopen(f"http://{host}:9090/readyz", timeout=5) as answer:
            answer.read()
    return True


def greets(role, expected):
    """Whether it says hello."""
    with socket.create_connection((f"{NAME}-{role}", PORTS[role]), timeout=10) as connection:
        return connection.recv(200).startswith(expected)


def send(subject, address):
    """By SMTP, as any server would; whether it was taken."""
    message = f"From: helm@example.com\r\nTo: {address}\r\nSubject: {subject}\r\n\r\nIt works.\r\n"
    with smtplib.SMTP(f"{NAME}-mx", PORTS["mx"], timeout=30) as smtp:
        return smtp.sendmail("helm@example.com", [address], message) == {}


def arrived(subject, address):
    """Whether it is in the mailbox."""
    mailboxes = f"/accounts/{urllib.parse.quote(address)}/mailboxes"
    [inbox] = [item["id"] for item in call("GET", mailboxes)["items"] if item["name"] == "INBOX"]
    return any(item["subject"] == subject for item in call("GET", f"{mailboxes}/{inbox}/messages")["items"])


def main():
    """All of it, on a domain of its own."""
    soon("every pod is ready", ready)
    domain = f"helm-test-{secrets.token_hex(4)}.test"
    address, subject = f"ann@{domain}", secrets.token_hex(8)
    soon("the API takes a domain", lambda: call("POST", "/domains", {"name": domain}))
    try:
        call("POST", "/accounts", {"address": address, "password": secrets.token_urlsafe(24)})
        soon("a message goes in by SMTP", lambda: send(subject, address))
        soon("and is in the mailbox", lambda: arrived(subject, address))
        for role, expected in (("submission", b"220"), ("imap", b"* OK")):
            if role in PORTS:
                soon(f"{role} greets", lambda role=role, expected=expected: greets(role, expected))
    finally:
        call("DELETE", f"/accounts/{urllib.parse.quote(address)}?delete_mail=true")
        call("DELETE", f"/domains/{domain}")


if __name__ == "__main__":
    main()
