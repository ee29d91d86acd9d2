"""What MailRaven stands on goes away and comes back: everything converges, nothing acknowledged is lost."""

import time
from collections.abc import Callable

from mailraven.testing.cluster import Cluster, run, until
from mailraven.testing.traffic import Address, Traffic, subjects

Ports = Callable[[str], Address]
S3_SECONDS = 30.0
LARGE = 100_000  # octets: goes to the blob store


def test_postgres_is_restarted(town, cluster: Cluster, address: Ports, figures) -> None:
    town.settle("ann")
    with Traffic(address("smtp"), address("imaps"), list(town.people.values()), name="pg") as traffic:
        until(lambda: traffic.acknowledged() > 20, "traffic", 30)
        cluster.kubectl("delete", "pod", "-l", "app.kubernetes.io/component=postgres", "--wait=false")
        before = traffic.acknowledged()
        begin = time.monotonic()
        until(lambda: traffic.acknowledged() > before + 20, "mail is taken again", 120)
        seconds = time.monotonic() - begin
    result = traffic.settle(120)
    assert (result.missing, result.duplicated) == ((), ())
    figures("Postgres restarted", f"{result.acknowledged} acknowledged, 0 lost; mail again after {seconds:.0f} s")


def test_s3_is_gone_for_a_while(town, cluster: Cluster, address: Ports, figures) -> None:
    town.settle("ann")
    deployment = "deployment/mailraven-s3"
    cluster.kubectl("scale", deployment, "--replicas=0")
    try:
        until(lambda: not cluster.items("pods", "app.kubernetes.io/component=s3"), "no S3", 60)
        people = list(town.people.values())
        with (
            Traffic(address("smtp"), address("imaps"), people, name="small") as small,
            Traffic(address("smtp"), address("imaps"), people, name="large", senders=1, size=LARGE) as large,
        ):
            begin = time.monotonic()
            until(lambda: time.monotonic() - begin > S3_SECONDS, "time", 2 * S3_SECONDS)
            without = large.acknowledged()
            assert small.acknowledged() > 20  # small messages do not need it
            cluster.kubectl("scale", deployment, "--replicas=1")
            until(lambda: large.acknowledged() > without, "large mail is taken again", 120)
    finally:
        cluster.kubectl("scale", deployment, "--replicas=1")
        cluster.rolled_out("mailraven-s3")
    assert without == 0
    for traffic in (small, large):
        result = traffic.settle(120)
        assert (result.missing, result.duplicated) == ((), ())
    figures(
        f"S3 gone for {S3_SECONDS:.0f} s",
        f"{small.acknowledged()} small and then {large.acknowledged()} large acknowledged, 0 lost",
    )


def test_the_operator_dies_in_the_middle(new_town, cluster: Cluster, address: Ports, figures) -> None:
    towns = [new_town() for _ in range(5)]
    for town in towns:
        cluster.apply(town.mail_domain(), town.secret("ann", "correct-horse-7421-battery"), town.mail_user("ann"))
    cluster.kubectl(
        "delete", "pod", "-l", "app.kubernetes.io/component=operator", "--grace-period=0", "--force", "--wait=false"
    )
    begin = time.monotonic()
    for town in towns:
        cluster.wait_ready("maildomain", town.domain, 90)
        cluster.wait_ready("mailuser", town.name("ann"), 90)
    figures("operator killed while 10 resources were new", f"all Ready after {time.monotonic() - begin:.0f} s")


def test_the_api_server_is_restarted(town, cluster: Cluster, address: Ports, figures) -> None:
    town.settle("ann")
    node = cluster.kubectl("get", "nodes", "-l", "node-role.kubernetes.io/control-plane", "-o", "name").strip()
    container = node.removeprefix("node/")
    crictl = ["docker", "exec", container, "crictl"]
    [found] = [line.split()[0] for line in run([*crictl, "ps"]).splitlines() if "kube-apiserver" in line]
    with Traffic(address("smtp"), address("imaps"), list(town.people.values()), name="api") as traffic:
        begin = time.monotonic()
        run([*crictl, "stop", found])
        until(lambda: cluster.kubectl("get", "--raw", "/readyz") == "ok", "the API server", 120)
        cluster.apply(town.secret("bob", "correct-horse-7421-battery"), town.mail_user("bob"))
        cluster.wait_ready("mailuser", town.name("bob"), 120)
        seconds = time.monotonic() - begin
    result = traffic.settle()
    assert (result.missing, result.duplicated) == ((), ())
    assert len(subjects(address("imaps"), town.people["ann"])) >= result.acknowledged
    figures("API server restarted", f"a new MailUser Ready {seconds:.0f} s after, {result.acknowledged} mails went on")


def test_what_was_changed_by_hand_on_the_server_is_repaired(town, cluster: Cluster, admin) -> None:
    town.settle("ann")
    account = f"/accounts/{town.people['ann'].address}"
    admin.call("PATCH", account, {"display_name": "Somebody Else", "suspended": True})
    cluster.kubectl("annotate", "mailuser", town.name("ann"), "mailraven.io/look=now")
    until(lambda: not admin.call("GET", account)["suspended"], "the drift is repaired", 60)
