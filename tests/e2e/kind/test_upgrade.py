"""helm upgrade to another version of image and chart, and back, while mail goes on."""

import os
from collections.abc import Callable

import pytest

from mailraven.testing.cluster import Cluster
from mailraven.testing.traffic import Address, Traffic

ROLES = ("mx", "submission", "imap", "delivery", "admin", "operator")


@pytest.fixture
def new_version(cluster: Cluster) -> tuple[str, str]:
    """Chart and image tag of a version that is not the installed one (made by scripts/e2e-kind.sh)."""
    return os.environ["MAILRAVEN_E2E_NEXT_CHART"], os.environ["MAILRAVEN_E2E_NEXT_TAG"]


def test_helm_upgrade_and_rollback(
    town, cluster: Cluster, address: Callable[[str], Address], new_version, figures
) -> None:
    chart, tag = new_version
    town.settle("ann", "bob")
    people = list(town.people.values())
    deployments = [f"mailraven-{role}" for role in ROLES]

    def tags() -> set[str]:
        pods = cluster.items("pods", "app.kubernetes.io/name=mailraven")
        images = [pod["spec"]["containers"][0]["image"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        return {image.rpartition(":")[2] for image in images if "/mailraven-" in image}

    with (
        Traffic(address("smtp"), address("imaps"), people, name="in") as inbound,
        Traffic(address("submission"), address("imaps"), people, name="out", submitter=people[0]) as outbound,
    ):
        old = tags()
        values = ["--reuse-values", "--set", f"image.tag={tag},operator.image.tag={tag}"]
        cluster.helm("upgrade", "mailraven", chart, *values, "--wait", "--timeout", "300s")
        cluster.rolled_out(*deployments)
        assert tag in tags()
        cluster.helm("rollback", "mailraven", "--wait", "--timeout", "300s")
        cluster.rolled_out(*deployments)
        assert tags() >= old
    for name, traffic in (("mail from outside", inbound), ("submitted mail", outbound)):
        result = traffic.settle(120)
        assert (result.missing, result.duplicated) == ((), ())
        figures(
            f"helm upgrade and rollback, {name}",
            f"{result.acknowledged} acknowledged, 0 lost, 0 twice, longest wait {result.longest_gap} s",
        )
