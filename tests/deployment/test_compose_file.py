"""docker-compose.yml and .env.example without docker: what one names, the other explains."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailraven.app.roles import LISTENERS, Role
from mailraven.config import Config, load
from mailraven.config.variables import PREFIX

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
LINES = [line.partition("=")[::2] for line in EXAMPLE.splitlines() if line and not line.startswith("#")]
SETTINGS = dict(LINES)
# Read by docker compose itself.
OF_COMPOSE = {"COMPOSE_PROFILES"}


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEXT)["services"]
    return found


def test_every_variable_is_explained_and_every_line_is_used() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    settings = {name for name in SETTINGS if name.startswith(PREFIX)}
    assert used <= set(SETTINGS)
    assert set(SETTINGS) - settings <= used | OF_COMPOSE
    assert len(LINES) == len(SETTINGS), "a name is there twice"


def test_no_line_is_without_a_comment_above_its_paragraph() -> None:
    for paragraph in EXAMPLE.strip().split("\n\n"):
        assert paragraph.startswith("#"), paragraph


def test_settings_of_the_example_are_settings_of_the_server() -> None:
    environ = {name: value for name, value in LINES if name.startswith(PREFIX)}
    assert isinstance(load(environ=environ), Config)
    # Those without a value count as not set: one that does not exist would not be noticed.
    for name in environ:
        key = name.removeprefix(PREFIX).lower().split("__")
        model: Any = Config
        for part in key:
            assert part in model.model_fields, name
            model = model.model_fields[part].annotation


def test_defaults_of_both_files_agree() -> None:
    for name, default in re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", TEXT):
        assert SETTINGS[name] in (default, ""), name


def test_every_service_is_hardened(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert name == "init" or "limits" in service["deploy"]["resources"], name
        assert name == "init" or "cap_add" not in service, name
        assert not service.get("privileged"), name


def test_each_role_has_a_service_and_each_listener_a_port(services: dict[str, Any]) -> None:
    commands = {tuple(services[role]["command"]) for role in Role}
    assert commands == {("serve", role) for role in Role}
    config = Config()
    wanted = {str(getattr(config.listeners, kind.name).port) for kind in LISTENERS if kind.role is not None}
    alone = [port.rpartition(":")[2] for port in services["server"]["ports"]]
    apart = [port.rpartition(":")[2] for name in Role for port in services[name].get("ports", ())]
    assert sorted(alone) == sorted(apart) == sorted(wanted)
    assert {*services["server"]["networks"]["default"]["aliases"], "delivery"} == set(Role)


def test_init_makes_each_secret(services: dict[str, Any]) -> None:
    script = services["init"]["entrypoint"][-1]
    made = re.findall(r"keep ([\w-]+)$", script, re.MULTILINE)
    assert sorted(made) == sorted(yaml.safe_load(TEXT)["secrets"])
