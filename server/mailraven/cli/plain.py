"""Text from a server, made safe to print: no control characters, nothing that turns the direction of writing."""

import unicodedata
from typing import Any

# U+202A to U+202E and U+2066 to U+2069 would let a subject rewrite the line it stands in.
_BIDI = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd")


def clean(text: str) -> str:
    """The text in one line."""
    if text.isascii() and text.isprintable():
        return text
    spaced = text.replace("\r\n", " ").translate(_BIDI)
    return "".join(_seen(character) for character in spaced)


def _seen(character: str) -> str:
    if character in "\n\r\t\v\f\x85\u2028\u2029":
        return " "
    return "\ufffd" if unicodedata.category(character) in ("Cc", "Cs") else character


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """A document as dotted keys and plain values; lists of plain values stay whole."""
    if isinstance(value, dict) and value:
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= flat(item, f"{path}.{key}" if path else str(key))
        return found
    return {path: value}


def word(value: Any) -> str:
    """A plain value as JSON would write it, without quotes; nothing for null."""
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return ", ".join(word(item) for item in value)
    if isinstance(value, dict | list):
        import json

        return json.dumps(value, ensure_ascii=False)
    return clean(str(value))
