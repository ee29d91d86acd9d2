"""DKIM keys and DNS records between a real API server, a real MailRaven server and a real DNS."""

from typing import Any


async def test_what_is_published_is_seen(running: Any) -> None:
    running.domain(running.a)
    await running.becomes(running.a, "Reconciled")
    await running.becomes(running.a, "RecordsMissing", "DNSReady")
    await running.publish()
    await running.later()
    await running.becomes(running.a, "Published", "DNSReady")
    records = running.status(running.a)["dnsRecords"]
    assert {one["state"] for one in records} == {"ok"}
    assert next(one["found"] for one in records if one["type"] == "MX") == ["10 mail.example.test"]
    running.dns.add_zone("example.org", "@ MX 5 elsewhere")
    await running.later()
    message = await running.becomes(running.a, "RecordsMissing", "DNSReady")
    assert "MX example.org" in message
    assert running.condition(running.a)[:2] == ("True", "Reconciled")


async def test_a_silent_dns_keeps_nobody_waiting(running: Any) -> None:
    running.dns.silent = {"example.org"}
    running.domain(running.a)
    await running.becomes(running.a, "Reconciled")
    running.domain(running.b, "example.net")
    await running.becomes(running.b, "Reconciled", name="example.net")
    await running.becomes(running.b, "RecordsMissing", "DNSReady", "example.net")
    assert running.condition(running.a, "DNSReady")[:2] == ("Unknown", "NotChecked")


async def test_another_key_size_waits_for_the_dns(running: Any) -> None:
    running.domain(running.a)
    await running.becomes(running.a, "Signing", "DKIMReady")
    (first,) = await running.keys()
    running.patch("MailDomain", running.a, "example.org", {"spec": {"security": {"dkim": {"keySize": 3072}}}})
    message = await running.becomes(running.a, "WaitingForDNS", "DKIMReady")
    keys = await running.keys()
    (second,) = keys.keys() - {first}
    assert keys == {first: "rsa-2048 active", second: "rsa-3072 pending"}
    assert f"{second}._domainkey.example.org" in message
    await running.becomes(running.a, "Reconciled")
    assert running.status(running.a)["dkim"]["selector"] == first
    await running.publish()
    await running.later()
    await running.becomes(running.a, "Signing", "DKIMReady")
    assert await running.keys() == {first: "rsa-2048 retired", second: "rsa-3072 active"}
    assert running.status(running.a)["dkim"]["selector"] == second
    assert "DkimKeyActivated" in running.events(running.a)


async def test_a_second_algorithm_comes_and_goes(running: Any) -> None:
    running.domain(running.a, security={"dkim": {"ed25519": True}})
    await running.becomes(running.a, "Signing", "DKIMReady")
    assert sorted((await running.keys()).values()) == ["ed25519-256 active", "rsa-2048 active"]
    running.patch("MailDomain", running.a, "example.org", {"spec": {"security": {"dkim": {"ed25519": False}}}})
    await running.until(lambda: "DkimKeyRetired" in running.events(running.a))
    assert sorted((await running.keys()).values()) == ["ed25519-256 retired", "rsa-2048 active"]


async def test_keys_are_rotated_and_the_old_ones_deleted(running: Any) -> None:
    running.domain(running.a, security={"dkim": {"rotationDays": 90, "selectorPrefix": "corp"}})
    await running.becomes(running.a, "Signing", "DKIMReady")
    (first,) = await running.keys()
    await _age(running, "activated_at = now() - interval '90 days'")
    await running.settled()
    await running.becomes(running.a, "WaitingForDNS", "DKIMReady")
    (second,) = (await running.keys()).keys() - {first}
    assert second.startswith("corp")
    await running.settled()
    assert len(await running.keys()) == 2
    await running.publish()
    await running.later()
    await running.becomes(running.a, "Signing", "DKIMReady")
    assert await running.keys() == {first: "rsa-2048 retired", second: "rsa-2048 active"}
    await _age(running, "retired_at = retired_at - interval '8 days'")
    await running.settled()
    assert await running.keys() == {second: "rsa-2048 active"}


async def test_a_domain_without_a_key_gets_one_that_signs(running: Any) -> None:
    running.domain(running.a)
    await running.becomes(running.a, "Signing", "DKIMReady")
    async with running.api.services.database.transaction() as connection:
        await connection.execute("DELETE FROM dkim_key")
    await running.settled()
    assert list((await running.keys()).values()) == ["rsa-2048 active"]
    assert running.condition(running.a, "DKIMReady")[:2] == ("True", "Signing")


async def test_signing_switched_off(running: Any) -> None:
    running.domain(running.a, security={"dkim": {"signingEnabled": False}})
    await running.becomes(running.a, "SigningDisabled", "DKIMReady")
    await running.becomes(running.a, "Reconciled")


async def _age(running: Any, change: str) -> None:
    async with running.api.services.database.transaction() as connection:
        await connection.execute(f"UPDATE dkim_key SET {change}")
