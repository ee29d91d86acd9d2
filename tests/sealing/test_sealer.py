"""Sealing: what opens, what does not, what is said, and that nothing shows a secret."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.config import ConfigError, SecretsConfig, load
from mailraven.sealing import NoMasterKey, SealBroken, Sealer, WrongMasterKey, new_master_key

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@given(st.text(max_size=50), st.binary(max_size=5000))
def test_what_was_sealed_opens_for_the_same_purpose_only(purpose: str, secret: bytes) -> None:
    sealer = Sealer([OLD])
    sealed = sealer.seal(purpose, secret)
    assert sealer.open(purpose, sealed) == secret
    assert sealer.seal(purpose, secret) != sealed
    with pytest.raises(SealBroken):
        sealer.open(purpose + "x", sealed)


@given(st.data())
def test_any_changed_octet_is_noticed(data: st.DataObject) -> None:
    sealer = Sealer([OLD])
    sealed = bytearray(sealer.seal("a", b"secret"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((SealBroken, WrongMasterKey)):
        sealer.open("a", bytes(sealed))


@given(st.binary(max_size=60))
def test_anything_else_is_damaged_or_of_another_key(octets: bytes) -> None:
    with pytest.raises((SealBroken, WrongMasterKey)):
        Sealer([OLD]).open("a", octets)


def test_rotation_the_first_key_seals_and_all_open() -> None:
    sealed = Sealer([OLD]).seal("a", b"secret")
    both = Sealer([NEW, OLD])
    assert both.open("a", sealed) == b"secret"
    assert not both.is_current(sealed)
    anew = both.seal("a", b"secret")
    assert both.is_current(anew)
    assert Sealer([NEW]).open("a", anew) == b"secret"
    with pytest.raises(WrongMasterKey, match=r"a was sealed with master key [0-9a-f]{8}, which is not among"):
        Sealer([NEW]).open("a", sealed)


def test_without_a_key_it_is_said_what_to_set() -> None:
    sealer = Sealer.of(SecretsConfig())
    assert not sealer.ready
    with pytest.raises(NoMasterKey, match=r"set secrets\.key_file or secrets\.key"):
        sealer.seal("a", b"secret")
    with pytest.raises(NoMasterKey):
        sealer.open("a", Sealer([OLD]).seal("a", b"secret"))


def test_nothing_shows_a_key() -> None:
    text = base64.b64encode(OLD).decode()
    config = load(environ={"MAILRAVEN_SECRETS__KEY": text})
    sealer = Sealer.of(config.secrets)
    for shown in (repr(sealer), str(sealer), repr(config), str(config), repr(vars(sealer))):
        assert text not in shown
        assert OLD.hex() not in shown
        assert repr(OLD) not in shown


@pytest.mark.parametrize("text", ["", "short", "Zm9v", base64.b64encode(bytes(range(31))).decode(), "ä" * 44])
def test_a_key_that_is_none_is_refused_without_quoting_it(text: str) -> None:
    expected = r"secrets\.key \(--set secrets\.key\): expected the base64 of 32 bytes"
    with pytest.raises(ConfigError, match=expected) as caught:
        load(assignments=[f"secrets.key={text}"])
    assert not text or text not in str(caught.value).replace("base64", "")


def test_keys_come_from_files(tmp_path: Path) -> None:
    now, before = tmp_path / "now", tmp_path / "before"
    now.write_text(new_master_key() + "\n")
    before.write_text(base64.urlsafe_b64encode(OLD).decode() + "\n")
    config = load(
        environ={
            "MAILRAVEN_SECRETS__KEY_FILE": str(now),
            "MAILRAVEN_SECRETS__PREVIOUS_KEY_FILES": str(before),
        }
    )
    assert Sealer.of(config.secrets).open("a", Sealer([OLD]).seal("a", b"secret")) == b"secret"
    before.write_text("nonsense")
    with pytest.raises(ConfigError, match=f"previous_key_files: {before}: expected the base64"):
        Sealer.of(config.secrets)
    before.unlink()
    with pytest.raises(ConfigError, match=f"cannot read {before}: No such file"):
        Sealer.of(config.secrets)
    with pytest.raises(ConfigError, match="beside it"):
        Sealer.of(SecretsConfig(previous_key_files=(before,)))
