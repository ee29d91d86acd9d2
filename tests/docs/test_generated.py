"""Generated pages are those of this code."""

from pathlib import Path

from mailraven.config.documentation import render

ROOT = Path(__file__).parents[2]


def test_configuration_md_is_up_to_date() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == render(), "run `make docs`"
