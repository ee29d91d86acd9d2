"""STARTTLS (RFC 3207), AUTH (RFC 4954)."""

from __future__ import annotations

import asyncio
import base64

import pytest

from mailraven.smtpd import Limits, Role

JANE, PASSWORD = "jane@example.org", "correct horse battery"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_starttls_forgets_everything_before_it(mx):
    async with await mx.greeted() as client:
        await client.expect("MAIL FROM:<>", "250")
        await client.expect("STARTTLS", "503 5.5.1")
        await client.expect("RSET", "250")
        await client.start_tls(mx.client_tls)
        await client.expect("MAIL FROM:<>", "503 5.5.1")
        offered = (await client.ehlo()).lines
        assert "STARTTLS" not in offered
        await client.expect("STARTTLS", "503 5.5.1")
        assert (await client.message("", [JANE], b"Subject: x\r\n\r\n")).code == 250
    assert b"with ESMTPS id" in (await mx.messages(JANE))[0]


@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"MAIL FROM:<evil@x.example>\r\n", b"\r\n", b"x"])
async def test_starttls_with_commands_behind_it_is_an_attack(mx, injected):
    async with await mx.greeted() as client:
        await client.send(b"STARTTLS\r\n" + injected)
        assert (await client.reply()).codes == "503 5.5.0"
        assert await client.closed() == b""


async def test_plain_text_after_the_go_ahead_is_never_a_command(mx):
    async with await mx.greeted() as client:
        await client.expect("STARTTLS", "220")
        await client.send(b"NOOP\r\n")
        assert b"250" not in await client.closed()


async def test_a_handshake_that_fails_hurts_nobody_else(mx):
    async with await mx.greeted() as other, await mx.greeted() as client:
        await client.expect("STARTTLS", "220")
        await client.send(b"\x16\x03\x01" + b"\xff" * 500)
        await client.closed()
        await other.expect("NOOP", "250")


async def test_login_is_not_taken_in_plain_text(submission):
    async with await submission.greeted() as client:
        await client.expect(f"AUTH PLAIN {b64(chr(0) + JANE + chr(0) + PASSWORD)}", "538 5.7.11")
        await client.expect("MAIL FROM:<jane@example.org>", "530 5.7.0")


async def test_login_in_plain_text_from_loopback_when_the_setting_says_so(start_smtp):
    submission = await start_smtp(Role.SUBMISSION, plaintext=True)
    async with await submission.greeted() as client:
        assert (await client.login(JANE, PASSWORD)).codes == "235 2.7.0"


async def test_starttls_then_plain(submission):
    async with await submission.greeted() as client:
        await client.start_tls(submission.client_tls)
        assert "AUTH PLAIN LOGIN" in (await client.ehlo()).lines
        assert (await client.login(JANE, PASSWORD)).codes == "235 2.7.0"
        assert not any(line.startswith("AUTH") for line in (await client.ehlo()).lines)
        await client.expect("MAIL FROM:<jane@example.org>", "250")


async def test_plain_with_a_challenge(submission):
    async with await submission.connect_tls() as client:
        await client.ehlo()
        assert (await client.expect("AUTH PLAIN", "334")).text == ""
        await client.expect(b64(f"\0{JANE}\0{PASSWORD}"), "235 2.7.0")


async def test_login_mechanism(submission):
    async with await submission.connect_tls() as client:
        await client.ehlo()
        assert base64.b64decode((await client.expect("AUTH LOGIN", "334")).text) == b"Username:"
        assert base64.b64decode((await client.expect(b64(JANE), "334")).text) == b"Password:"
        await client.expect(b64(PASSWORD), "235 2.7.0")
        await client.expect("AUTH LOGIN", "503 5.5.1")


WRONG = [
    (["AUTH"], ["501 5.5.4"]),
    (["AUTH CRAM-MD5"], ["504 5.5.4"]),
    (["AUTH PLAIN a b"], ["501 5.5.4"]),
    (["AUTH PLAIN !!!"], ["501 5.5.2"]),
    (["AUTH PLAIN", "*"], ["334", "501 5.7.0"]),
    (["AUTH PLAIN", "!!!"], ["334", "501 5.5.2"]),
    (["AUTH PLAIN ="], ["501 5.5.2"]),
    (["AUTH PLAIN " + b64("no fields")], ["501 5.5.2"]),
    (["AUTH PLAIN " + b64(f"\0{JANE}\0wrong")], ["535 5.7.8"]),
    (["AUTH PLAIN " + b64("\0nobody@example.org\0wrong")], ["535 5.7.8"]),
    (["AUTH PLAIN " + b64(f"john@example.org\0{JANE}\0{PASSWORD}")], ["535 5.7.8"]),
    (["AUTH LOGIN", b64(JANE), "*"], ["334", "334", "501 5.7.0"]),
    (["AUTH LOGIN", ""], ["334", "501 5.5.2"]),
    (["AUTH PLAIN", "x" * 20_000], ["334", "500 5.5.6"]),
]


@pytest.mark.parametrize(("lines", "codes"), WRONG, ids=[" ".join(case[0])[:40] for case in WRONG])
async def test_failed_exchanges_leave_the_session_usable(submission, lines, codes):
    async with await submission.connect_tls() as client:
        await client.ehlo()
        for line, expected in zip(lines, codes, strict=True):
            await client.expect(line, expected)
        await client.expect("MAIL FROM:<jane@example.org>", "530 5.7.0")
        assert (await client.login(JANE, PASSWORD)).codes == "235 2.7.0"


async def test_auth_needs_ehlo_and_no_open_transaction(submission):
    async with await submission.connect_tls() as client:
        await client.expect("AUTH PLAIN", "503 5.5.1")
        await client.expect("HELO c", "250")
        await client.expect("AUTH PLAIN", "503 5.5.1")


async def test_an_unknown_user_and_a_wrong_password_hear_the_same(submission):
    async with await submission.connect_tls() as client:
        await client.ehlo()
        assert await client.login("nobody@example.org", "x" * 12) == await client.login(JANE, "x" * 12)


async def test_guessing_ends_the_session(start_smtp):
    submission = await start_smtp(Role.SUBMISSION, limits=Limits(max_auth_failures=2))
    async with await submission.connect_tls() as client:
        await client.ehlo()
        assert (await client.login(JANE, "wrong-one-1")).codes == "535 5.7.8"
        assert (await client.login(JANE, "wrong-one-2")).codes == "535 5.7.8"
        assert (await client.reply()).codes == "421 4.7.0"
        assert await client.closed() == b""


async def test_a_client_that_is_quick_after_the_handshake(mx):
    """The first command may come in the packet of the handshake's end."""
    for _ in range(5):
        async with await mx.greeted() as client:
            await client.start_tls(mx.client_tls)
            await asyncio.gather(client.ehlo("quick.example"))
