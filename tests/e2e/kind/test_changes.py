"""What is changed by kubectl holds at once, and no pod restarts for it."""

import contextlib
import imaplib
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest
from cryptography import x509

from mailraven.testing.cluster import Cluster, until
from mailraven.testing.traffic import Address, Person, open_mailbox, subjects, without_verification

Ports = Callable[[str], Address]


@pytest.fixture(autouse=True)
def no_pod_restarts(cluster: Cluster) -> Iterator[None]:
    def pods() -> set[tuple[str, int]]:
        return {
            (pod["metadata"]["uid"], status["restartCount"])
            for pod in cluster.items("pods", "app.kubernetes.io/name=mailraven")
            for status in pod["status"].get("containerStatuses", [])
        }

    before = pods()
    yield
    assert pods() >= before


def logs_in(imaps: Address, person: Person) -> bool:
    try:
        open_mailbox(imaps, person).logout()
    except imaplib.IMAP4.error:
        return False
    return True


def test_a_password(town, cluster: Cluster, address: Ports, figures) -> None:
    town.settle("ann")
    old = town.people["ann"]
    new = Person(old.address, "another-horse-9183-staple")
    assert logs_in(address("imaps"), old)
    cluster.apply(town.secret("ann", new.password))
    until(lambda: logs_in(address("imaps"), new), "the new password", 30)
    assert not logs_in(address("imaps"), old)


def test_an_alias(town, cluster: Cluster, address: Ports) -> None:
    town.settle("ann")
    ann = town.people["ann"]
    alias = f"sales@{town.domain}"

    def taken() -> bool:
        with smtplib.SMTP(*address("smtp"), timeout=30) as client:
            client.ehlo()
            client.mail("x@elsewhere.example")
            return client.rcpt(alias)[0] == 250

    assert not taken()
    cluster.apply(town.mail_user("ann", aliases=[alias]))
    until(taken, "the alias", 30)
    with smtplib.SMTP(*address("smtp"), timeout=30) as client:
        client.sendmail("x@elsewhere.example", [alias], "Subject: to-the-alias\r\n\r\nhello\r\n")
    until(lambda: "to-the-alias" in subjects(address("imaps"), ann), "mail by the alias", 30)
    cluster.apply(town.mail_user("ann"))
    until(lambda: not taken(), "the alias is gone", 30)


def test_a_limit(town, cluster: Cluster, address: Ports) -> None:
    town.settle("ann")
    ann = town.people["ann"]

    def sends(client: smtplib.SMTP) -> bool:
        try:
            client.sendmail(ann.address, [ann.address], "Subject: limited\r\n\r\nhello\r\n")
        except smtplib.SMTPException:
            return False
        return True

    @contextlib.contextmanager
    def submission() -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP(*address("submission"), timeout=30) as client:
            client.starttls(context=without_verification())
            client.login(ann.address, ann.password)
            yield client

    with submission() as client:
        assert all(sends(client) for _ in range(5))
    limits = {"messagesPerAccount": [{"count": 3, "windowMinutes": 60}]}
    cluster.apply(town.mail_domain(limits=limits))
    until(lambda: _refused(submission, sends), "the limit", 30)


def _refused(submission, sends) -> bool:
    with submission() as client:
        return not all(sends(client) for _ in range(4))


def test_a_certificate_of_cert_manager(town, cluster: Cluster, address: Ports, figures) -> None:
    issuer = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "self-signed"},
        "spec": {"selfSigned": {}},
    }
    cluster.apply(issuer)
    host = f"mail.{town.domain}"

    def served() -> x509.Certificate:
        context = without_verification()
        with (
            socket.create_connection(address("imaps"), 10) as raw,
            context.wrap_socket(raw, server_hostname=host) as secured,
        ):
            return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")

    def names() -> list[str]:
        try:
            extension = served().extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except (OSError, ssl.SSLError, x509.ExtensionNotFound):
            return []
        return extension.value.get_values_for_type(x509.DNSName)

    town.settle("ann", hostname=host, tls={"issuerRef": {"name": "self-signed"}})
    until(lambda: host in names(), "the certificate of cert-manager, by SNI", 60)
    first = served().serial_number
    secret = cluster.get("maildomain", town.domain)["status"]["certificate"]["secretName"]
    cluster.kubectl("delete", "secret", secret)  # cert-manager issues another one
    until(lambda: served().serial_number != first and host in names(), "the renewed certificate", 60)
