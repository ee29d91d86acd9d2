"""`mailraven verify`: is the data whole, and can the installation do its work?"""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailraven.cli.backup import run
from mailraven.cli.groups import Commands
from mailraven.cli.options import DEFAULT_DATA, Assignments, ConfigFiles, Data, Format, Output
from mailraven.cli.output import Output as Writer
from mailraven.cli.problems import FAILED, reported

if TYPE_CHECKING:
    from mailraven.config import Config
    from mailraven.verify import Finding

app = Commands("Checks: the data (`data`), and everything around it (`system`).")
_MARKS = {"ok": "ok", "warning": "warning", "problem": "PROBLEM", "unknown": "unknown"}


@app.command("data")
def data_(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended; no message is touched.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read every blob and compare its digest.")] = False,
    output: Output = Format.TABLE,
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Check that every row has its blob, every counter counts, every UID is in order. The server may run.

    Exit codes: 0 all is well, 1 something is wrong, 2 wrong usage.

    Example:  mailraven verify data --deep
    """

    async def work(settings: "Config") -> "list[Finding]":
        from mailraven.app.maintenance import open_instance
        from mailraven.verify.data import verify_data

        async with open_instance(settings) as instance:
            return await verify_data(instance.database, instance.blobs, repair=repair, deep=deep, progress=_say)

    with reported():
        _show(run(data, config, assignments, work), Writer(output))


@app.command("system")
def system(
    output: Output = Format.TABLE,
    data: Data = DEFAULT_DATA,
    config: ConfigFiles = None,
    assignments: Assignments = None,
) -> None:
    """Check versions, durability, clock, storage, queue, ports, certificates and DNS.

    Exit codes: 0 all is well, 1 something is wrong, 2 wrong usage.

    Example:  mailraven verify system
    """

    async def work(settings: "Config") -> "list[Finding]":
        from mailraven.app.maintenance import open_instance
        from mailraven.dns import Resolver
        from mailraven.verify.system import verify_system

        resolver = Resolver(settings.delivery.resolver, timeout=5.0)
        async with open_instance(settings) as instance:
            return await verify_system(settings, instance.database, instance.blobs, resolver)

    with reported():
        _show(run(data, config, assignments, work), Writer(output))


def _say(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}\r")


def _show(findings: "list[Finding]", writer: Writer) -> None:
    from mailraven.verify.finding import Severity, worst

    result = worst(findings)
    for one in findings:
        repaired = f" ({one.repaired} mended)" if one.repaired else ""
        count = f"{one.count} x " if one.count > 1 else ""
        writer.line(f"{_MARKS[one.severity]:8} {one.check:20} {count}{one.text}{repaired}".rstrip())
        for example in one.examples:
            writer.line(f"{'':29} {example}")
    if not writer.is_table:
        writer.one({"result": str(result), "findings": [_document(one) for one in findings]})
    if result is not Severity.OK:
        raise typer.Exit(FAILED)


def _document(finding: "Finding") -> dict[str, Any]:
    return {
        "check": finding.check, "severity": str(finding.severity), "text": finding.text, "count": finding.count,
        "examples": list(finding.examples), "repaired": finding.repaired,
    }  # fmt: skip
