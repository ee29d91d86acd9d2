"""`mailraven token`, `admin`, `config` and `audit`, which server they talk to, and what they do without one."""

import json
from pathlib import Path

import pytest
import yaml

from mailraven.testing.command_line import run
from mailraven.testing.commands import CommandLine

PASSWORD = "vK7-plum-ocean-84"


def elsewhere(mailraven: CommandLine, home: Path, token: str) -> dict[str, str]:
    """Variables of somebody who has only the URL and a token."""
    url = mailraven.instance.ready["http"]["url"]
    return {"MAILRAVEN_URL": url, "MAILRAVEN_TOKEN": token, "MAILRAVEN_DATA": str(home / "none")}


def test_a_token_from_add_to_delete(mailraven: CommandLine, tmp_path: Path) -> None:
    token = mailraven("token", "add", "monitoring", "--scope", "read", "--days", "30").strip()
    there = elsewhere(mailraven, tmp_path, token)
    assert "example.test" in run("domain", "list", **there).stdout
    refused = run("domain", "add", "no.example", code=1, **there)
    assert "scopes" in refused.stderr
    rows = {row[0]: row for row in mailraven.rows("token", "list")}
    assert rows["monitoring"][1:3] == ["super-admin", "read"]
    assert mailraven.json("token", "list")[0].keys() >= {"name", "scopes", "expires_at", "last_used_at"}
    fresh = mailraven("token", "rotate", "monitoring").strip()
    stale = run("domain", "list", code=1, **there).stderr
    assert stale.startswith(f"mailraven: {there['MAILRAVEN_URL']} refuses the token of the variable MAILRAVEN_TOKEN: ")
    assert stale.count("\n") == 1
    (tmp_path / "token").write_text(fresh + "\n")
    with_file = ("--url", there["MAILRAVEN_URL"], "--token-file", str(tmp_path / "token"))
    assert "example.test" in run("domain", "list", *with_file).stdout
    assert mailraven("token", "delete", "monitoring") == "deleted monitoring\n"
    assert "monitoring" in mailraven.refused("token", "delete", "monitoring")
    assert "exists" in mailraven.refused("token", "add", "bootstrap")
    assert "scopes" in mailraven.refused("token", "add", "x", "--scope", "everything")


def test_a_token_for_some_domains_sees_no_others(mailraven: CommandLine, tmp_path: Path) -> None:
    mailraven("domain", "add", "mine.example")
    token = mailraven("token", "add", "mine", "--role", "domain-admin", "--domain", "mine.example").strip()
    assert {row[0]: row[-1] for row in mailraven.rows("token", "list")}["mine"] == "mine.example"
    there = elsewhere(mailraven, tmp_path, token)
    assert run("domain", "list", **there).stdout.split("\t")[0] == "mine.example"
    assert "example.test: There is no such" in run("domain", "show", "example.test", code=1, **there).stderr
    assert run("config", "get", code=1, **there).stderr == "mailraven: Only super-admins may do this.\n"
    mailraven("token", "delete", "mine")


def test_admins(mailraven: CommandLine) -> None:
    mailraven("domain", "add", "admins.example")
    for name in ("ann", "eve"):
        mailraven("user", "add", f"{name}@admins.example", "--password-file", "-", stdin=PASSWORD)
    granted = mailraven(
        "admin", "grant", "ann@admins.example", "--domain", "admins.example", "--domain", "example.test"
    )
    assert granted == "ann@admins.example is domain-admin\n"
    assert mailraven("admin", "grant", "eve@admins.example", "--super") == "eve@admins.example is super-admin\n"
    rows = {row[0]: row[1:3] for row in mailraven.rows("admin", "list")}
    assert rows["ann@admins.example"] == ["domain-admin", "admins.example, example.test"]
    assert rows["eve@admins.example"] == ["super-admin", ""]
    assert mailraven("admin", "revoke", "ann@admins.example", "--yes") == "ann@admins.example is no admin any more\n"
    assert (
        mailraven("admin", "reset-totp", "eve@admins.example", "--yes")
        == "eve@admins.example has no second factor now\n"
    )
    for arguments, code, expected in (
        (("grant", "ann@admins.example"), 2, "either --domain DOMAIN or --super"),
        (("grant", "ann@admins.example", "--super", "--domain", "x.example"), 2, "either --domain DOMAIN or --super"),
        (("grant", "nobody@admins.example", "--super"), 1, "nobody@admins.example: There is no such"),
        (("grant", "ann@admins.example", "--domain", "nope.example"), 1, "nope.example"),
        (("revoke", "ann@admins.example", "--yes"), 1, "no admin"),
        (("revoke", "eve@admins.example"), 2, "say --yes"),
    ):
        assert expected in mailraven.refused("admin", *arguments, code=code)


