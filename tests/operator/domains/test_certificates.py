"""Certificates of Secrets, of cert-manager (the test plays its controller) and self-signed ones reach a real server."""

import base64
import datetime as dt
import logging
from typing import Any

import pytest

from mailraven.testing.authority import Authority

AUTHORITY = Authority()
SECRET_TLS: dict[str, Any] = {"tls": {"secretRef": {"name": "mine"}}}
ISSUER_TLS: dict[str, Any] = {"tls": {"issuerRef": {"name": "ca"}}}


def store_name(bench: Any, namespace: str) -> str:
    """What the server calls it."""
    return f"maildomain.{namespace}.example.org"


async def test_a_secret_of_the_user(running: Any, caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
    caplog.set_level(logging.DEBUG)
    running.domain(running.a, **SECRET_TLS)
    message = await running.becomes(running.a, "SecretNotFound")
    assert "mine" in message
    assert running.condition(running.a, "Synced")[0] == "True"
    first = AUTHORITY.issue("mail.example.org", "imap.example.org")
    running.secret(running.a, "mine", first)
    await running.becomes(running.a, "Reconciled")
    assert await running.certificates() == {store_name(running, running.a): ["mail.example.org", "imap.example.org"]}
    status = running.status(running.a)["certificate"]
    assert status["secretName"] == "mine"
    assert status["names"] == ["mail.example.org", "imap.example.org"]
    assert dt.datetime.fromisoformat(status["notAfter"]) == first.certificate.not_valid_after_utc
    second = AUTHORITY.issue("mail.example.org")
    running.secret(running.a, "mine", second)
    await running.until(lambda: running.status(running.a)["certificate"]["fingerprint"] != status["fingerprint"])
    assert list((await running.certificates()).values()) == [["mail.example.org"]]
    running.delete("Secret", running.a, "mine")
    await running.becomes(running.a, "SecretNotFound")
    assert await running.certificates() == {}
    assert "certificate" not in running.status(running.a)
    written = (
        caplog.text + "".join(capsys.readouterr()) + str(running.kube.request("GET", running.path("Event", running.a)))
    )
    for issued in (first, second):
        assert issued.private_key.splitlines()[1] not in written


async def test_a_certificate_that_is_changed_by_hand_is_put_back(running: Any) -> None:
    running.secret(running.a, "mine", AUTHORITY.issue("mail.example.org"))
    running.domain(running.a, **SECRET_TLS)
    await running.becomes(running.a, "Reconciled")
    await running.root.delete(f"/api/v1/certificates/{store_name(running, running.a)}")
    await running.settled()
    assert list(await running.certificates()) == [store_name(running, running.a)]


async def test_names_of_others_are_never_served(running: Any) -> None:
    running.domain(running.b, "victim.test")
    await running.becomes(running.b, "Reconciled", name="victim.test")
    running.secret(running.a, "mine", AUTHORITY.issue("mail.example.org", "mail.victim.test"))
    running.domain(running.a, **SECRET_TLS)
    message = await running.becomes(running.a, "NameNotAllowed")
    assert message.startswith("mail.victim.test: ")
    assert await running.certificates() == {}


async def test_the_host_name_of_the_server_is_only_for_the_home_namespace(running: Any) -> None:
    name, tls = "provider.test", {"selfSigned": True}
    running.domain(running.a, name, hostname="mail.provider.test", tls=tls)
    await running.becomes(running.a, "Reconciled", name=name)
    reason, message = running.condition(running.a, "CertificateReady", name)[1:]
    assert (reason, message) == ("NotRequested", "The certificate of mail.provider.test comes with the server itself.")
    for asked in ("mail.provider.test", "*.provider.test"):
        running.patch("MailDomain", running.a, name, {"spec": {"tls": {"dnsNames": [asked]}}})
        message = await running.becomes(running.a, "NameNotAllowed", name=name)
        assert "the server's own name" in message
    running.secret(running.a, "mine", AUTHORITY.issue("mail.provider.test"))
    running.patch("MailDomain", running.a, name, {"spec": {"tls": {"selfSigned": None, "secretRef": {"name": "mine"}}}})
    await running.settled()
    assert running.condition(running.a, "Ready", name)[1] == "NameNotAllowed"
    assert await running.certificates() == {}
    running.delete("MailDomain", running.a, name)
    await running.until(lambda: running.get("MailDomain", running.a, name) is None)
    running.domain(running.home, name, tls=tls)
    await running.becomes(running.home, "Reconciled", name=name)
    assert list((await running.certificates()).values()) == [["mail.provider.test"]]


async def test_a_secret_of_another_namespace_is_out_of_reach(running: Any) -> None:
    running.secret(running.b, "mine", AUTHORITY.issue("mail.example.org"))
    running.domain(running.a, **SECRET_TLS)
    await running.becomes(running.a, "SecretNotFound")


async def test_what_the_server_refuses_leaves_what_it_has(running: Any) -> None:
    running.secret(running.a, "mine", AUTHORITY.issue("mail.example.org"))
    running.domain(running.a, **SECRET_TLS)
    await running.becomes(running.a, "Reconciled")
    running.secret(running.a, "mine", AUTHORITY.issue("mail.example.org", kind="ed25519"))
    message = await running.becomes(running.a, "CertificateRefused")
    assert "EdDSA" in message
    assert list(await running.certificates()) == [store_name(running, running.a)]
    running.patch("Secret", running.a, "mine", {"data": {"tls.crt": "eA=="}})
    await running.becomes(running.a, "InvalidSecret")


async def test_tls_turned_off_and_the_end_of_the_domain_remove_it(running: Any) -> None:
    running.secret(running.a, "mine", AUTHORITY.issue("mail.example.org"))
    running.domain(running.a, **SECRET_TLS)
    await running.becomes(running.a, "Reconciled")
    running.patch("MailDomain", running.a, "example.org", {"spec": {"tls": None}})
    await running.becomes(running.a, "NotRequested", "CertificateReady")
    assert await running.certificates() == {}
    running.patch("MailDomain", running.a, "example.org", {"spec": SECRET_TLS})
    await running.becomes(running.a, "Served", "CertificateReady")
    running.delete("MailDomain", running.a, "example.org")
    await running.until(lambda: running.get("MailDomain", running.a, "example.org") is None)
    assert await running.certificates() == {}
    assert await running.on_server() is not None


async def test_self_signed(running: Any) -> None:
    running.domain(running.a, hostname="mx.example.org", tls={"selfSigned": True, "dnsNames": ["*.example.org"]})
    await running.becomes(running.a, "Reconciled")
    assert list((await running.certificates()).values()) == [["mx.example.org", "*.example.org"]]
    secret = running.get("Secret", running.a, "example.org-tls")
    assert set(secret["data"]) == {"tls.crt", "tls.key", "ca.crt"}
    assert secret["metadata"]["ownerReferences"][0]["name"] == "example.org"
    await running.settled()
    assert (
        running.get("Secret", running.a, "example.org-tls")["metadata"]["resourceVersion"]
        == (secret["metadata"]["resourceVersion"])
    )
    running.patch("Secret", running.a, "example.org-tls", {"data": {"tls.key": base64.b64encode(b"x").decode()}})
    await running.until(
        lambda: running.get("Secret", running.a, "example.org-tls")["data"]["tls.key"] not in ("eA==", "")
    )
    await running.becomes(running.a, "Reconciled")


async def test_somebody_elses_secret_is_left_alone(running: Any) -> None:
    running.secret(running.a, "example.org-tls", AUTHORITY.issue("mail.example.org"))
    before = running.get("Secret", running.a, "example.org-tls")
    running.domain(running.a, tls={"selfSigned": True})
    await running.becomes(running.a, "NameTaken")
    assert running.get("Secret", running.a, "example.org-tls") == before


async def test_without_cert_manager(running: Any) -> None:
    running.domain(running.a, **ISSUER_TLS)
    await running.becomes(running.a, "CertManagerNotInstalled")
    assert running.condition(running.a, "CertificateReady")[:2] == ("False", "CertManagerNotInstalled")
    assert running.condition(running.a, "Synced")[0] == "True"


async def test_cert_manager(cert_manager: None, running: Any) -> None:
    running.domain(running.a, **ISSUER_TLS)
    await running.becomes(running.a, "CertificatePending")
    certificate = running.get("Certificate", running.a, "example.org-tls")
    assert certificate["spec"]["dnsNames"] == ["mail.example.org"]
    assert certificate["spec"]["issuerRef"] == {"name": "ca", "kind": "Issuer", "group": "cert-manager.io"}
    waiting = {"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "Issuing as Secret is missing"}
    running.patch("Certificate", running.a, "example.org-tls", {"status": {"conditions": [waiting]}}, status=True)
    await running.until(lambda: running.condition(running.a)[2] == "Issuing as Secret is missing")
    annotation = {"cert-manager.io/certificate-name": "example.org-tls"}
    running.secret(running.a, "example.org-tls", AUTHORITY.issue("mail.example.org"), **annotation)
    await running.becomes(running.a, "Reconciled")
    first = running.status(running.a)["certificate"]["fingerprint"]
    # Drift in the child is repaired; a renewal reaches the server; new names are requested and waited for.
    running.patch("Certificate", running.a, "example.org-tls", {"spec": {"dnsNames": ["evil.test"]}})
    await running.until(
        lambda: running.get("Certificate", running.a, "example.org-tls")["spec"]["dnsNames"] == ["mail.example.org"]
    )
    running.secret(running.a, "example.org-tls", AUTHORITY.issue("mail.example.org"))
    await running.until(lambda: running.status(running.a)["certificate"]["fingerprint"] != first)
    running.patch("MailDomain", running.a, "example.org", {"spec": {"tls": {"dnsNames": ["imap.example.org"]}}})
    await running.becomes(running.a, "CertificatePending")
    assert running.get("Certificate", running.a, "example.org-tls")["spec"]["dnsNames"] == ["imap.example.org"]
    running.secret(running.a, "example.org-tls", AUTHORITY.issue("imap.example.org"))
    await running.becomes(running.a, "Reconciled")
    # A Secret that was deleted is issued anew; until then the server goes on with what it has.
    running.delete("Secret", running.a, "example.org-tls")
    await running.becomes(running.a, "CertificatePending")
    assert list((await running.certificates()).values()) == [["imap.example.org"]]
    running.patch("MailDomain", running.a, "example.org", {"spec": {"tls": None}})
    await running.becomes(running.a, "Reconciled")
    await running.until(lambda: running.get("Certificate", running.a, "example.org-tls") is None)
    assert await running.certificates() == {}


async def test_a_certificate_is_not_asked_for_in_anothers_name(cert_manager: None, running: Any) -> None:
    running.domain(running.b, "victim.test")
    await running.becomes(running.b, "Reconciled", name="victim.test")
    running.domain(running.a, tls={**ISSUER_TLS["tls"], "dnsNames": ["mail.victim.test"]})
    message = await running.becomes(running.a, "NameNotAllowed")
    assert "mail.victim.test" in message
    assert running.get("Certificate", running.a, "example.org-tls") is None


async def test_somebody_elses_certificate_is_left_alone(cert_manager: None, running: Any) -> None:
    running.make("Certificate", running.a, "example.org-tls", {"spec": {"secretName": "other"}}, "cert-manager.io/v1")
    running.domain(running.a, **ISSUER_TLS)
    await running.becomes(running.a, "NameTaken")
    assert running.get("Certificate", running.a, "example.org-tls")["spec"] == {"secretName": "other"}


async def test_the_certificate_goes_with_the_domain(cert_manager: None, running: Any) -> None:
    annotation = {"cert-manager.io/certificate-name": "example.org-tls"}
    running.secret(running.a, "example.org-tls", AUTHORITY.issue("mail.example.org"), **annotation)
    running.domain(running.a, **ISSUER_TLS)
    await running.becomes(running.a, "Reconciled")
    running.delete("MailDomain", running.a, "example.org")
    await running.until(lambda: running.get("MailDomain", running.a, "example.org") is None)
    assert running.get("Certificate", running.a, "example.org-tls") is None
    assert running.get("Secret", running.a, "example.org-tls") is not None
    assert await running.certificates() == {}
