"""docs/rfc.md names real modules and known states."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_row_has_a_status_and_modules_that_exist() -> None:
    rows = [line for line in (ROOT / "docs/rfc.md").read_text().splitlines() if re.match(r"\| \d", line)]
    assert len(rows) > 20
    for row in rows:
        _, _number, title, status, modules, _ = (cell.strip() for cell in row.split("|"))
        assert title
        assert re.match(r"(Yes|Partial: .+|No)\b", status), row
        named = re.findall(r"`([\w.]+)`", modules)
        assert named or status.startswith("No"), row
        for name in named:
            assert importlib.util.find_spec(name) is not None, name


def test_the_architecture_page_names_files_that_exist() -> None:
    text = (ROOT / "docs/architecture.md").read_text().split("## To change X, open Y")[1]
    paths = [path for path in re.findall(r"`([\w/.]+)`", text) if "/" in path]
    assert paths
    for path in paths:
        found = (ROOT / "server/mailraven" / path).exists() or (ROOT / path).exists()
        assert found, path
