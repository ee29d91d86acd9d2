"""SEARCH RETURN: ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL (RFC 9394)."""

from __future__ import annotations

import pytest

from mailraven.imap.window import Window

MESSAGE = b"Subject: a\r\n\r\nb\r\n"


@pytest.fixture
async def five(imap):
    for number in range(5):
        await imap.deliver(b"Subject: number %d\r\n\r\nb\r\n" % number)
    async with await imap.login("INBOX") as client:
        await client.ok("STORE 1 +FLAGS (\\Deleted)")
        await client.ok("EXPUNGE")  # from now on numbers are not UIDs
        yield client


async def found(client, command):
    """What ESEARCH says behind the tag."""
    [line] = (await client.ok(command)).untagged
    word, _, rest = line.partition(b' (TAG "')
    assert word == b"ESEARCH"
    return rest.partition(b'")')[2].strip().decode()


async def test_results(five):
    assert await found(five, "SEARCH RETURN (MIN MAX COUNT ALL) ALL") == "MIN 1 MAX 4 COUNT 4 ALL 1:4"
    assert await found(five, "UID SEARCH RETURN (MIN MAX COUNT ALL) ALL") == "UID MIN 2 MAX 5 COUNT 4 ALL 2:5"
    assert await found(five, "SEARCH RETURN () SUBJECT 3") == "ALL 3"
    assert await found(five, "SEARCH RETURN (MIN MAX ALL) SUBJECT 0") == ""
    assert await found(five, "SEARCH RETURN (COUNT) SUBJECT 0") == "COUNT 0"
    assert await found(five, "UID SEARCH RETURN (ALL) CHARSET UTF-8 OR SUBJECT 1 SUBJECT 4") == "UID ALL 2,5"


async def test_partial_results(five):
    assert await found(five, "UID SEARCH RETURN (PARTIAL 1:2) ALL") == "UID PARTIAL (1:2 2:3)"
    assert await found(five, "UID SEARCH RETURN (PARTIAL -1:-2 COUNT) ALL") == "UID COUNT 4 PARTIAL (-1:-2 4:5)"
    assert await found(five, "SEARCH RETURN (PARTIAL 9:10) ALL") == "PARTIAL (9:10 NIL)"
    lines = (await five.ok("UID FETCH 1:* (UID) (PARTIAL -1:-1)")).lines("FETCH")
    assert lines == [b"4 FETCH (UID 5)"]


def test_windows():
    numbers = [1, 2, 3, 4, 5]
    assert list(Window(2, 3).of(numbers)) == [2, 3]
    assert list(Window(3, 2).of(numbers)) == [2, 3]
    assert list(Window(4, 9).of(numbers)) == [4, 5]
    assert list(Window(-1, -2).of(numbers)) == [4, 5]
    assert list(Window(-4, -9).of(numbers)) == [1, 2]
    assert list(Window(-6, -9).of(numbers)) == []


async def test_a_saved_result(five):
    assert not (await five.ok("SEARCH RETURN (SAVE) OR SUBJECT 1 SUBJECT 3")).untagged
    assert (await five.ok("UID FETCH $ (UID)")).untagged == [b"1 FETCH (UID 2)", b"3 FETCH (UID 4)"]
    assert (await five.ok("FETCH $ (UID)")).untagged == [b"1 FETCH (UID 2)", b"3 FETCH (UID 4)"]
    assert await found(five, "SEARCH RETURN (ALL) $ SUBJECT 3") == "ALL 3"
    assert await found(five, "SEARCH RETURN (SAVE MIN) ALL") == "MIN 1"
    assert await found(five, "SEARCH RETURN (COUNT) $") == "COUNT 1"
    await five.no("SEARCH RETURN (SAVE) CHARSET X-NONE SUBJECT a", code="BADCHARSET")
    await five.ok("SEARCH RETURN (SAVE) ALL")
    await five.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
    await five.ok("EXPUNGE")
    assert await found(five, "UID SEARCH RETURN (ALL) $") == "UID ALL 2,4:5"
    await five.ok("COPY $ Trash")
    await five.ok("SELECT INBOX")
    assert not (await five.ok("FETCH $ (UID)")).untagged
    assert await found(five, "SEARCH RETURN (COUNT) $") == "COUNT 0"
