"""`mailraven domain`, `user` and `alias` against a running server."""

import imaplib
import ssl

import pytest
import yaml

from mailraven.testing.commands import CommandLine

PASSWORD = "vK7-plum-ocean-84"


def opens(mailraven: CommandLine, address: str, password: str) -> bool:
    where = mailraven.instance.ready["imaps"]
    context = ssl.create_default_context(cafile=mailraven.instance.ready["ca_file"])
    with imaplib.IMAP4_SSL(where["host"], where["port"], ssl_context=context) as imap:
        try:
            return imap.login(address, password)[0] == "OK"
        except imaplib.IMAP4.error:
            return False


def test_a_domain_from_add_to_delete(mailraven: CommandLine) -> None:
    assert mailraven("domain", "add", "One.Example", "max_users=3") == "added one.example\n"
    assert ["one.example", "active", "0", "0"] in [row[:4] for row in mailraven.rows("domain", "list")]
    shown = mailraven.json("domain", "show", "one.example")
    assert (shown["spec"], shown["max_users"]) == ({"max_users": 3}, 3)
    assert yaml.safe_load(mailraven("domain", "show", "one.example", "-o", "yaml")) == shown
    assert "security.dkim.key_size\t2048" in mailraven("domain", "show", "one.example").splitlines()
    changed = mailraven.json(
        "domain", "update", "one.example", "status=suspended", "security.spam.reject_score=8", "max_users=null",
        'limits.messages_per_account={"count": 5, "window": "hour"}',
    )  # fmt: skip
    assert (changed["status"], changed["max_users"]) == ("suspended", None)
    assert changed["security"]["spam"]["reject_score"] == 8
    assert changed["limits"]["messages_per_account"] == [{"count": 5, "window_minutes": 60}]
    assert "say --yes" in mailraven.refused("domain", "delete", "one.example", code=2)
    assert mailraven("domain", "delete", "one.example", "--yes") == "deleted one.example\n"
    assert mailraven.refused("domain", "show", "one.example").startswith("mailraven: one.example: There is no such")


def test_the_template_is_for_new_domains(mailraven: CommandLine) -> None:
    mailraven("domain", "add", "before.example")
    mailraven("domain", "template", "set", "max_users=7")
    try:
        assert mailraven.json("domain", "template", "show")["spec"]["max_users"] == 7
        assert mailraven.json("domain", "add", "after.example")["max_users"] == 7
        assert mailraven.json("domain", "add", "without.example", "--no-template")["max_users"] is None
        assert mailraven.json("domain", "show", "before.example")["max_users"] is None
    finally:
        mailraven("domain", "template", "set", "max_users=null")


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("add", "example.test"), 1, "exists"),
        (("add", "not a domain"), 1, "not a valid host name"),
        (("add", "x.example", "nope=1"), 1, "domain.nope: unknown field"),
        (("add", "x.example", "nope"), 2, "expected KEY=VALUE"),
        (("show", "nope.example"), 1, "nope.example: There is no such"),
        (("show", "a/../b"), 1, "a/../b: Not Found"),
        (("show", ".."), 2, "is no name"),
        (("update", "example.test", "max_users=many"), 1, "max_users: Input should be a valid integer"),
        (("update", "example.test", "security.dkim.key_size=7"), 1, "security.dkim.key_size: Input should be 2048"),
        (("update", "example.test", "labels.a b=c"), 2, "expected KEY=VALUE"),
        (("delete", "example.test", "--yes"), 1, "accounts"),
        (("delete", "nope.example", "--yes"), 1, "nope.example"),
    ],
)
def test_what_a_domain_cannot_be(mailraven: CommandLine, arguments: tuple[str, ...], code: int, expected: str) -> None:
    said = mailraven.refused("domain", *arguments, code=code)
    assert said.startswith("mailraven: ")
    assert expected in said
    assert said.count("\n") == 0


def test_a_user_from_add_to_delete(mailraven: CommandLine, password_file: str) -> None:
    mailraven("domain", "add", "users.example")
    ann = "ann@users.example"
    made = mailraven(
        "user", "add", "Ann@Users.example", "--password-file", password_file, "--name", "Ann", "--quota", "2GiB"
    )
    assert made == f"added {ann}\n"
    assert opens(mailraven, ann, PASSWORD)
    assert mailraven.rows("user", "list", "users.example") == [[ann, "0", str(2**31), "active", "user"]]
    assert ann in [row[0] for row in mailraven.rows("user", "list")]
    changed = mailraven.json("user", "set", ann, "quota_bytes=1GiB", "labels.team=sales", "display_name=Ann B")
    assert (changed["quota_bytes"], changed["labels"], changed["display_name"]) == (2**30, {"team": "sales"}, "Ann B")
    assert mailraven.json("user", "show", ann) == changed
    generated = mailraven("user", "passwd", ann, "--generate").splitlines()[1].removeprefix("password ")
    assert opens(mailraven, ann, generated)
    assert mailraven.json("user", "passwd", ann, "--generate")["password"] != generated
    assert mailraven("user", "delete", ann, "--yes") == f"deleted {ann}\n"
    assert mailraven("user", "list", "users.example") == ""


