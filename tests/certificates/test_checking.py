"""What is refused on upload, and what is said about it."""

import datetime as dt
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from mailraven.certificates import InvalidCertificate, check_upload
from mailraven.testing.authority import Authority, Issued, make_key, pem

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def good(authority: Authority) -> Issued:
    return authority.issue("mx.example.test", "*.Example.test")


def problem(chain: str, key: str) -> str:
    with pytest.raises(InvalidCertificate) as caught:
        check_upload(chain, key, NOW)
    text = str(caught.value)
    assert not any(line in text for line in key.splitlines() if len(line) > 20 and not line.startswith("-----"))
    return text


@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-4096", "ecdsa-p256", "ecdsa-p384"])
@pytest.mark.parametrize("usages", [None, (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)])
def test_good_ones_pass(authority: Authority, kind: str, usages: tuple[object, ...] | None) -> None:
    issued = authority.issue("mx.example.test", "*.Example.test", kind=kind, usages=usages)  # type: ignore[arg-type]
    checked = check_upload(f"# a comment\n{issued.chain}\n", issued.private_key, NOW)
    assert checked.names == ("mx.example.test", "*.example.test")
    assert checked.key_type == kind
    assert checked.issuer == "CN=Test intermediate"
    assert checked.serial == issued.serial
    assert checked.chain == issued.chain
    assert checked.not_after == issued.certificate.not_valid_after_utc
    assert serialization.load_der_private_key(checked.key, None).public_key() == issued.key.public_key()
    assert "BEGIN" not in repr(checked).replace(checked.chain.replace("\n", "\\n"), "")
    assert repr(checked.key) not in repr(checked)


def test_a_root_at_the_end_passes(authority: Authority, good: Issued) -> None:
    check_upload(good.chain + pem(authority.root), good.private_key, NOW)


def test_a_key_of_older_tools_passes(authority: Authority, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", str(key)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    text = key.read_text()
    assert text.startswith("-----BEGIN EC PARAMETERS-----")
    loaded = serialization.load_pem_private_key(text[text.index("-----BEGIN EC PRIVATE") :].encode(), None)
    issued = authority.issue("a.test", key=loaded)  # type: ignore[arg-type]
    check_upload(issued.chain, text, NOW)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("rsa-1024", "RSA of 1024 bits; expected 2048 to 4096"),
        ("ed25519", "most mail clients cannot use EdDSA"),
        ("ecdsa-p521", "curve secp521r1; expected P-256 or P-384"),
    ],
)
def test_keys_that_clients_cannot_use(authority: Authority, kind: str, text: str) -> None:
    issued = authority.issue("a.test", kind=kind)
    assert text in problem(issued.chain, issued.private_key)


def test_keys_that_do_not_fit_or_are_locked_or_none(good: Issued, authority: Authority) -> None:
    other = authority.issue("a.test")
    locked = good.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    ).decode()
    old = good.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.BestAvailableEncryption(b"secret"),
    ).decode()
    assert "does not belong to the first certificate" in problem(good.chain, other.private_key)
    assert "has a pass phrase" in problem(good.chain, locked)
    assert "has a pass phrase" in problem(good.chain, old)
    assert "expected one private key in PEM" in problem(good.chain, "hello")
    assert "expected one private key in PEM" in problem(good.chain, good.private_key + other.private_key)
    assert "cannot be read" in problem(good.chain, good.private_key.replace("M", "N", 3))
    assert "expected at most 16384" in problem(good.chain, good.private_key + " " * 20000)


def test_chains_that_are_none(good: Issued, authority: Authority) -> None:
    stranger = Authority()
    leaf, issuer = pem(good.certificate), pem(authority.intermediate)
    for text in ("", "hello", leaf[:-60], leaf.replace("MII", "MIX", 1)):
        assert "expected certificates in PEM" in problem(text, good.private_key)
    assert "holds a private key" in problem(good.chain + good.private_key, good.private_key)
    assert "does not belong to the first certificate" in problem(issuer + leaf, good.private_key)
    text = problem(leaf + pem(stranger.intermediate), good.private_key)
    assert "certificate 1 (CN=mx.example.test) was not issued by certificate 2 (CN=Test intermediate)" in text
    assert "certificate 1" in problem(leaf + pem(authority.root) + issuer, good.private_key)
    assert "certificate 2" in problem(leaf + issuer + issuer, good.private_key)
    assert "expected at most 10" in problem(leaf + issuer * 10, good.private_key)
    assert "expected at most 65536" in problem(leaf + "\n" * 70000, good.private_key)


def test_an_issuer_that_is_no_authority(authority: Authority) -> None:
    middle = authority.issue("middle.test")
    false = Authority()
    false.intermediate, false._key = middle.certificate, middle.key
    issued = false.issue("a.test")
    text = problem(issued.chain + pem(authority.intermediate), issued.private_key)
    assert "certificate 2 (CN=middle.test) may not issue certificates" in text


@pytest.mark.parametrize(
    ("begin", "end", "text"),
    [(-10, -1, "expired on"), (-10, 0, "expired on"), (1, 10, "is valid only from"), (400, 800, "is valid only from")],
)
def test_dates(authority: Authority, begin: int, end: int, text: str) -> None:
    issued = authority.issue("a.test", not_before=NOW + begin * DAY, not_after=NOW + end * DAY)
    assert text in problem(issued.chain, issued.private_key)


def test_a_clock_that_is_a_little_late_is_forgiven(authority: Authority) -> None:
    issued = authority.issue("a.test", not_before=NOW + dt.timedelta(minutes=30))
    check_upload(issued.chain, issued.private_key, NOW)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ((), "has no DNS names"),
        (("a b.test",), "'a b.test' is not a DNS name"),
        (("a.test", "mx*.a.test"), "'mx*.a.test' is not a DNS name"),
        (("*",), "'*' is not a DNS name"),
        (("*.test",), "is not a DNS name"),
        (("*.a.test", "_x.a.test", "localhost"), None),
        (("a.*.test",), "is not a DNS name"),
        (tuple(f"a{n}.test" for n in range(251)), "251 DNS names; expected at most 250"),
    ],
)
def test_names(authority: Authority, names: tuple[str, ...], text: str | None) -> None:
    issued = authority.issue(*names)
    if text is None:
        check_upload(issued.chain, issued.private_key, NOW)
    else:
        assert text in problem(issued.chain, issued.private_key)


def test_purposes(authority: Authority) -> None:
    for issued, text in (
        (authority.issue("a.test", usages=(ExtendedKeyUsageOID.CLIENT_AUTH,)), "not meant for servers"),
        (authority.issue("a.test", signs=False, kind="rsa-2048"), "may not sign"),
    ):
        assert text in problem(issued.chain, issued.private_key)


@pytest.mark.filterwarnings("ignore:Parsed a serial number:Warning")
@given(st.data())
def test_damaged_uploads_are_refused_or_pass_whole(data: st.DataObject) -> None:
    """Never anything but InvalidCertificate, whatever octet is wrong."""
    issued = _SAMPLE
    chain, key = issued.chain, issued.private_key
    which = data.draw(st.booleans())
    text = bytearray((chain if which else key).encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.integers(1, 126))
    damaged = text.decode("ascii", "replace")
    try:
        checked = check_upload(damaged if which else chain, key if which else damaged, NOW)
    except InvalidCertificate:
        return
    assert checked.names == ("a.test",)


_SAMPLE = Authority().issue("a.test", key=make_key("ecdsa-p256"))
