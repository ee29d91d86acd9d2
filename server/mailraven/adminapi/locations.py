"""The header Location of what was made (RFC 9110 §10.2.2): names may hold characters that no header may."""

from urllib.parse import quote

from fastapi import Response


def set_location(response: Response, collection: str, name: str) -> None:
    """`collection` is a path of ours, `name` what it has now."""
    response.headers["Location"] = f"{collection}/{quote(name, safe='@')}"
