"""Manifests: what is read, and how problems name their line. Nothing runs."""

from pathlib import Path

import pytest

from mailraven.cli.manifests import Manifest, read_manifests
from mailraven.cli.problems import CommandError
from mailraven_api.resources import MailUser

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
    return read_manifests([str(home / "m.yaml")])


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
    titles = [manifest.title for manifest in read_manifests([str(tmp_path)])]
    assert titles == ["maildomain/example.org", "mailuser/ann@example.org"]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_the_examples_are_manifests(file: Path) -> None:
    assert read_manifests([str(file)])


def test_a_password_comes_from_a_secret_in_the_files_and_is_not_shown(tmp_path: Path) -> None:
    reference = "  password_secret: {name: s, key: pw}\n"
    for secret in ("stringData: {pw: correct horse}", "data: {pw: Y29ycmVjdCBob3JzZQ==}"):
        [found] = read(
            tmp_path, f"{USER}{reference}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{secret}\n"
        )
        assert found.password == "correct horse"
        assert "correct" not in repr(found)
    [found] = read(tmp_path, USER + reference)
    assert isinstance(found.resource, MailUser)
    assert found.password is None


UNKNOWN_KIND = "unknown kind 'MailUsr': expected one of MailDomain, MailUser, RateLimitPolicy"
WRONG_NUMBER = "Input should be a valid integer, unable to parse string as an integer"
WRONG_NAME = "expected a name without spaces around it, slashes and control characters"
KEY_SIZE = "spec:\n  security:\n    dkim: {key_size: 7}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (USER.replace("address:", "adress:"), ["4: spec.address: missing", "5: spec.adress: unknown field"]),
        (USER.replace("MailUser", "MailUsr"), [f"2: {UNKNOWN_KIND}"]),
        (USER.replace("MailUser", "BackupSchedule"), ["2: BackupSchedule: this server has no backups yet"]),
        (USER.replace("v1alpha1", "v2"), ["1: expected apiVersion mailraven.io/v1alpha1"]),
        (USER + "  password: secret\n", ["6: spec.password: unknown field"]),
        (USER + "  quota_bytes: many\n", [f"6: spec.quota_bytes: {WRONG_NUMBER}"]),
        (USER.replace("name: ann", "name: ann, name: bob"), ["3:23: key 'name' is given twice"]),
        ("- 1\n- 2\n", ["1: expected apiVersion, kind, metadata and spec"]),
        ("just text\n", ["1: expected apiVersion, kind, metadata and spec"]),
        (f"{USER}---\n{USER}", ["7: mailuser/ann@example.org is also in m.yaml:1"]),
        (DOMAIN + KEY_SIZE, ["6: spec.security.dkim.key_size: Input should be 2048, 3072 or 4096"]),
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
