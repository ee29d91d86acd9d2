"""What happens to a domain's certificate, as a table; and the Secret it comes from."""

import base64
import dataclasses
import datetime as dt
from typing import Any

import pytest

from mailraven.testing.authority import Authority, Issued
from mailraven_api.kubernetes import MailDomain
from mailraven_operator.domains import self_signed
from mailraven_operator.domains.certificate_names import Denied
from mailraven_operator.domains.certificate_plan import Served, Source, Trouble, plan_certificate
from mailraven_operator.domains.children import (
    certificate_document,
    is_child,
    is_issued_for,
    secret_document,
    tls_name,
)
from mailraven_operator.domains.tls_secret import Pair, UnusableSecret, belongs_together, read_pair

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
PAIR = Pair("chain", "key", "aa", ("mail.example.org",), NOW - DAY, NOW + DAY)
SAME = Served("chain", "aa", ("mail.example.org",), NOW + DAY)
OLD = Served("before", "bb", ("mail.example.org",), NOW)
FOREIGN = Served("before", "bb", ("mail.victim.test",), NOW)
TROUBLE = Trouble("SecretNotFound", "gone")


def deny(names: tuple[str, ...]) -> tuple[Denied, ...]:
    """What is not in example.org."""
    return tuple(Denied(name, "foreign") for name in names if not name.endswith("example.org"))


@pytest.mark.parametrize(
    ("source", "served", "reason", "status", "action"),
    [
        (Source(), None, "NotRequested", True, None),
        (Source(), SAME, "NotRequested", True, "remove"),
        (Source("s", PAIR), None, "Served", True, "upload"),
        (Source("s", PAIR), OLD, "Served", True, "upload"),
        (Source("s", PAIR), SAME, "Served", True, None),
        (Source("s", PAIR, expected=("mail.example.org",)), SAME, "Served", True, None),
        (Source("s", PAIR, expected=("imap.example.org",)), OLD, "NamesMissing", False, "upload"),
        (Source("s", trouble=TROUBLE, gone=True), None, "SecretNotFound", False, None),
        (Source("s", trouble=TROUBLE, gone=True), SAME, "SecretNotFound", False, "remove"),
        (Source("s", trouble=TROUBLE), SAME, "SecretNotFound", False, None),
        (Source("s", trouble=TROUBLE), FOREIGN, "SecretNotFound", False, "remove"),
        (Source("s", PAIR, TROUBLE), OLD, "SecretNotFound", False, "upload"),
        (Source("s", dataclasses.replace(PAIR, names=("a.victim.test",))), None, "NameNotAllowed", False, None),
        (Source("s", dataclasses.replace(PAIR, names=("a.victim.test",))), OLD, "NameNotAllowed", False, None),
        (Source("s", dataclasses.replace(PAIR, names=("a.victim.test",))), FOREIGN, "NameNotAllowed", False, "remove"),
        (Source("s", dataclasses.replace(PAIR, not_after=NOW)), OLD, "Expired", False, None),
        (Source("s"), None, "CertificatePending", False, None),
    ],
)
def test_plan(source: Source, served: Served | None, reason: str, status: bool, action: str | None) -> None:
    plan = plan_certificate(source, served, deny, NOW)
    assert (plan.condition.type, plan.condition.reason, plan.condition.status) == ("CertificateReady", reason, status)
    assert plan.condition.message
    assert plan.upload == (source.pair if action == "upload" else None)
    assert plan.remove is (action == "remove")


@pytest.fixture(scope="module")
def issued() -> Issued:
    """By an authority with an intermediate."""
    return Authority().issue("Mail.example.org", "imap.example.org")


def secret_of(chain: str, key: str) -> dict[str, Any]:
    """A Secret as the API server shows it."""
    data = {"tls.crt": chain, "tls.key": key}
    return {"metadata": {}, "data": {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}}


def test_a_secret_is_read(issued: Issued) -> None:
    pair = read_pair(secret_of(issued.chain, issued.private_key))
    assert pair.names == ("mail.example.org", "imap.example.org")
    assert (pair.chain, pair.private_key) == (issued.chain, issued.private_key)
    assert pair.not_after == issued.certificate.not_valid_after_utc
    assert belongs_together(pair)
    assert not belongs_together(dataclasses.replace(pair, private_key=Authority().issue("a.test").private_key))
    assert "PRIVATE" not in repr(pair)


