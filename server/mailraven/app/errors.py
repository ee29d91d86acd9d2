"""Why the program cannot start, in words for the person who started it (exit code 1)."""


class StartError(Exception):
    """Something outside of the settings is wrong: a port in use, a directory in use, no database."""
