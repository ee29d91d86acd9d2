"""What can be wrong with a command's text."""

from __future__ import annotations


class SyntaxProblem(Exception):
    """The command does not follow the grammar: tagged BAD. The text tells a person what was expected."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class BadCharset(Exception):
    """SEARCH in a charset we do not know: tagged NO [BADCHARSET (...)] (RFC 9051 §6.4.4)."""

    def __init__(self, charset: str) -> None:
        super().__init__(charset)
        self.charset = charset
