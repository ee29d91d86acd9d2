"""Sources of settings, their order, and what is said about wrong ones."""

from pathlib import Path

import pytest

from mailraven.config import Config, ConfigError, load


def problems(**sources: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load(**sources)  # type: ignore[arg-type]
    return "\n".join(caught.value.problems)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_without_sources_everything_has_a_default() -> None:
    config = load()
    assert config.smtp.max_message_size == 52_428_800
    assert config.imap.idle_timeout == 1800
    assert not config.imap.allow_plaintext_login_from_loopback
    assert not config.smtp.allow_plaintext_login_from_loopback
    assert config.database.url is None


def test_command_line_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    first = written(tmp_path / "a.yaml", "smtp: {max_recipients: 101, max_hops: 51, max_errors: 11}\nworkers: 2\n")
    second = written(tmp_path / "b.yaml", "smtp:\n  max_hops: 52\n  max_errors: 12\n")
    config = load(
        [first, second],
        {"MAILRAVEN_SMTP__MAX_ERRORS": "13", "MAILRAVEN_WORKERS": "3", "MAILRAVEN_HOSTNAME": "a.example"},
        ["hostname=c.example"],
        defaults={"smtp.max_recipients": 100, "smtp.max_connections": 7},
        options={"workers": 4, "hostname": "b.example"},
    )
    smtp = config.smtp
    assert (smtp.max_connections, smtp.max_recipients, smtp.max_hops, smtp.max_errors) == (7, 101, 52, 13)
    assert (config.workers, config.hostname) == (4, "c.example")


def test_lists_come_from_yaml_and_from_commas(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", 'delivery:\n  resolver: ["127.0.0.1:53", "[::1]:5353"]\n')
    assert load([file]).delivery.resolver == ("127.0.0.1:53", "[::1]:5353")
    assert load(environ={"MAILRAVEN_DELIVERY__RETRY": "1s, 2m"}).delivery.retry == (1.0, 120.0)


def test_one_key_of_a_listener_keeps_the_others() -> None:
    mx = load(assignments=["listeners.mx.host=::1"]).listeners.mx
    assert (mx.host, mx.port) == ("::1", 2525)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("smtp.max_recipients=5", "smtp.max_recipients (--set smtp.max_recipients): Input should be greater"),
        ("smtp.max_recipient=500", "no such key; did you mean smtp.max_recipients?"),
        ("smpt.max_recipients=500", "no such key; did you mean smtp?"),
        ("smtp.max_message_size=9XB", 'expected a size such as "50MiB"'),
        ("imap.idle_timeout=soon", 'expected a duration such as "30s"'),
        ("imap.idle_timeout=0", "imap.idle_timeout"),
        ("hostname=a b", "expected a host name"),
        ("delivery.resolver=127.0.0.1", 'delivery.resolver.0 (--set delivery.resolver): expected "host:port"'),
        ("listeners.imap.port=65536", "listeners.imap.port"),
        ("blobs.kind=tape", "Input should be 'file' or 's3'"),
        ("log.level=loud", "log.level"),
        ("imap=3", "expected a section with keys below it"),
        ("workers=none", "workers (--set workers)"),
        ("tls.cert_file=/x", "expected both tls.cert_file and tls.key_file, or neither"),
        ("database.url.host=x", "database.url"),
        ("smtp.max_recipients", "expected KEY=VALUE"),
        ("=5", "expected KEY=VALUE"),
    ],
)
def test_a_wrong_setting_is_named_with_its_source_and_what_is_expected(assignment: str, expected: str) -> None:
    assert expected in problems(assignments=[assignment])


@pytest.mark.parametrize("url", ["not a url", "mysql://h/d", "postgresql://u:geheim@h:notaport/d"])
def test_a_database_url_that_is_none_is_named_without_its_secret(url: str) -> None:
    text = problems(assignments=[f"database.url={url}"])
    assert "database.url" in text
    assert "postgresql://user:password@host:5432/name" in text
    assert "geheim" not in text


