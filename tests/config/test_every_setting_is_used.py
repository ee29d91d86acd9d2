"""A setting that nothing reads would be a lie in the documentation."""

import re
from pathlib import Path

import mailraven
from mailraven.config import Config
from mailraven.config.section import Section

PACKAGE = Path(mailraven.__file__).parent


def leaves(model: type[Section], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Section):
            found += leaves(annotation, (*path, name))
        else:
            found.append((*path, name))
    return found


def test_every_setting_is_read_somewhere() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in PACKAGE.rglob("*.py")
        if "config" not in path.relative_to(PACKAGE).parts and "testing" not in path.relative_to(PACKAGE).parts
    )
    read = set(re.findall(r"\.(\w+)\b", code))
    assert [".".join(path) for path in leaves(Config) if path[-1] not in read and not path[-1].endswith("_file")] == []


def test_every_setting_says_what_it_means() -> None:
    def check(model: type[Section]) -> None:
        for name, field in model.model_fields.items():
            annotation = field.annotation
            if isinstance(annotation, type) and issubclass(annotation, Section):
                check(annotation)
            else:
                assert field.description, f"{model.__name__}.{name}"

    check(Config)