def test_a_suspended_user_waits_outside(mailraven: CommandLine, password_file: str) -> None:
    mailraven("domain", "add", "suspended.example")
    bob = "bob@suspended.example"
    mailraven("user", "add", bob, "--password-file", password_file)
    assert mailraven("user", "suspend", bob) == f"{bob}: suspended\n"
    assert not opens(mailraven, bob, PASSWORD)
    assert mailraven("user", "resume", bob) == f"{bob}: active\n"
    assert mailraven("user", "suspend", bob, "--protocol", "imap", "--protocol", "http") == f"{bob}: no http, imap\n"
    assert not opens(mailraven, bob, PASSWORD)
    assert mailraven("user", "resume", bob, "--protocol", "imap") == f"{bob}: no http\n"
    assert opens(mailraven, bob, PASSWORD)


def test_app_passwords(mailraven: CommandLine, password_file: str) -> None:
    mailraven("domain", "add", "apps.example")
    ann = "ann@apps.example"
    mailraven("user", "add", ann, "--password-file", password_file)
    made = mailraven.json("user", "app-password", "add", ann, "phone", "--protocol", "imap", "--days", "30")
    assert opens(mailraven, ann, made["password"])
    assert made["protocols"] == ["imap"]
    [row] = mailraven.rows("user", "app-password", "list", ann)
    assert row[:3] == [str(made["id"]), "phone", "imap"]
    assert mailraven.json("user", "app-password", "list", ann)[0]["expires_at"] == made["expires_at"]
    assert "There is an app password called phone" in mailraven.refused("user", "app-password", "add", ann, "phone")
    assert mailraven("user", "app-password", "delete", ann, "phone", "--yes") == "deleted phone\n"
    assert "has no app password phone" in mailraven.refused("user", "app-password", "delete", ann, "phone", "--yes")


def test_aliases(mailraven: CommandLine, password_file: str) -> None:
    mailraven("domain", "add", "alias.example")
    mailraven("user", "add", "ann@alias.example", "--password-file", password_file)
    led = mailraven("alias", "add", "sales@alias.example", "ann@alias.example", "x@example.com")
    assert led == "sales@alias.example leads to ann@alias.example, x@example.com\n"
    assert (
        mailraven.refused("alias", "add", "ann@alias.example", "x@example.com")
        == "mailraven: ann@alias.example is an account."
    )
    mailraven("alias", "add", "*@alias.example", "ann@alias.example")
    assert mailraven.rows("alias", "list", "alias.example") == [
        ["*@alias.example", "ann@alias.example"],
        ["sales@alias.example", "ann@alias.example, x@example.com"],
    ]
    assert {row[0] for row in mailraven.rows("user", "aliases", "ann@alias.example")} == {
        "*@alias.example", "sales@alias.example"
    }  # fmt: skip
    assert mailraven.json("domain", "show", "alias.example")["catch_all"] == "ann@alias.example"
    assert mailraven("alias", "delete", "sales@alias.example", "--yes") == "deleted sales@alias.example\n"
    assert "expected a whole address" in mailraven.refused("alias", "delete", "sales", "--yes", code=2)
    assert "sales@alias.example" in mailraven.refused("alias", "delete", "sales@alias.example", "--yes")
    assert "is an account" in mailraven.refused("alias", "add", "ann@alias.example", "x@example.com")


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("add", "ann@nope.example", "--generate"), 1, "nope.example"),
        (("add", "alice@example.test", "--generate"), 1, "exists"),
        (("add", "x@example.test"), 2, "no terminal to ask for a password"),
        (("add", "x@example.test", "--password-file", "/nonexistent"), 1, "--password-file /nonexistent: No such file"),
        (("add", "x@example.test", "--password-file", "/dev/null"), 1, "empty"),
        (("add", "x@example.test", "--generate", "--quota", "much"), 2, "expected a size"),
        (("add", "x@example.test", "--generate", "--password-file", "-"), 2, "exclude each other"),
        (("set", "alice@example.test", "password=secret"), 2, "never an argument"),
        (("set", "alice@example.test", "quota_bytes=-1"), 1, "quota_bytes"),
        (("show", "nobody@example.test"), 1, "nobody@example.test: There is no such"),
        (("passwd", "nobody@example.test", "--generate"), 1, "nobody@example.test"),
        (("suspend", "alice@example.test", "--protocol", "telnet"), 1, "disabled"),
        (("delete", "alice@example.test"), 2, "say --yes"),
        (("delete", "nobody@example.test", "--yes"), 1, "nobody@example.test"),
        (("list", "nope.example"), 0, ""),
    ],
)
def test_what_a_user_cannot_be(mailraven: CommandLine, arguments: tuple[str, ...], code: int, expected: str) -> None:
    said = mailraven.refused("user", *arguments, code=code)
    assert expected in said
    assert said.count("\n") == 0


def test_a_weak_password_is_refused_with_a_reason(mailraven: CommandLine) -> None:
    said = mailraven.refused("user", "add", "weak@example.test", "--password-file", "-", stdin="password\n")
    assert said.startswith("mailraven: ")
    assert "password" in said
    assert "weak@example.test" not in mailraven("user", "list", "example.test")
