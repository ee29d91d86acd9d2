"""`mailraven apply` and `diff` against a running server."""

import json
from pathlib import Path
from typing import Any

import pytest

from mailraven.testing.authority import Authority
from mailraven.testing.command_line import run
from mailraven.testing.commands import CommandLine

EXAMPLES = Path(__file__).parents[2] / "examples"
HEAD = "apiVersion: mailraven.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n"


def domain(name: str, spec: str = "  maxUsers: 5\n") -> str:
    return HEAD.format(kind="MailDomain", name=name) + spec


def user(address: str, spec: str = "") -> str:
    return HEAD.format(kind="MailUser", name=address.partition("@")[0]) + f"  address: {address}\n{spec}"


def policy(name: str, count: int) -> str:
    spec = f"  scope: account\n  limits: {{count: {count}, window: day}}\n  selector: {{accounts: [x@apply.example]}}\n"
    return HEAD.format(kind="RateLimitPolicy", name=name) + spec


def manifest(home: Path, *documents: str) -> str:
    path = home / "manifest.yaml"
    path.write_text("---\n".join(documents))
    return str(path)


def actions(mailraven: CommandLine, *arguments: str, code: int = 0) -> dict[str, str]:
    found = mailraven.json("apply", *arguments, code=code)
    return {resource["name"]: resource["action"] for resource in found["resources"]}


def test_apply_creates_configures_and_then_leaves_alone(mailraven: CommandLine, tmp_path: Path) -> None:
    file = manifest(tmp_path, user("ann@apply.example", "  labels: {team: a}\n"), domain("apply.example"))
    assert mailraven("apply", "-f", file).splitlines()[-3:] == [
        "maildomain/apply.example created", "mailuser/ann@apply.example created", "2 created"
    ]  # fmt: skip
    assert mailraven("apply", "-f", file).splitlines() == [
        "maildomain/apply.example unchanged", "mailuser/ann@apply.example unchanged", "2 unchanged"
    ]  # fmt: skip
    version = mailraven.json("domain", "show", "apply.example")["version"]
    file = manifest(tmp_path, domain("apply.example", "  maxUsers: 6\n"), user("ann@apply.example"))
    lines = mailraven("apply", "-f", file).splitlines()
    assert "-max_users: 5" in lines
    assert "+max_users: 6" in lines
    assert lines[-1] == "2 configured"
    assert mailraven.json("domain", "show", "apply.example")["version"] == version + 1
    assert mailraven.json("user", "show", "ann@apply.example")["labels"] == {}


def test_dry_run_and_diff_change_nothing_and_end_with_1_when_something_would(
    mailraven: CommandLine, tmp_path: Path
) -> None:
    file = manifest(tmp_path, domain("dry.example"))
    assert (
        mailraven("apply", "-f", file, "--dry-run", "--no-diff", code=1) == "maildomain/dry.example created (dry run)\n"
    )
    assert "+max_users: 5\n" in mailraven("diff", "-f", file, code=1)
    assert mailraven.json("diff", "-f", file, code=1)["created"] == 1
    assert "dry.example" in mailraven.refused("domain", "show", "dry.example")
    mailraven("apply", "-f", file)
    assert mailraven("diff", "-f", file) == ""
    assert mailraven("apply", "-f", file, "--dry-run") == "maildomain/dry.example unchanged (dry run)\n"
    plain = manifest(tmp_path, user("ann@dry.example"))  # all its fields have their defaults
    assert mailraven("diff", "-f", plain, code=1) == "--- a/mailuser/ann@dry.example\n+++ b/mailuser/ann@dry.example\n"


def test_the_quota_and_the_password_stay_unless_they_are_said(
    mailraven: CommandLine, tmp_path: Path, password_file: str
) -> None:
    mailraven("domain", "add", "stay.example")
    mailraven("user", "add", "bob@stay.example", "--password-file", password_file, "--quota", "1GiB")
    file = manifest(tmp_path, user("bob@stay.example"))
    assert actions(mailraven, "-f", file) == {"bob@stay.example": "unchanged"}
    file = manifest(tmp_path, user("bob@stay.example", "  quota: none\n"))
    assert actions(mailraven, "-f", file) == {"bob@stay.example": "configured"}
    shown = mailraven.json("user", "show", "bob@stay.example")
    assert (shown["quota_bytes"], shown["has_password"]) == (None, True)


