"""Takes out of installed Python packages what a running program does not need, and compiles what is left.

Usage: trim.py ENVIRONMENT            the dependencies: compiled modules only
       trim.py ENVIRONMENT PLACE      our own packages, which will be in PLACE: compiled modules beside the sources
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import compiled

UNUSED_DIRECTORIES = {"__pycache__", "test", "tests", "testing", "SelfTest"}
# Pygments and Markdown are for tracebacks and texts that Rich could draw; nothing here asks it to.
UNUSED_PACKAGES = {"markdown_it", "mdurl", "pygments"}
UNUSED_SUFFIXES = {".pyi", ".pyx", ".pxd", ".pxi", ".c", ".cc", ".cpp", ".h", ".hpp", ".js", ".typed"}
UNUSED_METADATA = {"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json", "uv_build.json", "uv_cache.json"}


def main() -> None:
    """Trims in place."""
    root = Path(sys.argv[1])
    place = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    for path in (*unused_of_environment(root), *unused(root / "lib")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    libraries = [str(path) for path in root.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    if libraries:
        subprocess.run(["strip", "--strip-unneeded", *libraries], check=True)  # noqa: S603, S607 - of the builder image
    compiled.compile_below(root / "lib", root, place or root, with_sources=place is not None)


def unused_of_environment(root: Path) -> Iterator[Path]:
    """What an environment has for shells and tools, and programs that dependencies bring."""
    for name in (".gitignore", ".lock", "CACHEDIR.TAG", "share", "include"):
        if (path := root / name).exists():
            yield path
    for path in (root / "bin").glob("*"):
        if not path.is_symlink() and not path.name.startswith("mailraven"):
            yield path


def unused(directory: Path) -> Iterator[Path]:
    """Files and whole directories; nothing below one of them."""
    for entry in sorted(directory.iterdir()):
        if entry.is_symlink():
            continue
        if entry.is_dir():
            if entry.name in UNUSED_DIRECTORIES or is_unused_package(entry):
                yield entry
            else:
                yield from unused(entry)
        elif entry.suffix in UNUSED_SUFFIXES or (entry.parent.suffix == ".dist-info" and entry.name in UNUSED_METADATA):
            yield entry


def is_unused_package(directory: Path) -> bool:
    """Itself, or its metadata: it must not be in the bill of materials either."""
    name = directory.name.partition("-")[0].removesuffix("_py")
    return directory.parent.name == "site-packages" and name in UNUSED_PACKAGES


if __name__ == "__main__":
    main()
