"""Status responses."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mailraven.imap import response
from mailraven.imap.response import Condition, Status, bad, bye, no, ok, preauth


def test_tagged_and_untagged() -> None:
    assert ok("Done.").tagged("a1") == b"a1 OK Done.\r\n"
    assert no("No such mailbox", "TRYCREATE").tagged("a") == b"a NO [TRYCREATE] No such mailbox\r\n"
    assert bye("Going down").untagged() == b"* BYE Going down\r\n"
    assert bad("Huh").untagged() == b"* BAD Huh\r\n"
    assert preauth("Hi").untagged() == b"* PREAUTH Hi\r\n"


def test_text_can_be_no_code_and_is_never_empty() -> None:
    assert ok("[ALERT] fake").untagged() == b"* OK (ALERT] fake\r\n"
    assert ok("").untagged() == b"* OK Done\r\n"
    assert ok("[x]", "ALERT").untagged() == b"* OK [ALERT] [x]\r\n"


@given(st.sampled_from(Condition), st.text(max_size=500), st.text(max_size=50))
@settings(max_examples=200, deadline=None)
def test_nothing_that_gets_into_a_status_breaks_the_line(condition: Condition, text: str, code: str) -> None:
    line = Status(condition, text, code).untagged()
    assert line.endswith(b"\r\n")
    assert all(0x20 <= c <= 0x7E for c in line[:-2])
    words = line[2:-2].split(b" ", 1)
    assert words[0].decode() == condition
    assert words[1]
    assert words[1].startswith(b"[") is bool(code)
    if code:
        assert words[1].index(b"]") == len(code) + 1


def test_codes_with_data() -> None:
    assert response.capability_code(["IMAP4rev1", "IDLE"]) == "CAPABILITY IMAP4rev1 IDLE"
    assert response.permanentflags_code(["\\Seen"], new_keywords=True) == "PERMANENTFLAGS (\\Seen \\*)"
    assert response.permanentflags_code([], new_keywords=False) == "PERMANENTFLAGS ()"
    assert response.appenduid_code(7, [4, 5, 6]) == "APPENDUID 7 4:6"
    assert response.copyuid_code(7, [1, 3], [8, 9]) == "COPYUID 7 1,3 8:9"
    assert response.badcharset_code(["UTF-8", "US-ASCII"]) == "BADCHARSET (UTF-8 US-ASCII)"


def test_a_long_code_is_not_cut() -> None:
    uids = list(range(1, 4000, 2))
    assert b",3999]" in ok("Done", response.appenduid_code(1, uids)).tagged("a")


def test_continuation() -> None:
    assert response.continuation() == b"+ go on\r\n"
    assert response.challenge() == b"+ \r\n"
    assert response.challenge(b"QUI=") == b"+ QUI=\r\n"