def test_settings_are_read_and_changed(mailraven: CommandLine) -> None:
    key = "limits.max_connections_per_ip"
    assert mailraven("config", "get", key) == "10\n"
    try:
        assert mailraven("config", "set", key, "20") == f"{key} = 20\n"
        assert mailraven.json("config", "get", key) == 20
        assert mailraven("config", "set", "limits.exempt_senders", "a@x.example, y.example").startswith("limits.exempt")
        found = mailraven.json("config", "get", "limits")
        assert (found["max_connections_per_ip"], found["exempt_senders"]) == (20, ["a@x.example", "y.example"])
        assert f"{key}\t20" in mailraven("config", "get").splitlines()
        assert yaml.safe_load(mailraven("config", "get", "-o", "yaml"))["limits"] == found
        [entry] = [
            item
            for item in mailraven.json("audit", "list", "--action", "settings.update")
            if item["after"] == {"max_connections_per_ip": 20}
        ]
        assert entry["before"] == {"max_connections_per_ip": 10}
    finally:
        mailraven("config", "set", key, "10")
        mailraven("config", "set", "limits.exempt_senders", "[]")
    assert mailraven("config", "set", "mail.max_message_size", "25MiB") == "mail.max_message_size = 26214400\n"
    assert mailraven("config", "set", "mail.max_message_size", "null") == "mail.max_message_size = \n"


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("get", "limits.nope"), 1, "no setting limits.nope"),
        (("get", "nope"), 1, "no setting nope"),
        (("set", "limits.nope", "1"), 1, "no setting limits.nope"),
        (("set", "limits", "1"), 2, "expected GROUP.NAME"),
        (
            ("set", "limits.max_connections_per_ip", "many"),
            1,
            "max_connections_per_ip: Input should be a valid integer",
        ),
        (("set", "limits.max_connections_per_ip", "-1"), 2, "No such option"),
        (("set", "limits.max_connections_per_ip", "0"), 1, "greater than 0"),
        (("set", "limits.exempt_networks", "nowhere"), 1, "exempt_networks"),
        (("set", "admin.allowed_networks", "198.51.100.0/24"), 1, "lock you out"),
        (("set", "passwords.min_length"), 2, "Missing argument"),
    ],
)
def test_what_a_setting_cannot_be(mailraven: CommandLine, arguments: tuple[str, ...], code: int, expected: str) -> None:
    assert expected in mailraven.refused("config", *arguments, code=code)


def test_bootstrap_settings_are_shown_without_secrets(mailraven: CommandLine) -> None:
    secret = "postgresql://u:not-to-be-seen@127.0.0.1:5/x"
    shown = mailraven("config", "show", "--set", "smtp.max_recipients=177", MAILRAVEN_DATABASE__URL=secret)
    assert "smtp.max_recipients\t177" in shown.splitlines()
    assert "not-to-be-seen" not in shown
    assert json.loads(mailraven("config", "show", "-o", "json"))["smtp"]["max_recipients"] == 1000
    assert "smtp.nope" in mailraven.refused("config", "show", "--set", "smtp.nope=1", code=2)


