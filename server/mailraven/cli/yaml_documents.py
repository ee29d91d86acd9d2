"""YAML documents that remember on which line each value stands, within bounds (aliases cannot multiply)."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mailraven.cli.problems import CommandError

_MOST_OCTETS = 64 * 1024 * 1024
_MOST_VALUES = 1_000_000  # of one document, aliases counted as often as they are used
_DEEPEST = 50
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"

Path_ = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """A document of a file and the lines of its values, by path."""

    source: str
    value: Any
    lines: dict[Path_, int] = field(default_factory=dict)

    def where(self, *path: str | int) -> str:
        """FILE:LINE of the value, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.source}:{self.lines.get(path, 1)}"


def read_documents(source: str) -> list[Document]:
    """Of a file, of all *.yaml, *.yml and *.json below a directory in the order of their names, or of stdin (-).

    Raises CommandError.
    """
    if source == "-":
        return list(_parse("<stdin>", _limited(sys.stdin.buffer.read(_MOST_OCTETS + 1), "<stdin>")))
    path = Path(source)
    if path.is_dir():
        files = sorted(
            file for ending in ("yaml", "yml", "json") for file in path.rglob(f"*.{ending}") if file.is_file()
        )
        if not files:
            raise CommandError(f"{source}: no *.yaml, *.yml or *.json in it")
    else:
        files = [path]
    return [document for file in files for document in _parse(str(file), _read(file))]


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return _limited(file.read(_MOST_OCTETS + 1), str(path))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None


def _limited(octets: bytes, source: str) -> bytes:
    if len(octets) > _MOST_OCTETS:
        raise CommandError(f"{source}: larger than {_MOST_OCTETS >> 20} MiB")
    return octets


def _parse(source: str, octets: bytes) -> Iterator[Document]:
    loader = None
    try:
        _check_depth(octets)
        loader = _Loader(octets)
        while loader.check_node():
            node = loader.get_node()
            document = Document(source, None)
            document.value = _Builder(loader, document).build(node, (), 0)
            if document.value is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise CommandError(f"{source}{where}: {error.problem or 'not YAML'}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split()) or "not YAML"
        raise CommandError(f"{source}: not YAML: {reason}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _check_depth(octets: bytes) -> None:
    """Before nodes are made of it: that is recursive, in C."""
    depth = 0
    events: Iterator[Any] = yaml.parse(octets, Loader=_Loader)
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                mark: Any = event.start_mark
                raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Builder:
    """Turns nodes into plain values."""

    def __init__(self, loader: Any, document: Document) -> None:
        self._loader = loader
        self._document = document
        self._values = 0

    def build(self, node: Any, path: Path_, depth: int) -> Any:
        """The value of a node."""
        self._values += 1
        if self._values > _MOST_VALUES or depth > _DEEPEST:
            problem = "more values than anybody needs" if depth <= _DEEPEST else "nested too deeply"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        self._document.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
        value = self._loader.construct_object(node, deep=True)
        return value.decode("latin-1") if isinstance(value, bytes) else value

    def _mapping(self, node: Any, path: Path_, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                raise yaml.MarkedYAMLError(problem="expected a plain key", problem_mark=key_node.start_mark)
            key = str(key_node.value)
            if key in mapping:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark)
            self._document.lines[(*path, key)] = key_node.start_mark.line + 1
            mapping[key] = self.build(value_node, (*path, key), depth + 1)
        return mapping
