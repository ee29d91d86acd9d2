"""The master key of `mailraven up`: made once, private, never replaced."""

import base64
from pathlib import Path

import pytest

from mailraven.app.data_directory import DataDirectory
from mailraven.app.errors import StartError
from mailraven.app.master_key import with_master_key
from mailraven.config import load
from mailraven.sealing import Sealer, new_master_key


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path / "data")
    directory.create()
    return directory


def test_the_first_start_makes_it_and_the_next_ones_use_it(data: DataDirectory) -> None:
    first = with_master_key(load(), data)
    text = data.master_key.read_text()
    assert len(base64.b64decode(text)) == 32
    assert data.master_key.stat().st_mode & 0o777 == 0o600
    sealed = Sealer.of(first.secrets).seal("a", b"secret")
    second = with_master_key(load(), data)
    assert data.master_key.read_text() == text
    assert Sealer.of(second.secrets).open("a", sealed) == b"secret"
    assert [path.name for path in data.master_key.parent.iterdir()] == ["master-key"]


def test_a_key_of_the_settings_wins_and_the_old_one_still_opens(data: DataDirectory) -> None:
    sealed = Sealer.of(with_master_key(load(), data).secrets).seal("a", b"secret")
    text = data.master_key.read_text()
    sealer = Sealer.of(with_master_key(load(environ={"MAILRAVEN_SECRETS__KEY": new_master_key()}), data).secrets)
    assert sealer.open("a", sealed) == b"secret"
    assert not sealer.is_current(sealed)
    assert data.master_key.read_text() == text


def test_none_is_made_beside_a_key_of_the_settings(data: DataDirectory) -> None:
    with_master_key(load(environ={"MAILRAVEN_SECRETS__KEY": new_master_key()}), data)
    assert not data.master_key.exists()


@pytest.mark.parametrize("octets", [b"", b"nonsense\n", b"\xff\xfe"])
def test_a_damaged_one_is_reported_and_stays(data: DataDirectory, octets: bytes) -> None:
    data.master_key.write_bytes(octets)
    with pytest.raises(StartError, match=str(data.master_key)):
        with_master_key(load(), data)
    assert data.master_key.read_bytes() == octets
