"""The certificate of `mailraven up`: kept while it is good, made anew when it is not."""

import datetime as dt
import os
import stat
from pathlib import Path

import pytest

from mailraven.tls import TlsContexts, TlsError
from mailraven.tls.selfsigned import ensure_self_signed

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
NAMES = ["mx.example.test", "localhost", "127.0.0.1", "::1"]


def test_keys_are_private_and_the_rest_is_readable(tmp_path: Path) -> None:
    files = ensure_self_signed(tmp_path / "tls", NAMES, NOW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()}
    assert modes == {"ca.pem": 0o644, "cert.pem": 0o644, "key.pem": 0o600, "ca-key.pem": 0o600}
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    TlsContexts(files.cert_file, files.key_file)


def test_it_is_kept_while_it_is_good(tmp_path: Path) -> None:
    first = ensure_self_signed(tmp_path, NAMES, NOW).cert_file.read_bytes()
    assert ensure_self_signed(tmp_path, NAMES[::-1], NOW + dt.timedelta(days=360)).cert_file.read_bytes() == first


@pytest.mark.parametrize("days", [370, 500])
def test_it_is_renewed_before_it_ends_by_the_same_authority(tmp_path: Path, days: int) -> None:
    files = ensure_self_signed(tmp_path, NAMES, NOW)
    before, authority = files.cert_file.read_bytes(), files.ca_file.read_bytes()
    ensure_self_signed(tmp_path, NAMES, NOW + dt.timedelta(days=days))
    assert files.cert_file.read_bytes() != before
    assert files.ca_file.read_bytes() == authority


def test_an_old_authority_is_replaced(tmp_path: Path) -> None:
    files = ensure_self_signed(tmp_path, NAMES, NOW)
    authority = files.ca_file.read_bytes()
    ensure_self_signed(tmp_path, NAMES, NOW + dt.timedelta(days=3600))
    assert files.ca_file.read_bytes() != authority


def test_another_name_makes_another_certificate(tmp_path: Path) -> None:
    before = ensure_self_signed(tmp_path, NAMES, NOW).cert_file.read_bytes()
    assert ensure_self_signed(tmp_path, [*NAMES, "10.0.0.1"], NOW).cert_file.read_bytes() != before


@pytest.mark.parametrize("name", ["cert.pem", "key.pem", "ca.pem", "ca-key.pem"])
@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_damaged_files_are_made_anew(tmp_path: Path, name: str, content: bytes | None) -> None:
    files = ensure_self_signed(tmp_path, NAMES, NOW)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    files = ensure_self_signed(tmp_path, NAMES, NOW)
    TlsContexts(files.cert_file, files.key_file)


def test_a_key_that_does_not_belong_to_it_is_replaced(tmp_path: Path) -> None:
    files = ensure_self_signed(tmp_path / "a", NAMES, NOW)
    other = ensure_self_signed(tmp_path / "b", NAMES, NOW)
    files.key_file.write_bytes(other.key_file.read_bytes())
    ensure_self_signed(tmp_path / "a", NAMES, NOW)
    TlsContexts(files.cert_file, files.key_file)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir(mode=0o500)
    with pytest.raises(TlsError, match="tls"):
        ensure_self_signed(tmp_path / "tls", NAMES, NOW)
