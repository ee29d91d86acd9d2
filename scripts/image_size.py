"""Prints how large container images are, and the ten largest things in each: `make image-size`.

A thing is a Python package, a part of Python, a library or a directory. Usage: image_size.py IMAGE...
"""

import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import PurePosixPath

SHOWN = 10


def main() -> None:
    """A table for each."""
    for image in sys.argv[1:]:
        things = sizes(image)
        print(f"{image}: {sum(things.values()) / 1e6:.1f} MB")
        for thing, size in things.most_common(SHOWN):
            print(f"  {size / 1e6:5.1f} MB  {thing}")


def sizes(image: str) -> Counter[str]:
    """Octets by thing. The container that is made for it never runs."""
    container = docker("create", image).decode().strip()
    try:
        things: Counter[str] = Counter()
        command = ["docker", "export", container]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as export,  # noqa: S603
            tarfile.open(fileobj=export.stdout, mode="r|") as files,
        ):
            for file in files:
                if file.isfile():
                    things[thing_of(PurePosixPath("/", file.name))] += file.size
        return things
    finally:
        docker("rm", "--volumes", container)


def thing_of(path: PurePosixPath) -> str:
    """What a file belongs to."""
    parts = path.parts
    if "site-packages" in parts:
        at = parts.index("site-packages") + 1
        return f"package {parts[at].partition('-')[0].removesuffix('.libs')}"
    if len(parts) > 4 and parts[3].startswith("python3"):
        return f"Python's {parts[4]}" if parts[4] in ("encodings", "lib-dynload") else "Python's library"
    if path.parent.name.endswith(("-linux-gnu", "bin")):
        return path.name
    return str(PurePosixPath(*parts[:4]))


def docker(*arguments: str) -> bytes:
    """What it prints."""
    return subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE).stdout  # noqa: S603, S607


if __name__ == "__main__":
    main()
