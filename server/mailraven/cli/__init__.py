"""The command line: `mailraven`."""

from mailraven.cli.main import main

__all__ = ["main"]
