"""What is wrong with the settings, in words for the person who wrote them."""


class ConfigError(Exception):
    """Settings that cannot be used; `problems` has one line each: key, source, what is expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
