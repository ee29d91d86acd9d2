"""The benchmark: `python tests/bench` (or `make bench`). README.md says what is measured and how."""

import argparse
import contextlib
import datetime as dt
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from measures import FULL, GROUPS, OUR_GROUPS, QUICK, Figures, Measure, measure_process
from postfix_dovecot import PostfixDovecot, why_not
from report import describe, disagreements, render
from servers import MailRaven, Side

PROCESS = "process"
Collected = dict[str, dict[str, list[Figures]]]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options."""
    names = [*GROUPS, *OUR_GROUPS, PROCESS]
    parser = argparse.ArgumentParser(prog="python tests/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds, of which the medians are shown [5]")
    parser.add_argument("--quick", action="store_true", help="one round with less of everything")
    parser.add_argument(
        "--only", action="append", choices=names, metavar="NAME", help=f"of {', '.join(names)}; repeatable"
    )
    parser.add_argument("--ours-only", action="store_true", help="without Postfix and Dovecot")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON there instead of printing it")
    parser.add_argument(
        "--directory", type=Path, metavar="DIR", help="where the servers keep their data [a temporary one]"
    )
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds = 1
    return options


@contextlib.contextmanager
def work_directory(parent: Path | None) -> Iterator[Path]:
    """A directory that other users may walk through: Postfix, Dovecot and Postgres run as such."""
    with tempfile.TemporaryDirectory(prefix="mailraven-bench-", dir=parent, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


class Bench:
    """Group by group; in each the sides take turns."""

    def __init__(self, ours: MailRaven, theirs: PostfixDovecot | None, options: argparse.Namespace) -> None:
        self._ours = ours
        self._both = [ours.side] if theirs is None else [ours.side, theirs.side]
        self._only = options.only
        self._rounds: int = options.rounds
        self._scale = QUICK if options.quick else FULL
        self.collected: Collected = {}
        self.failures: list[str] = []

    def run(self) -> None:
        """A group that fails is left out of the table, and said."""
        few = min(self._rounds, 3)
        for name, function in GROUPS.items():
            self._take_turns(name, self._both, self._rounds, function)
        for name, function in OUR_GROUPS.items():
            self._take_turns(name, self._both[:1], few, function)
        self._take_turns(PROCESS, self._both[:1], few, lambda _side, _scale, _round: measure_process(self._ours))

    def _take_turns(self, name: str, sides: Sequence[Side], rounds: int, function: Measure) -> None:
        if self._only and name not in self._only:
            return
        taken: dict[str, list[Figures]] = {side.name: [] for side in sides}
        try:
            for number in range(rounds):
                for side in sides:
                    _progress(f"{name} {number + 1}/{rounds} {side.name}")
                    taken[side.name].append(function(side, self._scale, number))
        except RuntimeError as error:
            self.failures.append(f"{name}: {error}")
            _progress(f"failed: {name}: {error}")
        self.collected[name] = taken


def _progress(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


def describe_machine(sides: Sequence[Side]) -> dict[str, Any]:
    """What the figures depend on."""
    versions: dict[str, str] = {"python": platform.python_version(), "kernel": platform.release()}
    for side in sides:
        versions |= side.versions
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu_counted_by": {side.name: side.meter.method for side in sides},
        "versions": versions,
    }


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 when everything could be measured, whatever the figures say."""
    options = parse(arguments)
    reason = "--ours-only" if options.ours_only else why_not()
    with work_directory(options.directory) as top, contextlib.ExitStack() as stack:
        (top / "ours").mkdir()
        ours = _closing(stack, lambda: MailRaven(top / "ours"))
        theirs = None if reason else _closing(stack, lambda: PostfixDovecot(top / "peer"))
        if reason:
            _progress(f"no column of Postfix+Dovecot: {reason}")
        bench = Bench(ours, theirs, options)
        bench.run()
        machine = describe_machine([ours.side] if theirs is None else [ours.side, theirs.side])
    entries = describe(bench.collected)
    report = {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "rounds": options.rounds,
        "quick": options.quick,
        "machine": machine,
        "without_postfix_dovecot": reason,
        "rows": entries,
        "disagreements": disagreements(bench.collected),
        "failures": bench.failures,
    }
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    if options.json:
        options.json.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    sys.stdout.write(f"\n{_summary(report)}\n\n{render(entries)}\n")
    return 1 if bench.failures else 0


def _closing(stack: contextlib.ExitStack, make: Callable[[], Any]) -> Any:
    made = make()
    stack.callback(made.close)
    return made


def _summary(report: dict[str, Any]) -> str:
    machine = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [f"{machine['cores']} cores; {versions}; medians of {report['rounds']} round(s)"]
    lines += [f"CPU of {side} counted by: {method}" for side, method in machine["cpu_counted_by"].items()]
    if report["without_postfix_dovecot"]:
        lines.append(f"Postfix+Dovecot: not measured: {report['without_postfix_dovecot']}")
    lines += [f"failed: {line}" for line in report["failures"]]
    lines += [f"the sides disagree: {line}" for line in report["disagreements"]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
