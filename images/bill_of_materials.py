"""Writes the list of all packages in the image as CycloneDX JSON.

Usage: bill_of_materials.py NAME DEBIAN_JSON OUTPUT ENVIRONMENT...
"""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any


def main() -> None:
    """Writes it."""
    name, debian, output, *environments = sys.argv[1:]
    places = [
        str(path) for environment in environments for path in Path(environment).glob("lib/python3*/site-packages")
    ]
    components = [*debian_components(Path(debian)), *python_components(places)]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name}},
        "components": components,
    }
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def debian_components(listing: Path) -> Iterator[dict[str, Any]]:
    """From what runtime.py found."""
    release = debian_release()
    for package in json.loads(listing.read_text(encoding="utf-8")):
        purl = (
            f"pkg:deb/debian/{package['name']}@{package['version'].replace('+', '%2B')}?arch={package['architecture']}"
        )
        yield component(package["name"], package["version"], f"{purl}&distro={release}")


def debian_release() -> str:
    """Such as debian-12."""
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return f"{fields['ID']}-{fields.get('VERSION_ID', 'sid')}".replace('"', "")


def python_components(places: list[str]) -> Iterator[dict[str, Any]]:
    """From the metadata of the installed packages."""
    for found in sorted(distributions(path=places), key=lambda item: item.name.lower()):
        name = found.name.lower().replace("_", "-")
        yield component(found.name, found.version, f"pkg:pypi/{name}@{found.version}", licence_of(found))


def licence_of(found: Distribution) -> str | None:
    """Its SPDX expression, or what it says instead in one line."""
    text = found.metadata.get("License-Expression") or found.metadata.get("License") or ""
    return text if text and "\n" not in text and len(text) < 100 else None


def component(name: str, version: str, purl: str, licence: str | None = None) -> dict[str, Any]:
    """One entry."""
    entry: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if licence:
        entry["licenses"] = [{"license": {"name": licence}}]
    return entry


if __name__ == "__main__":
    main()
