"""`mailraven ssl`, `dkim` and `dns` against a running server."""

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mailraven.testing.commands import CommandLine


def certificate(home: Path, name: str, days: int) -> tuple[str, str]:
    """Files with a certificate for `name` that has so many days left, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = home / "cert.pem", home / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(cert_file), str(key_file)


def test_certificates(mailraven: CommandLine, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "long.example.net", 90)
    assert mailraven("ssl", "upload", "long", "--cert", cert, "--key", key) == "long: long.example.net, 90 days left\n"
    try:
        assert ["long", "ok", "90"] in [row[:3] for row in mailraven.rows("ssl", "status")]
        assert mailraven.refused("ssl", "status", code=0) == ""
        cert, key = certificate(tmp_path, "soon.example.net", 9)
        mailraven("ssl", "upload", "long", "--cert", cert, "--key", key)
        assert "warning: long ends in 9 days" in mailraven.refused("ssl", "status", code=0)
        shown = mailraven.json("ssl", "show", "long")
        assert (shown["names"], shown["days_left"]) == (["soon.example.net"], 9)
        assert "PRIVATE" not in str(shown)
        other_cert, _ = certificate(tmp_path, "other.example.net", 90)
        (tmp_path / "key.pem").write_text("no key\n")
        said = mailraven.refused("ssl", "upload", "long", "--cert", other_cert, "--key", str(tmp_path / "key.pem"))
        assert said.startswith("mailraven: ")
        assert mailraven.json("ssl", "show", "long") == shown
    finally:
        mailraven("ssl", "delete", "long", "--yes")
    assert "long" not in mailraven("ssl", "status")
    for arguments, code, expected in (
        (("show", "nope"), 1, "nope"),
        (("upload", "x", "--cert", "/nonexistent", "--key", key), 1, "--cert /nonexistent: No such file"),
        (("upload", "x"), 2, "--cert"),
        (("delete", "nope"), 2, "say --yes"),
    ):
        assert expected in mailraven.refused("ssl", *arguments, code=code)


def test_dkim_keys_from_create_to_delete(mailraven: CommandLine) -> None:
    mailraven("domain", "add", "dkim.example")
    [first] = mailraven.json("dkim", "list", "dkim.example")
    assert first["state"] == "active"
    record = f'{first["selector"]}._domainkey.dkim.example. 3600 IN TXT "v=DKIM1; k=rsa; p='
    assert mailraven("dkim", "show-record", "dkim.example").startswith(record)
    assert mailraven.json("dkim", "show-record", "dkim.example", first["selector"])[0] == first["record"]

    made = mailraven("dkim", "create", "dkim.example", "--algorithm", "ed25519", "--selector", "ed1").splitlines()
    assert made[0].startswith("made ed1 (pending)")
    assert made[1].startswith('ed1._domainkey.dkim.example. 3600 IN TXT "v=DKIM1; k=ed25519; p=')
    [fresh] = mailraven.json("dkim", "rotate", "dkim.example")["items"]
    assert "force=true" in mailraven.refused("dkim", "activate", "dkim.example", fresh["selector"])
    assert (
        mailraven("dkim", "activate", "dkim.example", fresh["selector"], "--force")
        == f"{fresh['selector']} signs now\n"
    )
    states = {row[0]: row[3] for row in mailraven.rows("dkim", "list", "dkim.example")}
    assert states == {first["selector"]: "retired", "ed1": "pending", fresh["selector"]: "active"}
    assert "ed1" in mailraven("dkim", "delete", "dkim.example", "ed1", "--yes")
    for arguments, code, expected in (
        (("show-record", "dkim.example", "nope"), 1, "has no key nope"),
        (("list", "nope.example"), 1, "nope.example"),
        (("create", "dkim.example", "--algorithm", "dsa"), 1, "algorithm"),
        (("retire", "dkim.example", fresh["selector"], "--yes"), 1, "only"),
        (("retire", "dkim.example", fresh["selector"]), 2, "say --yes"),
    ):
        assert expected in mailraven.refused("dkim", *arguments, code=code)


def test_dns_records_and_their_check(mailraven: CommandLine) -> None:
    mailraven("domain", "add", "dns.example", 'aliases=["other.example"]')
    zone = mailraven("dns", "records", "dns.example", "--format", "zone")
    assert "dns.example. 3600 IN MX 10 mx.example.net.\n" in zone
    rows = mailraven.rows("dns", "records", "dns.example")
    assert ["dns.example", "3600", "MX", "10 mx.example.net", "mx"] in rows
    assert len(mailraven.json("dns", "records", "dns.example")["records"]) == len(rows)
    assert "other.example. 3600 IN MX" in mailraven(
        "dns", "records", "dns.example", "--format", "zone", "--alias", "other.example"
    )
    found = mailraven.json("dns", "check", "dns.example", code=1)  # the DNS of this server does not answer
    assert found["ok"] is False
    assert {finding["state"] for finding in found["findings"]} == {"error"}
    assert "nope.example" in mailraven.refused("dns", "check", "nope.example")


@pytest.mark.parametrize("form", ["tabel", ""])
def test_an_unknown_format_is_wrong_use(mailraven: CommandLine, form: str) -> None:
    assert "--format" in mailraven.refused("dns", "records", "dns.example", "--format", form, code=2)
