"""`max_users=50 security.spam.reject_score=8` as a document: what people write for single fields of a spec."""

import json
import re
from collections.abc import Iterable
from typing import Any

from mailraven.cli.problems import UsageProblem

_SIZE = re.compile(r"\d+(\.\d+)?\s*[kKMGTP]i?B?")
_KEY = re.compile(r"labels\.[A-Za-z0-9._/-]+|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def document(assignments: Iterable[str]) -> dict[str, Any]:
    """Later ones win. Raises UsageProblem."""
    found: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not _KEY.fullmatch(key):
            raise UsageProblem(
                f"{assignment!r}: expected KEY=VALUE, such as max_users=50 or security.dkim.key_size=4096"
            )
        put(found, key, value(key, text))
    if not found:
        raise UsageProblem("nothing to change: say what as KEY=VALUE")
    return found


def put(tree: dict[str, Any], key: str, item: Any) -> None:
    """Sets it at its place, making the objects on the way."""
    *above, last = key.split(".") if not key.startswith("labels.") else ["labels", key.removeprefix("labels.")]
    for name in above:
        below = tree.get(name)
        if not isinstance(below, dict):
            below = tree[name] = {}
        tree = below
    tree[last] = item


def value(key: str, text: str) -> Any:
    """JSON where it is some, a size in octets where the key asks for octets, else the text itself."""
    if key.startswith("labels."):
        return text
    if key.rpartition(".")[2].endswith(("_bytes", "_size")) and _SIZE.fullmatch(text):
        return _octets(text)
    try:
        found = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return found


def octets(text: str) -> int:
    """`2GiB` or plain octets, for options. Raises UsageProblem."""
    if text.isascii() and text.isdigit():
        return int(text)
    if not _SIZE.fullmatch(text):
        raise UsageProblem(f"{text!r}: expected a size such as 500MiB, 2GiB or octets")
    return _octets(text)


def _octets(text: str) -> int:
    number = re.match(r"[\d.]+", text)
    unit = text[number.end() :].strip() if number else ""
    power = "kmgtp".index(unit[0].lower()) + 1
    base = 1024 if "i" in unit else 1000
    return round(float(number[0]) * base**power) if number else 0
