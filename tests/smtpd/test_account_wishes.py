"""What accounts ask for as it is seen at RCPT and in the mailboxes: forwarding, blocked senders, no mail at all."""

from __future__ import annotations

from typing import Any

from mailraven.directory import domains, sender_rules
from mailraven.directory.account_settings import patch_account, read_account
from mailraven.smtpd import Role
from mailraven_api.account import AccountPatch
from mailraven_api.domain import DomainSpec

MESSAGE = b"From: a@b.example\r\nSubject: hello\r\n\r\nhello\r\n"
JANE, JOHN = "jane@example.org", "john@example.org"
SENDER = "s@sender.example"


async def change(smtp, address: str, **fields: Any) -> None:
    async with smtp.database.transaction() as connection:
        await patch_account(connection, address, AccountPatch.model_validate(fields))
    smtp.directory.invalidate()


async def block(smtp, address: str, sender: str) -> None:
    async with smtp.database.transaction() as connection:
        account = await read_account(connection, address)
        await sender_rules.put_rule(connection, account.domain_id, account.id, sender, "block")
    smtp.directory.invalidate()


async def test_forwarded_mail_goes_here_and_elsewhere(mx):
    await change(mx, JANE, forwarding={"targets": [JOHN, "out@elsewhere.example"], "keep_copy": True})
    async with await mx.greeted() as client:
        assert (await client.message(SENDER, ["Jane+tag@example.org"], MESSAGE)).codes == "250 2.0.0"
    [kept], [copy] = await mx.messages(JANE), await mx.messages(JOHN)
    # The name that was written is that of the account; the other one's copy came to his address.
    assert b"Delivered-To: Jane+tag@example.org\r\n" in kept
    assert b"Delivered-To: john@example.org\r\n" in copy
    assert await mx.queued() == [(SENDER, "out@elsewhere.example", "elsewhere.example")]


async def test_without_a_copy_the_queue_entry_is_the_accounts_own(mx):
    await change(mx, JOHN, forwarding={"targets": ["out@elsewhere.example"], "keep_copy": False})
    async with await mx.greeted() as client:
        assert (await client.message(SENDER, [JOHN], MESSAGE)).codes == "250 2.0.0"
    assert await mx.messages(JOHN) == []
    john = (await mx.directory.get_account(JOHN)).id
    async with mx.database.acquire() as connection:
        assert await connection.fetchval("SELECT account_id FROM queue_message") == john


async def test_two_that_forward_to_each_other_get_one_copy_each(mx):
    await change(mx, JANE, forwarding={"targets": [JOHN], "keep_copy": True})
    await change(mx, JOHN, forwarding={"targets": [JANE], "keep_copy": True})
    async with await mx.greeted() as client:
        assert (await client.message(SENDER, [JANE, JOHN], MESSAGE)).codes == "250 2.0.0"
    assert [len(await mx.messages(address)) for address in (JANE, JOHN)] == [1, 1]


async def test_a_blocked_sender_is_refused_at_rcpt_and_others_are_not(mx):
    await block(mx, JANE, "sender.example")
    async with await mx.greeted() as client:
        await client.expect(f"MAIL FROM:<{SENDER}>", "250")
        await client.expect(f"RCPT TO:<{JANE}>", "550 5.7.1")
        await client.expect("RCPT TO:<postmaster@example.org>", "250 2.1.5")
        await client.expect("RSET", "250")
        assert (await client.message(SENDER, ["team@example.org"], MESSAGE)).codes == "250 2.0.0"
        assert (await client.message("", [JANE], MESSAGE)).codes == "250 2.0.0"
        assert (await client.message("s@other.example", [JANE], MESSAGE)).codes == "250 2.0.0"
    assert [len(await mx.messages(address)) for address in (JANE, JOHN)] == [2, 1]


async def test_a_block_holds_among_accounts_of_the_server_too(submission):
    await block(submission, JOHN, JANE)
    async with await submission.logged_in(JANE) as client:
        await client.expect(f"MAIL FROM:<{JANE}>", "250")
        await client.expect(f"RCPT TO:<{JOHN}>", "550 5.7.1")


async def test_an_account_that_does_not_receive_is_disabled_but_sends(start_smtp):
    mx, submission = await start_smtp(Role.MX), await start_smtp(Role.SUBMISSION)
    await change(mx, JANE, disabled=["receive"])
    submission.directory.invalidate()
    async with await mx.greeted() as client:
        await client.expect(f"MAIL FROM:<{SENDER}>", "250")
        await client.expect(f"RCPT TO:<{JANE}>", "550 5.2.1")
    async with await submission.logged_in(JANE) as client:
        assert (await client.message(JANE, [JOHN], MESSAGE)).codes == "250 2.0.0"
    assert len(await mx.messages(JOHN)) == 1


async def test_another_name_of_the_domain_receives_and_sends(start_smtp):
    mx, submission = await start_smtp(Role.MX), await start_smtp(Role.SUBMISSION)
    async with mx.database.transaction() as connection:
        await domains.patch_domain(connection, "example.org", DomainSpec(aliases=("example.net",)))
    mx.directory.invalidate()
    submission.directory.invalidate()
    async with await mx.greeted() as client:
        assert (await client.message(SENDER, ["jane@example.net"], MESSAGE)).codes == "250 2.0.0"
        await client.expect(f"MAIL FROM:<{SENDER}>", "250")
        await client.expect("RCPT TO:<nobody@example.net>", "550 5.1.1")
    assert b"Delivered-To: jane@example.net\r\n" in (await mx.messages(JANE))[0]
    async with await submission.logged_in("jane@example.net") as client:
        assert (await client.message("jane@example.net", [JOHN], MESSAGE)).codes == "250 2.0.0"
        await client.expect("MAIL FROM:<john@example.net>", "553 5.7.1")
