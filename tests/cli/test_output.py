"""What commands write, on a terminal and in a pipe. Nothing runs."""

import io
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from mailraven.cli.dotted import document, octets
from mailraven.cli.options import Format
from mailraven.cli.output import Column, Output, moment, size
from mailraven.cli.plain import clean, flat, word
from mailraven.cli.problems import UsageProblem
from mailraven.cli.progress import Progress, ProgressForm

ROWS: list[dict[str, Any]] = [
    {"name": "example.org", "used": 3_500_000_000, "on": True},
    {"name": "y" * 300, "used": None, "on": False},
]
COLUMNS = (Column("NAME", "name"), Column("USED", "used", size), Column("ON", "on"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, stream: str = "stdout") -> Iterator[Terminal]:
    screen = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, stream, screen)
        patch.setenv("COLUMNS", "80")
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)
        yield screen


def test_a_list_in_a_pipe_is_plain_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    Output(Format.TABLE).rows(ROWS, COLUMNS, nothing="none")
    assert capsys.readouterr().out == f"example.org\t3500000000\ttrue\n{'y' * 300}\t\tfalse\n"
    Output(Format.TABLE).rows([], COLUMNS, nothing="none")
    assert capsys.readouterr() == ("", "")


def test_a_list_on_a_terminal_has_headings_and_units(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as screen:
        Output(Format.TABLE).rows(ROWS, COLUMNS, nothing="none")
    text = screen.getvalue()
    assert "NAME" in text
    assert "3.3 GiB" in text
    assert "\x1b[" in text
    assert text.count("y") == 300  # folded, not cut


def test_a_wide_column_is_cut_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = (
        Column("WIDE", lambda _: "w" * 200, wide=True),
        Column("NAME", lambda _: "n" * 30),
        Column("STATE", lambda _: "ok"),
    )
    with terminal(monkeypatch) as screen:
        Output(Format.TABLE).rows([{}], columns, nothing="none")
    text = screen.getvalue()
    assert "n" * 30 in text
    assert "ww…" in text
    assert "\x1b[32mok" in text
    Output(Format.TABLE).rows([{}], columns, nothing="none")
    assert capsys.readouterr().out == f"{'w' * 200}\t{'n' * 30}\tok\n"


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as screen:
        monkeypatch.setenv("NO_COLOR", "1")
        Output(Format.TABLE).rows(ROWS, COLUMNS, nothing="none")
    assert "\x1b[3" not in screen.getvalue()


def test_documents_are_those_of_the_api(capsys: pytest.CaptureFixture[str]) -> None:
    Output(Format.JSON).rows(ROWS, COLUMNS, nothing="none")
    assert json.loads(capsys.readouterr().out) == ROWS
    Output(Format.YAML).one({"name": "é", "list": [1, None]})
    text = capsys.readouterr().out
    assert "é" in text
    assert yaml.safe_load(text) == {"name": "é", "list": [1, None]}
    Output(Format.JSON).done("text for people", {"a": 1})
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_one_thing_in_a_pipe_is_a_line_for_each_field(capsys: pytest.CaptureFixture[str]) -> None:
    Output(Format.TABLE).one({"name": "a", "spec": {"dkim": {"size": 1}, "none": {}}, "list": [], "many": ["x", "y"]})
    assert capsys.readouterr().out == "name\ta\nspec.dkim.size\t1\nspec.none\t\nlist\t\nmany\tx, y\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("två", "två"),
        ("\x1b[2J\x1b]0;title\x07", "\ufffd[2J\ufffd]0;title\ufffd"),
        ("a\r\nb\tc\nd", "a b c d"),
        ("\x9b31m", "\ufffd31m"),
        ("abc\u202egnp.exe", "abc\ufffdgnp.exe"),
        ("line\u2028next", "line next"),
        ("\ud800", "\ufffd"),
    ],
)
def test_text_of_strangers_cannot_steer_the_terminal(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_words_and_flat_documents() -> None:
    assert [word(value) for value in (None, True, 1.5, [], ["a", 1], [{"b": 1}], "x\n")] == [
        "", "true", "1.5", "", "a, 1", '[{"b": 1}]', "x "
    ]  # fmt: skip
    assert flat({"a": {"b": {"c": 1}}, "d": 2}) == {"a.b.c": 1, "d": 2}


def test_sizes_and_moments() -> None:
    assert [size(value) for value in (0, 1023, 1024, 1536, 200 * 2**20, 2**45, None)] == [
        "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "200 MiB", "32.0 TiB", ""
    ]  # fmt: skip
    assert moment(None) == ""
    assert moment("tomorrow") == "tomorrow"
    assert len(moment("2026-08-01T08:00:00Z")) == 19


def test_assignments_become_a_document() -> None:
    assert document(
        ["a.b=1", "a.c=true", "name=Ann Example", "x=null", "l=[1, 2]", "quota_bytes=2GiB", "labels.mailraven.io/t=7"]
    ) == {
        "a": {"b": 1, "c": True}, "name": "Ann Example", "x": None, "l": [1, 2], "quota_bytes": 2**31,
        "labels": {"mailraven.io/t": "7"},
    }  # fmt: skip
    assert document(["a=1", "a.b=2"]) == {"a": {"b": 2}}
    assert octets("1.5MB") == 1_500_000
    assert octets("10") == 10
    for wrong in ("a", "=1", "a..b=1", "a b=1"):
        with pytest.raises(UsageProblem, match="KEY=VALUE"):
            document([wrong])
    with pytest.raises(UsageProblem, match="expected a size"):
        octets("much")


def steps(form: ProgressForm, count: int = 3) -> None:
    with Progress(form, "apply", count) as progress:
        for number in range(count):
            progress.step(f"item/{number}")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_progress_is_json_lines_elsewhere(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    steps(ProgressForm.AUTO)
    steps(ProgressForm.NONE)
    assert capsys.readouterr() == ("", "")  # it did not take long
    steps(ProgressForm.JSON)
    [last] = lines(capsys.readouterr().err)
    assert (last["state"], last["done"], last["total"], last["progress"]) == ("done", 3, 3, "apply")
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    steps(ProgressForm.AUTO)
    found = lines(capsys.readouterr().err)
    assert [line["state"] for line in found] == ["running", "running", "running", "done"]
    assert found[0]["item"] == "item/0"


def test_progress_that_fails_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with Progress(ProgressForm.JSON, "apply", 2) as progress:
            progress.step()
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    [last] = lines(capsys.readouterr().err)
    assert (last["state"], last["done"]) == ("failed", 1)


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch, "stderr") as screen:
        steps(ProgressForm.AUTO)
    assert "3/3" in screen.getvalue()
    assert "━" in screen.getvalue()
