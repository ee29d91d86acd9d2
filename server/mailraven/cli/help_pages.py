"""The pages of --help: panels and colours on a terminal, plain indented text elsewhere.

Typer's own pages import a Markdown parser and a syntax highlighter, which takes longer than everything else here.
"""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup

from mailraven import __version__

Row = tuple[str, str]
_WIDTH = 100
_WORDS = re.compile(r"(\[[^\]]*\])$")


def show(command: Any, ctx: Any) -> None:
    """Prints the page of a command or a group."""
    panels = panels_of(command, ctx)
    if sys.stdout.isatty():
        _show_rich(command, ctx, panels)
    else:
        _show_plain(command, ctx, panels)


def panels_of(command: Any, ctx: Any) -> dict[str, list[Row]]:
    """Rows of name and meaning, by panel."""
    panels: dict[str, list[Row]] = {}
    if isinstance(command, TyperGroup):
        for name in command.list_commands(ctx):
            listed = command.commands[name]
            if not listed.hidden:
                panels.setdefault(getattr(listed, "rich_help_panel", None) or "Commands", []).append(
                    (name, _first_sentence(listed.help or ""))
                )
    arguments: list[Row] = []
    options: dict[str, list[Row]] = {"Options": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        if isinstance(parameter, TyperArgument):
            arguments.append((parameter.metavar or parameter.name.upper(), record[1]))
        else:
            panel = getattr(parameter, "rich_help_panel", None) or "Options"
            options.setdefault(panel, []).append((_names(parameter), record[1]))
    if any(text for _, text in arguments):
        panels["Arguments"] = arguments
    return {**panels, **{name: rows for name, rows in options.items() if rows}}


def _names(parameter: Any) -> str:
    opts = sorted(parameter.opts, key=len)
    names = ", ".join([*opts, *parameter.secondary_opts])
    names = names if opts[0].startswith("-") and not opts[0].startswith("--") else f"    {names}"
    return (
        names
        if parameter.is_flag
        else f"{names} {parameter.metavar or parameter.type_descriptor.metavar or ''}".rstrip()
    )


def _first_sentence(text: str) -> str:
    return " ".join(inspect.cleandoc(text).partition("\n\n")[0].split()).removesuffix(".")


def text_of(command: Any) -> tuple[list[str], list[str]]:
    """Paragraphs, and the lines of examples."""
    paragraphs, examples = [], []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("Example"):
            lines = paragraph.partition(":")[2].strip().splitlines()
            examples += [line.strip() for line in lines]
        elif paragraph:
            paragraphs.append(" ".join(paragraph.split()))
    return paragraphs, examples


def _show_plain(command: Any, ctx: Any, panels: dict[str, list[Row]]) -> None:
    paragraphs, examples = text_of(command)
    lines = [command.get_usage(ctx), ""]
    for paragraph in paragraphs:
        lines += [*textwrap.wrap(paragraph, _WIDTH, initial_indent="  ", subsequent_indent="  "), ""]
    if examples:
        lines += ["Example:" if len(examples) == 1 else "Examples:", *(f"  {example}" for example in examples), ""]
    for title, rows in panels.items():
        width = _width(command, title, panels) + 2
        lines.append(f"{title}:")
        for name, text in rows:
            lines += _wrapped(name.ljust(width), text, width)
        lines.append("")
    if command.epilog:
        lines += [f"  {command.epilog}", ""]
    typer.echo("\n".join(lines).rstrip())


def _width(command: Any, title: str, panels: dict[str, list[Row]]) -> int:
    """Of the first column: the same for all panels of commands, and for all others."""
    words = set(command.commands) if isinstance(command, TyperGroup) else set()
    are_commands = panels[title][0][0] in words
    return max(len(name) for rows in panels.values() for name, _ in rows if (rows[0][0] in words) == are_commands)


def _wrapped(name: str, text: str, width: int) -> Iterable[str]:
    indent = " " * (width + 2)
    return textwrap.wrap(text, max(_WIDTH, width + 40), initial_indent=f"  {name}", subsequent_indent=indent) or [
        f"  {name}".rstrip()
    ]


def _show_rich(command: Any, ctx: Any, panels: dict[str, list[Row]]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.width = min(console.width, _WIDTH)
    paragraphs, examples = text_of(command)
    usage = command.get_usage(ctx).removeprefix("Usage: ")
    console.print()
    if ctx.parent is None:
        console.print(Padding(Text.assemble(("MailRaven ", "bold"), (__version__, "bold green")), (0, 1, 1, 1)))
    console.print(Padding(Text.assemble(("Usage  ", "bold yellow"), (usage, "bold")), (0, 1)))
    console.print()
    for number, paragraph in enumerate(paragraphs):
        console.print(Padding(Text(paragraph, style="" if number == 0 else "dim"), (0, 1, 1, 1)))
    for example in examples:
        console.print(Padding(Text.assemble(("$ ", "dim"), (example, "green")), (0, 1, 0, 3)), soft_wrap=True)
    if examples:
        console.print()
    for title, rows in panels.items():
        table = Table(box=None, show_header=False, padding=(0, 1), expand=True)
        width = _width(command, title, panels)
        table.add_column(style="bold cyan", no_wrap=True, width=min(width, _WIDTH // 2))
        table.add_column(ratio=1)
        for name, text in rows:
            table.add_row(name, _dimmed(Text, text))
        console.print(Panel(table, title=title, title_align="left", border_style="dim"))
    if command.epilog:
        console.print(Padding(Text(command.epilog), (0, 1)))
    console.print()


def _dimmed(text_class: Any, text: str) -> Any:
    """The default or the variable at the end stands back."""
    found = _WORDS.search(text)
    if found is None:
        return text_class(text)
    return text_class.assemble(text[: found.start()], (found[1], "dim"))
