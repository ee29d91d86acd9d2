"""The chart, rendered by helm as a user would."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailraven.testing.kube_apiserver import kube_api, kube_namespace

__all__ = ["kube_api", "kube_namespace"]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "mailraven"
SETS = {path.stem: path for path in sorted((Path(__file__).parent / "values").glob("*.yaml"))}
SETS["manifests"] = ROOT / "manifests" / "values.yaml"
NAMESPACE = "mailraven"
POD_KINDS = ("Deployment", "Job", "Pod")

Document = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """All objects of a release."""

    documents: tuple[Document, ...]

    def find(self, kind: str, name: str) -> Document:
        """The one of that name."""
        [found] = [item for item in self.of(kind) if item["metadata"]["name"] == name]
        return found

    def of(self, *kinds: str) -> list[Document]:
        """All of these kinds."""
        return [item for item in self.documents if item["kind"] in kinds]

    def pods(self) -> dict[str, Document]:
        """Every pod template, by kind and name; that of backup Jobs too."""
        found = {}
        for item in self.of(*POD_KINDS):
            template = item if item["kind"] == "Pod" else item["spec"]["template"]
            found[f"{item['kind']}/{item['metadata']['name']}"] = template
        for item in self.of("ConfigMap"):
            if "job-template.yaml" in item.get("data", {}):
                found["job-template"] = yaml.safe_load(item["data"]["job-template.yaml"])
        return found


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What it said, whatever the exit code."""
    program = shutil.which("helm")
    if program is None:
        pytest.skip("helm is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


@cache
def rendered(values: Path, *options: str) -> Rendered:
    """What helm makes of them."""
    done = helm("template", "mailraven", str(CHART), "--namespace", NAMESPACE, "--values", str(values), *options)
    assert done.returncode == 0, done.stderr
    documents = yaml.load_all(done.stdout, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return Rendered(tuple(document for document in documents if document))


@pytest.fixture(scope="session")
def render() -> Callable[..., Rendered]:
    """Renders a set of values (tests/chart/values), with `--set`s."""

    def make(name: str, *assignments: str) -> Rendered:
        options = [word for assignment in assignments for word in ("--set-json", assignment)]
        return rendered(SETS[name], *options)

    return make


@pytest.fixture(params=sorted(SETS))
def release(request: pytest.FixtureRequest, render: Callable[..., Rendered]) -> Rendered:
    """Each set of values."""
    return render(request.param)


@pytest.fixture
def refused() -> Callable[..., str]:
    """What helm says to values that it does not take."""

    def attempt(name: str | None, *assignments: str) -> str:
        files = [] if name is None else ["--values", str(SETS[name])]
        options = [word for assignment in assignments for word in ("--set-json", assignment)]
        done = helm("template", "mailraven", str(CHART), *files, *options)
        assert done.returncode != 0, "it was taken"
        return done.stderr

    return attempt
