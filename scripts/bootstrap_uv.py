"""Puts uv into .tools/bin of this checkout, with nothing but a Python 3.11 and its standard library.

Debian's python3 has neither pip nor a venv module that works, so: by venv if it works, by pip if there is one, else the
wheel is fetched from the package index, checked against its hash and unpacked. Run by the Makefile.
"""

import hashlib
import html
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from urllib.parse import urljoin

REQUIREMENT = "uv>=0.5,<1"
TOOLS = Path(__file__).resolve().parent.parent / ".tools"
TARGET = TOOLS / "bin" / "uv"
INDEX = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple"
TIMEOUT = 120


def main() -> int:
    """The exit code; tells on stderr what it does."""
    if sys.version_info < (3, 11):  # noqa: UP036 - run by whatever python3 there is
        return fail(f"Python 3.11 or newer is needed, this is {platform.python_version()}")
    if works(TARGET):
        return 0
    shutil.rmtree(TOOLS, ignore_errors=True)
    TARGET.parent.mkdir(parents=True)
    for way in (by_venv, by_pip, by_download):
        try:
            found = way()
        except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
            say(f"{way.__name__}: {error}")
            continue
        if works(found):
            if found != TARGET:
                TARGET.symlink_to(os.path.relpath(found, TARGET.parent))
            say(f"{way.__name__}: {TARGET}")
            return 0
    return fail("cannot install uv; install it yourself (https://docs.astral.sh/uv/) and run make again")


def by_venv() -> Path:
    """The usual way; needs Debian's python3-venv."""
    home = TOOLS / "uv-venv"
    run([sys.executable, "-m", "venv", str(home)])
    run([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", REQUIREMENT])
    return home / "bin" / "uv"


def by_pip() -> Path:
    """With a pip but no venv."""
    home = TOOLS / "uv-pip"
    run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(home), REQUIREMENT])
    return home / "bin" / "uv"


def by_download() -> Path:
    """With neither: the index's page (PEP 503) names the wheels and their SHA-256."""
    page = urljoin(INDEX.rstrip("/") + "/", "uv/")
    url, digest = choose(page, fetch(page).decode())
    data = fetch(url)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{url} does not have the hash that the index names")
    return unpack(data)


def choose(page: str, listing: str) -> tuple[str, str]:
    """URL and SHA-256 of the newest wheel for this platform."""
    tag = platform_tag()
    found = []
    for anchor in re.findall(r"<a\s[^>]*>", listing):
        if "data-yanked" in anchor:
            continue
        href = re.search(r'href="([^"]+)#sha256=([0-9a-f]{64})"', anchor)
        name = re.search(rf"/uv-(0)\.(\d+)\.(\d+)-py3-none-{tag}\.whl$", href[1]) if href else None
        if href and name:
            version = tuple(int(part) for part in name.groups())
            found.append((version, urljoin(page, html.unescape(href[1])), href[2]))
    if not found:
        raise ValueError(f"the index has no uv for {platform.machine()}")
    return max(found)[1:]


def platform_tag() -> str:
    """A pattern for the platform part of a wheel's name."""
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    if sys.platform == "darwin":
        return rf"macosx_\d+_\d+_{'arm64' if machine == 'aarch64' else machine}"
    libc = "musllinux" if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "") else "manylinux"
    return rf"{libc}_\d+_\d+_{machine}(?:\.\w+)*" if libc == "musllinux" else rf"{libc}[_\d]+_{machine}(?:\.\w+)*"


def unpack(data: bytes) -> Path:
    """Only the program; the wheel has it under its scripts."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        with zipfile.ZipFile(file) as wheel:
            name = next(name for name in wheel.namelist() if re.fullmatch(r"uv-[\d.]+\.data/scripts/uv", name))
            TARGET.write_bytes(wheel.read(name))
    TARGET.chmod(0o755)
    return TARGET


def fetch(url: str) -> bytes:
    """SSL_CERT_FILE and the proxy variables are obeyed by the standard library."""
    if not url.startswith("https://") and not (url.startswith("http://") and INDEX.startswith("http://")):
        raise ValueError(f"not fetching {url} without TLS")
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 - checked above
        return response.read()


def run(command: list[str]) -> None:
    """Raises when it fails; its words are shown only then."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise subprocess.SubprocessError(words[0] if words else f"exit code {done.returncode}")


def works(uv: Path) -> bool:
    """Whether it runs."""
    try:
        return subprocess.run([uv, "--version"], capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False


def say(text: str) -> None:
    """To the person at the terminal."""
    sys.stderr.write(f"bootstrap: {text}\n")


def fail(text: str) -> int:
    """The exit code."""
    say(text)
    return 1


if __name__ == "__main__":
    sys.exit(main())
