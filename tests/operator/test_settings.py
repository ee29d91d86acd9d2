"""Settings of the operator."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mailraven_operator.settings import Settings


def test_settings_come_from_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    monkeypatch.setenv("MAILRAVEN_OPERATOR_SERVER_URL", "http://mailraven-admin:8080")
    monkeypatch.setenv("MAILRAVEN_OPERATOR_TOKEN_FILE", str(token))
    monkeypatch.setenv("MAILRAVEN_OPERATOR_NAMESPACES", "mail, mail-test")
    settings = Settings()
    assert str(settings.server_url) == "http://mailraven-admin:8080/"
    assert settings.token_file == token
    assert settings.namespaces == ("mail", "mail-test")


@pytest.mark.parametrize(
    ("name", "value"),
    [("SERVER_URL", "not a url"), ("RESYNC_SECONDS", "0"), ("NAMESPACES", "Not_A_Namespace"), ("LOG_LEVEL", "loud")],
)
def test_a_wrong_variable_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"MAILRAVEN_OPERATOR_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()