def test_labels_of_the_metadata_are_those_of_the_resource(mailraven: CommandLine, tmp_path: Path) -> None:
    labelled = [
        text.replace("}\nspec", ", labels: {tier: gold, a: b}}\nspec", 1)
        for text in (domain("labels.example", "  labels: {tier: silver}\n"), user("ann@labels.example"))
    ]
    file = manifest(tmp_path, *labelled)
    mailraven("apply", "-f", file)
    assert mailraven.json("domain", "show", "labels.example")["labels"] == {"tier": "silver", "a": "b"}
    assert mailraven.json("user", "show", "ann@labels.example")["labels"] == {"tier": "gold", "a": "b"}
    assert set(actions(mailraven, "-f", file).values()) == {"unchanged"}


def test_aliases_and_the_role_of_a_user(mailraven: CommandLine, tmp_path: Path) -> None:
    spec = "  aliases: [sales@role.example, info@role.example]\n  role: domain-admin\n"
    file = manifest(tmp_path, domain("role.example"), user("ann@role.example", spec))
    assert actions(mailraven, "-f", file) == {
        "role.example": "created", "ann@role.example": "created", "sales@role.example": "created",
        "info@role.example": "created"
    }  # fmt: skip
    assert mailraven.json("user", "show", "ann@role.example")["role"] == "domain-admin"
    assert set(actions(mailraven, "-f", file).values()) == {"unchanged"}
    mailraven("domain", "add", "more.example")
    mailraven("admin", "grant", "ann@role.example", "--domain", "more.example")
    assert set(actions(mailraven, "-f", file).values()) == {"unchanged"}
    mailraven("alias", "add", "info@role.example", "x@far.example")
    plain = manifest(tmp_path, user("ann@role.example", spec.replace("domain-admin", "user")))
    assert mailraven("apply", "-f", plain, "--no-diff").splitlines() == [
        "mailuser/ann@role.example unchanged", "alias/sales@role.example unchanged",
        "alias/info@role.example configured", "admin/ann@role.example deleted", "1 configured, 2 unchanged, 1 deleted"
    ]  # fmt: skip
    assert mailraven.json("user", "show", "ann@role.example")["role"] == "user"
    mailraven("delete", "-f", plain, "--yes")
    assert mailraven.json("alias", "list", "role.example") == []


def test_a_certificate_of_a_secret(mailraven: CommandLine, tmp_path: Path) -> None:
    issued = Authority().issue("cert.example")
    secret = {"tls.crt": issued.chain, "tls.key": issued.private_key}
    documents = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cert"}, "stringData": secret},
        {
            "apiVersion": "mailraven.io/v1alpha1",
            "kind": "MailDomain",
            "metadata": {"name": "cert.example"},
            "spec": {"tls": {"secretRef": {"name": "cert"}}},
        },
    ]
    file = manifest(tmp_path, *(json.dumps(document) + "\n" for document in documents))
    said = mailraven("apply", "-f", file)
    assert "certificate/cert created" in said
    assert "PRIVATE KEY" not in said
    assert mailraven.json("ssl", "show", "cert")["names"] == ["cert.example"]
    assert set(actions(mailraven, "-f", file).values()) == {"unchanged"}


def test_what_only_a_cluster_can_do_is_said_and_the_rest_is_done(mailraven: CommandLine, tmp_path: Path) -> None:
    file = manifest(tmp_path, domain("note.example", "  reclaimPolicy: Delete\n"))
    done = run("apply", "-f", file, MAILRAVEN_DATA=str(mailraven.instance.data))
    assert done.stdout.splitlines()[-1] == "maildomain/note.example created"
    advice = "spec.reclaimPolicy is for clusters: `mailraven delete` never deletes mail"
    assert done.stderr == f"mailraven: note: {file}:5: {advice}\n"
    backup = str(EXAMPLES / "backup.yaml")
    done = run("apply", "-f", backup, MAILRAVEN_DATA=str(mailraven.instance.data))
    assert (done.stdout, done.stderr.count("note: ")) == ("", 3)


def test_a_new_user_gets_the_password_of_a_secret(mailraven: CommandLine, tmp_path: Path) -> None:
    spec = "  passwordSecretRef: {name: ann}\n"
    without = manifest(tmp_path, domain("secret.example"), user("ann@secret.example", spec))
    for command in (("apply",), ("apply", "--dry-run"), ("diff",)):
        said = mailraven.refused(*command, "-f", without)
        assert said.endswith("manifest.yaml:7: mailuser/ann@secret.example: Secret ann is not in the files")
    assert "secret.example" in mailraven.refused("domain", "show", "secret.example")  # nothing was sent
    mailraven("domain", "add", "secret.example")
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: ann}\nstringData: {password: mK4-river-tulip-19}\n"
    file = manifest(tmp_path, user("ann@secret.example", spec), secret)
    output = mailraven("apply", "-f", file)
    assert "created" in output
    assert "mK4" not in output
    assert mailraven.json("user", "show", "ann@secret.example")["has_password"] is True
    (tmp_path / "manifest.yaml").write_text(user("ann@secret.example", spec))  # needed no more
    assert actions(mailraven, "-f", file) == {"ann@secret.example": "unchanged"}


