"""Clients that fetch one message after the other get the same as everybody else."""

from __future__ import annotations


def message(n: int) -> bytes:
    """Each of another size, one too large to be held."""
    return b"Subject: %d\r\n\r\n" % n + b"x" * (100_000 if n == 20 else 50 * n) + b"\r\n"


async def test_one_after_the_other(imap):
    for n in range(1, 41):
        await imap.deliver(message(n))
    async with await imap.login("INBOX") as client:
        await client.send(b"".join(b"a%d UID FETCH %d (BODY.PEEK[])\r\n" % (n, n) for n in range(1, 41)))
        for n in range(1, 41):
            raw = message(n)
            assert await client.line() == b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)" % (n, n, len(raw), raw)
            assert (await client.line()).startswith(b"a%d OK" % n)


async def test_what_was_read_along_may_be_gone(imap):
    for n in range(1, 11):
        await imap.deliver(message(n))
    async with await imap.login("INBOX") as client, await imap.login("INBOX") as other:
        for n in (1, 2, 3):
            assert len((await client.ok(f"FETCH {n} RFC822.SIZE")).untagged) == 1
        await other.ok("STORE 4 +FLAGS (\\Deleted)")
        await other.ok("EXPUNGE")
        await client.no("FETCH 4 RFC822.SIZE", code="EXPUNGEISSUED")
        answer = await client.ok("FETCH 5 (UID RFC822.SIZE)")
        assert answer.untagged == [b"5 FETCH (UID 5 RFC822.SIZE %d)" % len(message(5))]
        await client.ok("NOOP")
        assert (await client.ok("FETCH 5 (UID RFC822.SIZE)")).untagged == [
            b"5 FETCH (UID 6 RFC822.SIZE %d)" % len(message(6))
        ]


async def test_seen_is_set_for_what_was_asked_for_only(imap):
    for n in range(1, 11):
        await imap.deliver(message(n))
    async with await imap.login("INBOX") as client:
        for n in (1, 2, 3, 5):
            answer = await client.ok(f"FETCH {n} BODY[TEXT]")
            assert answer.untagged[0].startswith(b"%d FETCH (FLAGS (\\Seen \\Recent) BODY[TEXT]" % n)
        assert (await client.ok("SEARCH SEEN")).untagged == [b"SEARCH 1 2 3 5"]


async def test_nothing_is_held_after_another_command(imap):
    for n in range(1, 11):
        await imap.deliver(message(n))
    async with await imap.login("INBOX") as client:
        for n in (1, 2, 3):
            await client.ok(f"FETCH {n} BODY.PEEK[]")
        selected = next(iter(imap.server.connections)).session.selected
        assert selected.ahead.octets
        await client.ok("NOOP")
        assert selected.ahead is None
