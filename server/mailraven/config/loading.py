"""Reads settings: command line over MAILRAVEN_* variables over the YAML file over defaults.

The sources are merged as plain trees that remember where each value came from, so that an error can say it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mailraven.config.config import Config
from mailraven.config.errors import ConfigError
from mailraven.config.listeners import ClientListener
from mailraven.config.section import Section
from mailraven.config.variables import PREFIX, meant_variable

# A secret may come from a file: KEY_file beside KEY.
_SECRETS = (("database", "url"), ("blobs", "s3", "secret_key"), ("backup", "s3", "secret_key"), ("secrets", "key"))

Key = tuple[str, ...]
Values = dict[Key, tuple[Any, str]]  # the value of a leaf and the words for its source


def load(
    files: Sequence[Path] = (),
    environ: Mapping[str, str] | None = None,
    assignments: Sequence[str] = (),
    *,
    defaults: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Config:
    """The settings, or ConfigError; what is named later wins.

    In this order: `defaults` of the caller, `files`, `environ`, `options` of the command line, `assignments`
    ("key=value"). Defaults and options are by dotted key.
    """
    values: Values = {tuple(key.split(".")): (value, "default") for key, value in (defaults or {}).items()}
    for file in files:
        _override(values, _from_file(file))
    _override(values, _from_environment(environ or {}))
    given = {tuple(key.split(".")): (value, "command line") for key, value in (options or {}).items()}
    _override(values, given)
    _override(values, _from_assignments(assignments))
    _read_secret_files(values)
    try:
        config = Config.model_validate(_tree(values))
    except ValidationError as error:
        raise ConfigError(_explain(error, values)) from None
    if problems := _contradictions(config, values):
        raise ConfigError(problems)
    return config


def _override(values: Values, stronger: Values) -> None:
    for key, value in stronger.items():
        # A stronger `url` also ends a weaker `url_file`, and the other way round.
        twin = (*key[:-1], key[-1].removesuffix("_file") if key[-1].endswith("_file") else key[-1] + "_file")
        if twin not in stronger:
            for secret in _SECRETS:
                if secret in (key, twin):
                    values.pop(twin, None)
        values[key] = value


def _from_file(path: Path) -> Values:
    from mailraven.config.yaml_file import read_yaml

    values: Values = {}
    _flatten(read_yaml(path), (), f"file {path}", values)
    return values


def _flatten(tree: Any, key: Key, source: str, values: Values) -> None:
    if isinstance(tree, dict) and (not key or _is_section(key)):
        for name, value in tree.items():
            _flatten(value, (*key, str(name)), source, values)
    elif not (tree is None and _is_section(key)):  # `smtp:` with nothing below it
        values[key] = (tree, source)


def _contradictions(config: Config, values: Values) -> list[str]:
    """Settings that are right each by itself, but not together."""
    if config.proxy.trusted_networks:
        return []
    problems = []
    for name, listener in config.listeners:
        if isinstance(listener, ClientListener) and listener.proxy_protocol != "off":
            key = ("listeners", name, "proxy_protocol")
            text = f"{listener.proxy_protocol} needs proxy.trusted_networks, the addresses of the load balancers"
            problems.append(f"{'.'.join(key)} ({_source(key, values)}): {text}")
    return problems


def _is_section(key: Key) -> bool:
    model: type[Section] = Config
    for name in key:
        field = model.model_fields.get(name)
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, Section)):
            return False
        model = annotation
    return True


def _from_environment(environ: Mapping[str, str]) -> Values:
    values: Values = {}
    problems: list[str] = []
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or text == "":
            continue
        key = tuple(part.lower() for part in variable[len(PREFIX) :].split("__"))
        # Other MAILRAVEN_* names are not ours to refuse: Kubernetes sets MAILRAVEN_IMAP_SERVICE_HOST and the
        # like for every Service of that name.
        if len(key) > 1 or key[0] in Config.model_fields:
            values[key] = (text, f"variable {variable}")
        elif (meant := meant_variable(variable)) and not text.startswith("tcp://"):
            problems.append(f"variable {variable}: no such setting; did you mean {meant}?")
    if problems:
        raise ConfigError(problems)
    return values


def _from_assignments(assignments: Sequence[str]) -> Values:
    values: Values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise ConfigError([f"--set {assignment!r}: expected KEY=VALUE, such as smtp.max_recipients=200"])
        values[tuple(name.strip().split("."))] = (text, f"--set {name.strip()}")
    return values


def _read_secret_files(values: Values) -> None:
    for secret in _SECRETS:
        file_key = (*secret[:-1], secret[-1] + "_file")
        if file_key not in values or values[file_key][0] is None:
            continue
        path, source = values[file_key]
        name = ".".join(file_key)
        if secret in values:
            raise ConfigError([f"{name} ({source}): expected it or {'.'.join(secret)}, not both"])
        try:
            text = Path(str(path)).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise ConfigError([f"{name} ({source}): cannot read {path}: {reason}"]) from None
        if not text:
            raise ConfigError([f"{name} ({source}): {path} is empty"])
        values[secret] = (text, source)


def _tree(values: Values) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, (value, source) in values.items():
        node = tree
        for name in key[:-1]:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise ConfigError([f"{'.'.join(key)} ({source}): {name} has a value of its own elsewhere"])
        if isinstance(node.get(key[-1]), dict):
            raise ConfigError([f"{'.'.join(key)} ({source}): expected a section with keys below it"])
        node[key[-1]] = value
    return tree


def _explain(error: ValidationError, values: Values) -> list[str]:
    return [_problem(details, values) for details in error.errors(include_url=False, include_input=False)]


def _problem(details: ErrorDetails, values: Values) -> str:
    key = tuple(str(part) for part in details["loc"])
    text = details["msg"].removeprefix("Value error, ")
    if details["type"] == "model_type":
        text = "expected a section with keys below it"
    elif details["type"] == "extra_forbidden":
        text = "no such key" + _suggestion(key)
    return f"{'.'.join(key)} ({_source(key, values)}): {text}"


def _source(key: Key, values: Values) -> str:
    """The source of the value, or of what is above or below it."""
    for length in range(len(key), 0, -1):
        if key[:length] in values:
            return values[key[:length]][1]
    sources = {source for other, (_, source) in values.items() if other[: len(key)] == key}
    return ", ".join(sorted(sources)) or "default"


def _suggestion(key: Key) -> str:
    import difflib

    if not _is_section(key[:-1]):
        return ""
    model: Any = Config
    for name in key[:-1]:
        model = model.model_fields[name].annotation
    close = difflib.get_close_matches(key[-1], list(model.model_fields), n=1)
    return f"; did you mean {'.'.join((*key[:-1], close[0]))}?" if close else ""