def test_the_audit_log_knows_who_did_what(mailraven: CommandLine) -> None:
    mailraven("domain", "add", "audit.example")
    [entry] = mailraven.json("audit", "list", "--target", "audit.example", "--action", "domain")
    assert (entry["actor"], entry["action"], entry["outcome"]) == ("token bootstrap", "domain.create", "ok")
    rows = mailraven.rows("audit", "list", "--domain", "audit.example", "--limit", "1")
    assert len(rows) == 1
    assert "since" in mailraven.refused("audit", "list", "--since", "yesterday")
    assert "outcome" in mailraven.refused("audit", "list", "--outcome", "fine")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose server has ended."""
    from mailraven.testing.command_line import started

    home = tmp_path_factory.mktemp("stopped")
    with started(home, "--workers", "1") as instance:
        assert (instance.data / "run" / "api-url").read_text() == instance.ready["http"]["url"] + "\n"
    assert not (instance.data / "run" / "api-url").exists()
    return instance.data


def test_without_a_server_the_directory_is_changed_directly(stopped: Path) -> None:
    def there(*arguments: str, code: int = 0, stdin: str = "") -> str:
        done = run(*arguments, code=code, stdin=stdin, MAILRAVEN_DATA=str(stopped))
        return done.stderr if code else done.stdout

    assert there("domain", "add", "Direct.example") == "added direct.example\n"
    assert there("domain", "list") == "direct.example\tactive\nexample.test\tactive\n"
    assert (
        there("user", "add", "ann@direct.example", "--password-file", "-", stdin=PASSWORD)
        == "added ann@direct.example\n"
    )
    assert there("user", "passwd", "ann@direct.example", "--generate").startswith("changed the password of ann@")
    assert json.loads(there("user", "list", "direct.example", "-o", "json"))[0]["address"] == "ann@direct.example"
    assert there("token", "add", "direct").startswith("mr_")
    assert there("token", "delete", "direct") == "deleted direct\n"
    assert "exists" in there("domain", "add", "direct.example", code=1)
    assert "need a server" in there("domain", "add", "x.example", "max_users=1", code=2)
    for command in (("domain", "show", "direct.example"), ("queue", "list"), ("status",), ("token", "list")):
        assert (
            there(*command, code=1) == f"mailraven: no running server: start it with `mailraven up` --data {stopped}\n"
        )


def test_the_url_of_a_killed_server_is_not_believed(stopped: Path) -> None:
    url = stopped / "run" / "api-url"
    url.write_text("http://127.0.0.1:9\n")
    try:
        assert "no running server" in run("status", code=1, MAILRAVEN_DATA=str(stopped)).stderr
        assert "example.test" in run("domain", "list", MAILRAVEN_DATA=str(stopped)).stdout
    finally:
        url.unlink()


def test_no_server_and_no_directory(tmp_path: Path) -> None:
    none = str(tmp_path / "none")
    said = run("queue", "list", "--data", none, code=1).stderr
    assert said.startswith(f"mailraven: no running server: start it with `mailraven up` ({none} is no data directory")
    away = {"MAILRAVEN_URL": "http://127.0.0.1:9", "MAILRAVEN_TOKEN": "mr_x"}
    assert run("queue", "list", code=1, **away).stderr == (
        "mailraven: http://127.0.0.1:9 cannot be reached: Connection refused\n"
    )
    unknown = {"MAILRAVEN_URL": "http://mail.invalid:9", "MAILRAVEN_TOKEN": "mr_x"}
    assert "http://mail.invalid:9 cannot be reached: " in run("queue", "list", code=1, **unknown).stderr
    assert "no token for http://127.0.0.1:9" in run("status", code=2, MAILRAVEN_URL="http://127.0.0.1:9").stderr
    assert "expected a URL" in run("status", code=2, MAILRAVEN_URL="mail.example.org", MAILRAVEN_TOKEN="x").stderr
    assert not Path(none).exists()