def test_policies(mailraven: CommandLine, tmp_path: Path) -> None:
    assert actions(mailraven, "-f", manifest(tmp_path, policy("slow", 5))) == {"slow": "created"}
    assert actions(mailraven, "-f", manifest(tmp_path, policy("slow", 5))) == {"slow": "unchanged"}
    assert actions(mailraven, "-f", manifest(tmp_path, policy("slow", 6))) == {"slow": "configured"}
    assert ["slow", "account", "messages"] in [row[:3] for row in mailraven.rows("security", "limits")]
    mailraven("delete", "-f", str(tmp_path), "--yes")


def test_delete_goes_the_other_way_round(mailraven: CommandLine, tmp_path: Path) -> None:
    file = manifest(tmp_path, domain("gone.example"), user("ann@gone.example"), policy("gone", 5))
    mailraven("apply", "-f", file)
    assert "say --yes" in mailraven.refused("delete", "-f", file, code=2)
    assert mailraven("delete", "-f", file, "--yes").splitlines() == [
        "ratelimitpolicy/gone deleted", "mailuser/ann@gone.example deleted", "maildomain/gone.example deleted"
    ]  # fmt: skip
    again = mailraven.json("delete", "-f", file, "--yes")
    assert {resource["action"] for resource in again["resources"]} == {"not found"}
    mailraven("apply", "-f", file)
    only_domain = manifest(tmp_path, domain("gone.example"))
    said = mailraven.refused("delete", "-f", only_domain, "--yes")
    assert said.startswith(f"mailraven: {only_domain}:1: maildomain/gone.example: ")
    assert "name what to delete" in mailraven.refused("delete", code=2)


def test_the_examples_apply(mailraven: CommandLine) -> None:
    first = mailraven.json("apply", "-f", str(EXAMPLES), "--progress", "none")
    assert first["failed"] == 0
    assert first["created"] == len(first["resources"])
    again = mailraven.json("apply", "-f", str(EXAMPLES))
    assert again["unchanged"] == len(again["resources"])


def test_stdin_and_progress(mailraven: CommandLine) -> None:
    done = run(
        "apply", "-f", "-", "--progress", "json", "-o", "json",
        stdin=domain("stdin.example"), MAILRAVEN_DATA=str(mailraven.instance.data),
    )  # fmt: skip
    assert json.loads(done.stdout)["created"] == 1
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["progress"], line["state"], line["done"]) for line in lines] == [
        ("compare", "done", 1), ("apply", "done", 1)
    ]  # fmt: skip


def test_what_fails_is_named_and_the_rest_is_done(mailraven: CommandLine, tmp_path: Path) -> None:
    file = manifest(tmp_path, domain("rest.example"), domain("not_a_domain!"), user("x@nowhere.example"))
    done = run("apply", "-f", file, "--no-diff", code=1, MAILRAVEN_DATA=str(mailraven.instance.data))
    assert done.stdout.splitlines()[-1] == "1 created, 2 failed"
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert f"{file}:7: maildomain/not_a_domain!: " in lines[0]
    assert f"{file}:13: mailuser/x@nowhere.example: " in lines[1]


def test_nothing_is_sent_when_a_document_is_wrong(mailraven: CommandLine, tmp_path: Path) -> None:
    file = manifest(tmp_path, domain("never.example"), user("x@never.example", "  nope: 1\n"))
    said = mailraven.refused("apply", "-f", file)
    assert said == f"mailraven: {file}:12: spec.nope: unknown field"
    assert "never.example" in mailraven.refused("domain", "show", "never.example")


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ((), 2, "name what to apply"),
        (("-f", "/nonexistent.yaml"), 1, "/nonexistent.yaml: No such file"),
        (("-f", "-"), 1, "nothing to apply"),
        (("-f", str(EXAMPLES), "--progress", "loud"), 2, "--progress"),
    ],
)
def test_wrong_use(mailraven: CommandLine, arguments: tuple[str, ...], code: int, expected: str) -> None:
    assert expected in mailraven.refused("apply", *arguments, code=code)
    assert expected in mailraven.refused("diff", *arguments, code=code)
