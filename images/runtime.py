"""Copies into a directory what a Python program needs of the system, for an image that is made of nothing else.

Usage: runtime.py DESTINATION PROGRAM_DIRECTORY

Taken: this interpreter, its standard library, the shared libraries these and PROGRAM_DIRECTORY's extensions load, the
certificate authorities, the time zones, and the licences of the Debian packages all that comes from. It finds them by
asking the interpreter, ldd and dpkg, so that it is the same on every architecture and with every Python. It also writes
/usr/share/mailraven/debian.json, the packages with their versions, and their status for scanners.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

import compiled

# What a server never runs: other programs' tests, graphics, terminals, build tools, and formats nobody writes any more.
UNUSED_MODULES = frozenset(
    {
        "__phello__", "__pycache__", "_crypt", "_ctypes_test", "_curses", "_curses_panel", "_dbm", "_testbuffer",
        "_testcapi", "_testclinic", "_testimportmultiple", "_testinternalcapi", "_testmultiphase", "_tkinter",
        "_xxtestfuzz", "antigravity.py", "audioop", "curses", "dbm", "dist-packages", "distutils", "ensurepip",
        "idlelib", "lib2to3", "LICENSE.txt", "nis", "ossaudiodev", "pydoc_data", "readline", "site-packages", "spwd",
        "test", "tests", "tkinter", "turtle.py", "turtledemo", "venv", "xxlimited", "xxlimited_35",
    }
)  # fmt: skip
# dlopen()ed, so that ldd does not see them: libc ends threads by this one.
LOADED_LATER = ("libgcc_s.so.1",)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
ZONES = Path("/usr/share/zoneinfo")
UNUSED_ZONES = {"posix", "right"}  # the same again, and with leap seconds
ACCOUNT = "mailraven:x:10001:10001::/data:/nonexistent\n"
_LIBRARY = re.compile(r"(?:=>\s+)?(/\S+)\s+\(0x")


class Tree:
    """The files of the image, and where each comes from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources: set[Path] = set()

    def add(self, path: Path) -> None:
        """A file at its own place; of a link the whole chain."""
        parent = Path(os.path.realpath(path.parent))  # /lib and /usr/lib are one
        path = parent / path.name
        target = self.root / path.relative_to("/")
        if target.exists() or target.is_symlink():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        self.sources.add(path)
        if path.is_symlink():
            target.symlink_to(path.readlink())
            self.add(parent / path.readlink())
        else:
            shutil.copy2(path, target)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file of ours."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)

    def directory(self, path: str, mode: int) -> None:
        """An empty one."""
        target = self.root / path.lstrip("/")
        target.mkdir(parents=True)
        target.chmod(mode)


def main() -> None:
    """Fills the directory."""
    tree, program = Tree(Path(sys.argv[1])), Path(sys.argv[2])
    add_base(tree)
    add_python(tree)
    add_libraries(tree, program)
    add_data(tree)
    add_packages(tree)


def add_base(tree: Tree) -> None:
    """Directories, users, the links from /lib to /usr/lib."""
    for name in ("lib", "lib32", "lib64", "libx32"):
        if (link := Path("/", name)).is_symlink():
            tree.root.mkdir(parents=True, exist_ok=True)
            (tree.root / name).symlink_to(link.readlink())
    tree.directory("/tmp", 0o1777)  # noqa: S108 - of the image
    tree.write("/etc/passwd", f"root:x:0:0:root:/root:/nonexistent\n{ACCOUNT}")
    tree.write("/etc/group", "root:x:0:\nmailraven:x:10001:\n")
    tree.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")


def add_python(tree: Tree) -> None:
    """The interpreter and the modules of its library."""
    executable = Path(sys._base_executable)  # type: ignore[attr-defined]  # not in typeshed; the interpreter behind the venv
    tree.add(executable)
    for name in ("python3", f"python3.{sys.version_info.minor}"):
        if (path := executable.parent / name).exists():
            tree.add(path)
    for root in sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}):
        for file in modules(Path(root)):
            tree.add(file)
        compiled.compile_below(tree.root / root.lstrip("/"), tree.root, Path("/"), with_sources=False)


def modules(directory: Path) -> Iterator[Path]:
    """All files below that are of use."""
    for entry in sorted(directory.iterdir()):
        if {entry.name, entry.name.partition(".cpython-")[0]} & UNUSED_MODULES or entry.name.startswith("config-3"):
            continue
        if entry.is_dir():
            yield from modules(entry)
        else:
            yield entry


def add_libraries(tree: Tree, program: Path) -> None:
    """What the binaries load; wheels may bring some themselves."""
    binaries = [path for root in (tree.root, program) for path in sorted(root.rglob("*")) if is_elf(path)]
    found = {library for binary in binaries for library in libraries(binary)}
    system = Path(os.path.realpath(next(path for path in found if path.name.startswith("libc.so")))).parent
    for library in sorted(found) + [system / name for name in LOADED_LATER]:
        if not library.is_relative_to(program):
            tree.add(library)


def is_elf(path: Path) -> bool:
    """A program or a library."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def libraries(binary: Path) -> Iterator[Path]:
    """Its shared libraries, and the loader."""
    listing = output("ldd", str(binary), check=False)  # a failure: it is a static one
    if "not found" in listing:
        raise SystemExit(f"{binary} lacks a library:\n{listing}")
    for line in listing.splitlines():
        if match := _LIBRARY.search(line):
            yield Path(match[1])


def add_data(tree: Tree) -> None:
    """Certificate authorities, OpenSSL's settings, time zones, which Debian it is."""
    tree.add(CERTIFICATES)
    openssl = Path("/usr/lib/ssl")
    for name in ("cert.pem", "openssl.cnf"):
        if (openssl / name).exists():
            tree.add(openssl / name)
    for file in sorted(ZONES.rglob("*")):
        if not file.is_dir() and not UNUSED_ZONES & set(file.relative_to(ZONES).parts):
            tree.add(file)
    tree.add(Path("/etc/os-release"))


def add_packages(tree: Tree) -> None:
    """Names and versions, for the bill of materials and for scanners; licences."""
    names = owners(tree.sources)
    listed = []
    for name in sorted(names):
        status = output("dpkg-query", "--status", name)
        fields = dict(re.findall(r"^(\S+): (.*)$", status, re.MULTILINE))
        listed.append(
            {
                "name": fields["Package"],
                "version": fields["Version"],
                "architecture": fields["Architecture"],
                "source": fields.get("Source", fields["Package"]).partition(" ")[0],
            }
        )
        tree.write(f"/var/lib/dpkg/status.d/{fields['Package']}", status)
        if (licence := Path("/usr/share/doc", fields["Package"], "copyright")).exists():
            tree.add(licence)
    tree.write("/usr/share/mailraven/debian.json", json.dumps(listed, indent=1) + "\n")


def owners(files: Iterable[Path]) -> set[str]:
    """The Debian packages these belong to; some belong to none (the bundle of certificates is generated)."""
    names = {"ca-certificates"}
    merged = [str(path) for path in files]
    unmerged = [path.removeprefix("/usr") for path in merged if path.startswith("/usr/lib")]
    for line in output("dpkg-query", "--search", *merged, *unmerged, check=False).splitlines():
        packages, separator, _ = line.rpartition(": ")
        if separator and not packages.startswith("diversion by"):
            names.update(name.strip() for name in packages.split(","))
    return names


def output(*command: str, check: bool = True) -> str:
    """What it prints."""
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout  # noqa: S603 - the commands of this file


if __name__ == "__main__":
    main()