def test_a_root_is_not_sent_along(issued: Issued) -> None:
    from mailraven.testing.authority import pem

    authority = Authority()
    one = authority.issue("mail.example.org")
    assert read_pair(secret_of(one.chain + pem(authority.root), one.private_key)).chain == one.chain


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ({"metadata": {}}, "no tls.crt"),
        ({"metadata": {}, "data": None}, "no tls.crt"),
        ({"metadata": {}, "data": {"tls.crt": ""}}, "no tls.crt"),
        ({"metadata": {}, "data": {"tls.crt": "%%%"}}, "expected PEM"),
        (secret_of("no certificate", "secret words"), "expected certificates in PEM"),
        (secret_of("\N{BULLET}", "secret words"), "expected PEM"),
        (secret_of("x" * 70_000, "secret words"), "at most"),
    ],
)
def test_what_is_no_certificate_is_told_without_what_stands_there(secret: dict[str, Any], words: str) -> None:
    with pytest.raises(UnusableSecret, match=words) as caught:
        read_pair(secret)
    assert "secret words" not in str(caught.value)


def test_a_key_is_needed_and_never_quoted(issued: Issued) -> None:
    with pytest.raises(UnusableSecret, match=r"no tls\.key"):
        read_pair(secret_of(issued.chain, ""))


def test_names_are_needed() -> None:
    nameless = Authority().issue()
    with pytest.raises(UnusableSecret, match="no DNS names"):
        read_pair(secret_of(nameless.chain, nameless.private_key))


def test_self_signed() -> None:
    names = ("mail.example.org", "*.example.org")
    secret = {"metadata": {}, "data": self_signed.make_data(names, NOW)}
    assert read_pair(secret).names == names
    assert self_signed.is_current(secret, names, NOW)
    assert self_signed.is_current(secret, names[::-1], NOW + 366 * DAY)
    assert not self_signed.is_current(secret, names[:1], NOW)
    assert not self_signed.is_current(secret, names, NOW + 368 * DAY)
    assert not self_signed.is_current({"metadata": {}}, names, NOW)
    swapped = {"metadata": {}, "data": secret["data"] | {"tls.key": self_signed.make_data(names, NOW)["tls.key"]}}
    assert not self_signed.is_current(swapped, names, NOW)


def test_a_client_that_trusts_the_authority_accepts_it() -> None:
    from cryptography import x509
    from cryptography.x509.verification import PolicyBuilder, Store

    now = dt.datetime.now(dt.UTC)
    data = self_signed.make_data(("mail.example.org",), now)
    leaf, ca = (x509.load_pem_x509_certificate(base64.b64decode(data[name])) for name in ("tls.crt", "ca.crt"))
    verifier = PolicyBuilder().store(Store([ca])).time(now).build_server_verifier(x509.DNSName("mail.example.org"))
    assert verifier.verify(leaf, [])


def resource(name: str = "example.org") -> MailDomain:
    """With an issuer."""
    return MailDomain.parse(
        {
            "metadata": {"name": name, "namespace": "team", "uid": "u1"},
            "kind": "MailDomain",
            "spec": {"tls": {"issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}}},
        }
    )


def test_certificate_document() -> None:
    assert certificate_document(resource(), ("mail.example.org",)) == {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {
            "name": "example.org-tls",
            "namespace": "team",
            "labels": {
                "app.kubernetes.io/managed-by": "mailraven-operator",
                "app.kubernetes.io/part-of": "mailraven",
            },
            "ownerReferences": [
                {
                    "apiVersion": "mailraven.io/v1alpha1",
                    "kind": "MailDomain",
                    "name": "example.org",
                    "uid": "u1",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "secretName": "example.org-tls",
            "secretTemplate": {
                "labels": {
                    "app.kubernetes.io/managed-by": "mailraven-operator",
                    "app.kubernetes.io/part-of": "mailraven",
                }
            },
            "issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer", "group": "cert-manager.io"},
            "dnsNames": ["mail.example.org"],
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "usages": ["digital signature", "server auth"],
        },
    }


def test_whose_an_object_is() -> None:
    made = secret_document(resource(), {"tls.crt": "", "tls.key": ""})
    assert made["type"] == "kubernetes.io/tls"
    assert is_child(made, resource())
    assert not is_child({"metadata": {}}, resource())
    assert not is_child({"metadata": {"ownerReferences": [{"uid": "u2"}]}}, resource())
    annotated = {"metadata": {"annotations": {"cert-manager.io/certificate-name": "x-tls"}}}
    assert is_issued_for(annotated, "x-tls")
    assert not is_issued_for(annotated, "y-tls")
    assert not is_issued_for({"metadata": {}}, "x-tls")


def test_a_long_name_still_makes_a_name() -> None:
    name = tls_name(resource("a" * 253))
    assert len(name) <= 253
    assert name.endswith("-tls")
