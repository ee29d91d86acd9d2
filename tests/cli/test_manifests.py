"""Manifests: what is read, and how problems name their line. Nothing runs."""

from pathlib import Path

import pytest

from mailraven.cli.manifests import Manifest, read_manifests
from mailraven.cli.problems import CommandError
from mailraven_api.kubernetes import MailDomain, MailUser

EXAMPLES = Path(__file__).parents[2] / "examples"
USER = """\
apiVersion: mailraven.io/v1alpha1
kind: MailUser
metadata: {name: ann}
spec:
  address: ann@example.org
"""
DOMAIN = """\
apiVersion: mailraven.io/v1alpha1
kind: MailDomain
metadata: {name: example.org}
"""


def read(home: Path, text: str) -> list[Manifest]:
    (home / "m.yaml").write_text(text)
    return read_manifests([str(home / "m.yaml")]).items


def problems(home: Path, text: str) -> list[str]:
    with pytest.raises(CommandError) as raised:
        read(home, text)
    return str(raised.value).replace(f"{home}/", "").splitlines()


def test_documents_come_in_the_order_in_which_they_can_be_made(tmp_path: Path) -> None:
    policy = DOMAIN.replace("MailDomain", "RateLimitPolicy").replace("example.org", "slow")
    policy += "spec: {scope: ip, limits: {count: 5, window: minute}}\n"
    found = read(tmp_path, f"{policy}---\n{USER}---\n---\n{DOMAIN}")
    assert [manifest.title for manifest in found] == [
        "maildomain/example.org", "mailuser/ann@example.org", "ratelimitpolicy/slow"
    ]  # fmt: skip
    assert [manifest.where.rpartition(":")[2] for manifest in found] == ["13", "6", "1"]


def test_a_directory_and_a_list_are_read_whole(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "user.yml").write_text(USER)
    (tmp_path / "a.json").write_text(
        '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "mailraven.io/v1alpha1",'
        ' "kind": "MailDomain", "metadata": {"name": "example.org", "uid": "1"}, "status": {"ready": true}}]}'
    )
    (tmp_path / "README.md").write_text("{{{")
    titles = [manifest.title for manifest in read_manifests([str(tmp_path)]).items]
    assert titles == ["maildomain/example.org", "mailuser/ann@example.org"]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_the_examples_are_manifests(file: Path) -> None:
    found = read_manifests([str(file)])
    assert found.items or found.notes


def test_a_password_comes_from_a_secret_in_the_files_and_is_not_shown(tmp_path: Path) -> None:
    reference = "  passwordSecretRef: {name: s, key: pw}\n"
    for secret in ("stringData: {pw: correct horse}", "data: {pw: Y29ycmVjdCBob3JzZQ==}"):
        [found] = read(
            tmp_path, f"{USER}{reference}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{secret}\n"
        )
        assert found.secret == {"pw": "correct horse"}
        assert "correct" not in repr(found)
    [found] = read(tmp_path, USER + reference)
    assert isinstance(found.resource, MailUser)
    assert found.secret is None


UNKNOWN_KIND = (
    "unknown kind 'MailUsr': expected one of MailDomain, MailUser, RateLimitPolicy, BackupSchedule, Backup, Restore"
)
WRONG_QUANTITY = 'expected octets, or a quantity such as "500M" or "2Gi"'
WRONG_NAME = "expected a name without spaces around it, slashes and control characters"
WRONG_OBJECT = "expected a name of lower-case letters, digits, hyphens and dots"
WRONG_DOMAIN = "expected a domain in lower case such as example.org, an internationalized one as xn--..."
WRONG_LABEL = "String should match pattern '^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$'"
KEY_SIZE = "spec:\n  security:\n    dkim:\n      key_size: 7\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (USER.replace("address:", "adress:"), ["4: spec.address: missing", "5: spec.adress: unknown field"]),
        (USER.replace("MailUser", "MailUsr"), [f"2: {UNKNOWN_KIND}"]),
        (USER.replace("MailUser", "Backup"), ["4: spec.target: missing", "5: spec.address: unknown field"]),
        (USER.replace("v1alpha1", "v2"), ["1: expected apiVersion mailraven.io/v1alpha1"]),
        (USER + "  password: secret\n", ["6: spec.password: unknown field"]),
        (USER + "  quota: many\n", [f"6: spec.quota: {WRONG_QUANTITY}"]),
        (USER + "  quota_bytes: many\n", [f"6: spec.quota: {WRONG_QUANTITY}"]),
        (USER + "  quota_bytes: 1\n  quota: 1\n", ["7: spec.quota: given twice, by several names"]),
        (USER + "  passwordSecretRef: {name: Ann_1}\n", [f"6: spec.passwordSecretRef.name: {WRONG_OBJECT}"]),
        (USER.replace("name: ann", "name: ann, name: bob"), ["3:23: key 'name' is given twice"]),
        ("- 1\n- 2\n", ["1: expected apiVersion, kind, metadata and spec"]),
        ("just text\n", ["1: expected apiVersion, kind, metadata and spec"]),
        (f"{USER}---\n{USER}", ["7: mailuser/ann@example.org is also in m.yaml:1"]),
        (DOMAIN + KEY_SIZE, ["7: spec.security.dkim.key_size: Input should be 2048, 3072 or 4096"]),
        (DOMAIN + "spec:\n  max_users: 0\n", ["5: spec.maxUsers: Input should be greater than 0"]),
        (DOMAIN + "spec:\n  status: gone\n", ["5: spec.status: expected active or suspended"]),
        (DOMAIN + "spec:\n  labels: {x: a b}\n", [f"5: metadata.labels.x: {WRONG_LABEL}"]),
        (DOMAIN + "spec:\n  aliases: [B.example]\n", [f"5: spec.aliases.0: {WRONG_DOMAIN}"]),
        (DOMAIN.replace("{name: example.org}", "{name: a/b}"), [f"3: metadata.name: {WRONG_NAME}"]),
    ],
)
def test_problems_name_their_line(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert sorted(problems(tmp_path, text)) == sorted(f"m.yaml:{line}" for line in expected)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (USER.replace("kind: ", "kind: [", 1), 3),
        (USER + "\tx: 1\n", 6),
        (USER + "  labels: &a {x: y}\n  limits: *b\n", 7),
        (USER + "  display_name: 'open\n", 7),
    ],
)
def test_what_is_no_yaml_names_its_line(tmp_path: Path, text: str, line: int) -> None:
    [found] = problems(tmp_path, text)
    assert found.startswith(f"m.yaml:{line}:")


