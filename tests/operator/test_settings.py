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


def test_the_home_namespace_and_the_name_come_from_the_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "mail")
    monkeypatch.setenv("POD_NAME", "operator-1")
    monkeypatch.setenv("MAILRAVEN_OPERATOR_NAMESPACES", "team-b,team-a")
    settings = Settings()
    assert (settings.namespace, settings.identity) == ("mail", "operator-1")
    assert settings.watched == ("mail", "team-a", "team-b")
    monkeypatch.setenv("MAILRAVEN_OPERATOR_NAMESPACE", "other")
    assert Settings().namespace == "other"
    monkeypatch.delenv("MAILRAVEN_OPERATOR_NAMESPACES")
    assert Settings().watched == ()


def test_a_token_in_the_url_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILRAVEN_OPERATOR_SERVER_URL", "http://operator:s3cret@mailraven-admin:8080")
    with pytest.raises(ValidationError, match="token_file") as refused:
        Settings()
    assert "s3cret" not in str(refused.value.errors(include_input=False, include_url=False, include_context=False))