def test_all_wrong_settings_are_named_at_once() -> None:
    text = problems(environ={"MAILRAVEN_SMTP__MAX_HOPS": "x"}, assignments=["imap.max_line=1"])
    assert "smtp.max_hops (variable MAILRAVEN_SMTP__MAX_HOPS)" in text
    assert "imap.max_line (--set imap.max_line)" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp: [", "line 1"),
        ("smtp:\n  max_hops: 20\n  max_hops: 30\n", "key 'max_hops' is given twice"),
        ("- a\n", "expected keys and values"),
        ("nonsense\n", "expected keys and values"),
        ("smtp: 5\n", "smtp (file"),
        ("smtp:\n  nope: 1\n", "smtp.nope (file"),
        ("a: !!python/object/apply:os.system [id]\n", "could not determine a constructor"),
        ("a: &a [*a]\n", "a (file"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, expected: str) -> None:
    file = written(tmp_path / "bad.yaml", text)
    found = problems(files=[file])
    assert str(file) in found
    assert expected in found


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert f"file {tmp_path / 'none.yaml'}: cannot be read: No such file" in problems(files=[tmp_path / "none.yaml"])
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in problems(files=[tmp_path / "bytes"])


def test_an_empty_file_or_section_says_nothing(tmp_path: Path) -> None:
    assert load([written(tmp_path / "a.yaml", "# nothing\n"), written(tmp_path / "b.yaml", "smtp:\n")]) == load()


def test_foreign_variables_are_left_alone() -> None:
    # Kubernetes sets these for Services called mailraven and mailraven-imap.
    foreign = {
        "MAILRAVEN_SERVICE_HOST": "10.0.0.1",
        "MAILRAVEN_PORT": "tcp://10.0.0.1:25",
        "MAILRAVEN_IMAP_PORT_143_TCP_ADDR": "10.0.0.1",
        "PATH": "/bin",
        "MAILRAVEN_WORKERS": "",
    }
    assert load(environ=foreign) == load()


def test_an_unknown_variable_below_a_section_is_an_error() -> None:
    assert "variable MAILRAVEN_SMTP__NOPE" in problems(environ={"MAILRAVEN_SMTP__NOPE": "1"})


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = written(tmp_path / "url", "postgresql://u:hunter2@h/d\n")
    config = load(environ={"MAILRAVEN_DATABASE__URL_FILE": str(secret)})
    assert config.database.url is not None
    assert config.database.url.get_secret_value() == "postgresql://u:hunter2@h/d"


def test_a_stronger_source_may_change_from_file_to_value(tmp_path: Path) -> None:
    file = written(tmp_path / "a.yaml", "database: {url_file: /nonexistent}\n")
    config = load([file], {"MAILRAVEN_DATABASE__URL": "postgresql://other"})
    assert config.database.url is not None
    assert config.database.url.get_secret_value() == "postgresql://other"


def test_a_secret_given_twice_or_missing_is_an_error(tmp_path: Path) -> None:
    both = {"MAILRAVEN_DATABASE__URL": "postgresql://x", "MAILRAVEN_DATABASE__URL_FILE": str(tmp_path)}
    assert "not both" in problems(environ=both)
    missing = str(tmp_path / "none")
    assert f"cannot read {missing}" in problems(environ={"MAILRAVEN_DATABASE__URL_FILE": missing})
    empty = written(tmp_path / "empty", "\n")
    assert "is empty" in problems(environ={"MAILRAVEN_BLOBS__S3__SECRET_KEY_FILE": str(empty)})


def test_secrets_are_in_no_text_of_the_settings() -> None:
    environ = {"MAILRAVEN_DATABASE__URL": "postgresql://u:hunter2@h", "MAILRAVEN_BLOBS__S3__SECRET_KEY": "hunter2"}
    config = load(environ=environ)
    for text in (repr(config), str(config), config.model_dump_json()):
        assert "hunter2" not in text
    assert "hunter2" not in problems(environ={**environ, "MAILRAVEN_DATABASE__URL__X": "hunter2"})


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().smtp.max_hops = 3  # type: ignore[misc]
    assert Config.model_config["extra"] == "forbid"
