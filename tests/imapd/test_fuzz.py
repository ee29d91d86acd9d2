"""Broken commands in every state: an answer each time, never SERVERBUG, and the next command works."""

from __future__ import annotations

import random

import pytest

COMMANDS = [
    b"CAPABILITY",
    b"NOOP",
    b'ID ("name" "x" "version" NIL)',
    b"NAMESPACE",
    b'LIST (SUBSCRIBED RECURSIVEMATCH) "" ("%" "*") RETURN (CHILDREN STATUS (MESSAGES))',
    b'LSUB "" %',
    b"STATUS INBOX (MESSAGES UIDNEXT)",
    b"SELECT INBOX",
    b"EXAMINE Sent",
    b"CREATE &Jjo-/x (USE (\\Sent))",
    b"DELETE a/b",
    b"RENAME a b",
    b"SUBSCRIBE a&-b",
    b"UNSUBSCRIBE x",
    b"CHECK",
    b"EXPUNGE",
    b"UID EXPUNGE 1:*",
    b"FETCH 1:3,2,* (FLAGS UID ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE BODY.PEEK[1.MIME]<0.20>)",
    b"UID FETCH 1:* (BODY[HEADER.FIELDS.NOT (To Cc)] RFC822.HEADER BODY[2.1.TEXT])",
    b"STORE 1:2 +FLAGS.SILENT (\\Seen $X)",
    b"UID STORE 1 -FLAGS \\Deleted",
    b"COPY 1:2 Trash",
    b"UID MOVE 1 Trash",
    b'SEARCH CHARSET UTF-8 OR (SEEN NOT UID 1:5) (FROM "x" SINCE 1-Feb-2024 LARGER 10) TEXT {3+}\r\nabc',
    b"UID SEARCH NOT (OR KEYWORD a UNSEEN) HEADER X-Y z YOUNGER 100 2:*",
    b'APPEND INBOX (\\Seen) " 1-Feb-2024 10:00:00 +0000" {5+}\r\nabcde',
    b"LOGIN a b",
    b"AUTHENTICATE PLAIN AGEAYg==",
]
PIECES = [b"4294967296", b"NIL", *(bytes([octet]) for octet in b'()"{}\\ *%0\xff\0\r[]<>')]


def mutated(rng: random.Random) -> bytes:
    """A command with one to three mistakes in it."""
    text = rng.choice(COMMANDS)
    for _ in range(rng.randint(0, 3)):
        at = rng.randrange(len(text) + 1)
        match rng.randrange(4):
            case 0:
                text = text[:at] + rng.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[at + rng.randint(1, 5) :]
            case 2:
                text = text[:at]
            case 3:
                text = text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :]
    return text


@pytest.mark.parametrize("state", ["stranger", "signed in", "selected"])
async def test_broken_commands(start_imap, limits, state):
    imap = await start_imap(limits=limits(bad_commands=10_000, auth_failures=10_000, login_delay=(0, 0)))
    for n in range(3):
        await imap.deliver(b"Subject: %d\r\n\r\nb\r\n" % n)
    rng = random.Random(f"imap {state}")

    async def enter():
        if state == "stranger":
            return await imap.connect()
        return await imap.login("INBOX" if state == "selected" else None)

    client = await enter()
    for n in range(400):
        command = mutated(rng)
        await client.send(b"x %b\r\ny%d NOOP\r\n" % (command, n))
        while True:
            try:
                line = await client.line(0.3 if b"{" in command else 10)
            except EOFError:
                line = b"* BYE"
            except TimeoutError:
                assert b"{" in command, command  # the size of a literal has changed: it has our NOOP in it
                line = b"+"
            assert b"SERVERBUG" not in line, command
            if line.startswith(b"y%d " % n):
                break
            if line.startswith((b"+", b"* BYE")):  # a literal or a SASL response is wanted, or it was a LOGOUT
                await client.close()
                client = await enter()
                break
    await client.close()