@pytest.mark.parametrize("text", ["", "---\n---\n", "# nothing\n"])
def test_nothing_to_apply_is_a_problem(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == ["nothing to apply: no document in m.yaml"]


@pytest.mark.parametrize("octets", [b"\0", b"\xff\xfe\xff", b"a: \x80"])
def test_octets_that_are_no_text_are_a_problem(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "m.yaml").write_bytes(octets)
    with pytest.raises(CommandError, match=r"m\.yaml"):
        read_manifests([str(tmp_path / "m.yaml")])


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, f"{USER}  x: 1\n---\n{DOMAIN}spec: {{y: 2}}\n---\nkind: Nothing\n")) == 3


def test_aliases_cannot_multiply(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert "more values than anybody needs" in problems(tmp_path, bomb)[0]
    assert "a: &a" not in problems(tmp_path, "a: &a [*a]\n")[0]
    assert problems(tmp_path, "[" * 100_000)[0].startswith("m.yaml")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    for source, expected in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "no *.yaml, *.yml or *.json")):
        with pytest.raises(CommandError, match=expected.replace("*", r"\*").replace(".", r"\.")):
            read_manifests([str(source)])


OLDER = """\
apiVersion: mailraven.io/v1alpha1
kind: MailDomain
metadata: {name: example.org, labels: {a: b, c: d}}
spec:
  status: suspended
  default_quota_bytes: 5
  max_users: 7
  dkim_key_size: 3072
  labels: {c: e}
  limits: {messages_per_account: {count: 5, window_minutes: 60}}
---
apiVersion: mailraven.io/v1alpha1
kind: MailUser
metadata: {name: ann}
spec:
  address: ann@example.org
  display_name: Ann
  quota_bytes: null
  disabled: [imap]
  password_secret: {name: ann}
"""
TODAY = """\
apiVersion: mailraven.io/v1alpha1
kind: MailDomain
metadata: {name: example.org, labels: {a: b, c: e}}
spec:
  suspended: true
  defaultQuota: 5
  maxUsers: 7
  security: {dkim: {keySize: 3072}}
  limits: {messagesPerAccount: [{count: 5, windowMinutes: 60}]}
---
apiVersion: mailraven.io/v1alpha1
kind: MailUser
metadata: {name: ann}
spec:
  address: ann@example.org
  displayName: Ann
  quota: none
  disabledProtocols: [imap]
  passwordSecretRef: {name: ann}
"""


def test_older_names_say_the_same(tmp_path: Path) -> None:
    older, today = ([found.resource for found in read(tmp_path, text)] for text in (OLDER, TODAY))
    assert older == today
    assert [one.document() for one in older] == [one.document() for one in today]


def test_what_only_a_cluster_can_do_is_noted_once(tmp_path: Path) -> None:
    schedule = "spec: {schedule: 0 2 * * *, target: {s3: {bucket: abc}}}\n"
    text = "---\n".join(
        [
            DOMAIN + "spec:\n  tls: {issuerRef: {name: le}}\n  reclaimPolicy: Delete\n",
            DOMAIN.replace("org", "net") + "spec:\n  tls: {issuerRef: {name: le}}\n",
            USER + "  generatedSecret: {name: ann}\n",
            DOMAIN.replace("MailDomain", "BackupSchedule") + schedule,
        ]
    )
    (tmp_path / "m.yaml").write_text(text)
    found = read_manifests([str(tmp_path / "m.yaml")])
    assert [manifest.name for manifest in found.items] == ["example.org", "example.net", "ann@example.org"]
    assert [note.replace(f"{tmp_path}/", "") for note in found.notes] == [
        "m.yaml:5 (and 1 more): spec.tls.issuerRef is for clusters: bring the certificate with `mailraven ssl upload`",
        "m.yaml:6: spec.reclaimPolicy is for clusters: `mailraven delete` never deletes mail",
        "m.yaml:19: spec.generatedSecret is for clusters: set a password with `mailraven user passwd`",
        "m.yaml:21: BackupSchedule is for clusters: let cron or a systemd timer run `mailraven backup create`, with "
        "backup.* in the settings",
    ]


def test_secrets_are_those_of_the_namespace(tmp_path: Path) -> None:
    user = USER.replace("name: ann", "name: ann, namespace: a") + "  passwordSecretRef: {name: s}\n"
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: %s}\nstringData: {password: %s}\n"
    [found] = read(tmp_path, "---\n".join([user, secret % ("b", "other"), secret % ("a", "own")]))
    assert found.secret == {"password": "own"}
    [found] = read(tmp_path, "---\n".join([user, secret % ("b", "other")]))
    assert found.secret is None


def test_a_domain_may_be_called_otherwise_than_its_resource(tmp_path: Path) -> None:
    [found] = read(tmp_path, DOMAIN.replace("example.org", "main") + "spec: {domain: example.org}\n")
    assert isinstance(found.resource, MailDomain)
    assert found.title == "maildomain/example.org"
