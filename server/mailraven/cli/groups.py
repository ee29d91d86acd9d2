"""Commands and groups of them. A group is imported when it is called: however many there are, the start stays quick."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from mailraven.cli.quick import quicken

F = TypeVar("F", bound=Callable[..., Any])


class Command(TyperCommand):
    """A command whose help is ours."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Without the validator of typer where none is needed."""
        return quicken(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`ADDRESS`, not `{ADDRESS}`."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Panels on a terminal, plain text elsewhere."""
        from mailraven.cli.help_pages import show

        show(self, ctx)


class Group(TyperGroup):
    """A group whose help is ours."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Without the validator of typer where none is needed."""
        return quicken(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Panels on a terminal, plain text elsewhere."""
        from mailraven.cli.help_pages import show

        show(self, ctx)


class Commands(typer.Typer):
    """Where a module of the command line puts its commands."""

    def __init__(self, help: str = "", *, single: bool = False) -> None:
        super().__init__(
            cls=Group, help=help, no_args_is_help=True, rich_markup_mode=None, add_completion=False,
            context_settings={"help_option_names": ["-h", "--help"]},
        )  # fmt: skip
        if not single:  # else a group of one command would be that command

            @self.callback()
            def _group() -> None:
                pass

            _group.__doc__ = help

    def command(self, name: str | None = None, **more: Any) -> Callable[[F], F]:
        """Registers a function under this name."""
        more.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        return super().command(name, cls=Command, **more)


@dataclass(frozen=True, slots=True)
class Entry:
    """A word after `mailraven`: the module that has it, its panel in the help, a line about it."""

    name: str
    module: str
    panel: str
    help: str
    app: str = "app"


class Root(Group):
    """`mailraven` itself; its entries are set below it by `of`."""

    entries: Sequence[Entry] = ()

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> type["Root"]:
        """A root with these entries."""
        return type("Root", (cls,), {"entries": tuple(entries)})

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for entry in self.entries:
            listed = Command(entry.name, help=entry.help, rich_help_panel=entry.panel, rich_markup_mode=None)
            self.commands[entry.name] = listed

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The real one."""
        for entry in self.entries:
            if entry.name == cmd_name:
                module = importlib.import_module(f"mailraven.cli.{entry.module}")
                command = typer.main.get_command(getattr(module, entry.app))
                command.name = entry.name
                return command
        return super().get_command(ctx, cmd_name)
