"""Pods go and come while mail is sent and read: nothing that was acknowledged is lost or there twice."""

import random
import time
from collections.abc import Callable

from mailraven.testing.cluster import Cluster, until
from mailraven.testing.traffic import Address, Result, Traffic

ROLES = ("mx", "submission", "imap", "delivery", "admin", "operator")
KILL_SECONDS = 60.0
KILL_PAUSE = 4.0  # a pod that is gone takes about as long to be replaced and ready here


def whole(result: Result) -> str:
    """For the table; nothing may be lost or doubled."""
    assert result.acknowledged > 50
    assert result.missing == ()
    assert result.duplicated == ()
    connections = sum(result.reconnects.values())
    return (
        f"{result.acknowledged} acknowledged, 0 lost, 0 twice, {connections} reconnections, "
        f"longest wait of a sender {result.longest_gap} s"
    )


def test_every_deployment_is_restarted(town, cluster: Cluster, address: Callable[[str], Address], figures) -> None:
    town.settle("ann", "bob")
    people = list(town.people.values())
    deployments = [f"mailraven-{role}" for role in ROLES]
    with (
        Traffic(address("smtp"), address("imaps"), people, name="in") as inbound,
        Traffic(address("submission"), address("imaps"), people, name="out", submitter=people[0]) as outbound,
    ):
        for name in deployments:
            cluster.kubectl("rollout", "restart", f"deployment/{name}")
        cluster.rolled_out(*deployments)
    figures("rollout restart of all, mail from outside", whole(inbound.settle()))
    figures("rollout restart of all, submitted mail", whole(outbound.settle()))


def test_pods_are_killed_at_random(town, cluster: Cluster, address: Callable[[str], Address], figures) -> None:
    town.settle("ann", "bob")
    people = list(town.people.values())
    chance = random.Random(7421)
    killed = 0
    with (
        Traffic(address("smtp"), address("imaps"), people, name="in") as inbound,
        Traffic(address("submission"), address("imaps"), people, name="out", submitter=people[0]) as outbound,
    ):
        end = time.monotonic() + KILL_SECONDS
        while time.monotonic() < end:
            role = chance.choice(ROLES)
            pods = [
                pod["metadata"]["name"]
                for pod in cluster.items("pods", f"app.kubernetes.io/component={role}")
                if pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
            ]
            if pods:
                # At once, without a goodbye: what kill -9 and a lost node are.
                cluster.kubectl("delete", "pod", chance.choice(pods), "--grace-period=0", "--force")
                killed += 1
            following = time.monotonic() + KILL_PAUSE
            until(lambda due=following: time.monotonic() > due, "time", 2 * KILL_PAUSE)
        cluster.rolled_out(*(f"mailraven-{role}" for role in ROLES))
    figures(f"{killed} pods killed, mail from outside", whole(inbound.settle()))
    figures(f"{killed} pods killed, submitted mail", whole(outbound.settle(120)))
