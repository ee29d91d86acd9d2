"""One file for each command: a frozen dataclass of its arguments and `parse(lexer)`, which leaves nothing over."""
