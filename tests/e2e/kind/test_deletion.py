"""What happens to the mail when resources go follows their reclaim policy."""

import smtplib
from collections.abc import Callable

from mailraven.testing.cluster import Cluster, until
from mailraven.testing.traffic import Address, subjects


def arrives(address: Callable[[str], Address], town, subject: str) -> None:
    ann = town.people["ann"]
    with smtplib.SMTP(*address("smtp"), timeout=30) as client:
        client.sendmail("x@elsewhere.example", [ann.address], f"Subject: {subject}\r\n\r\nhello\r\n")
    until(lambda: subject in subjects(address("imaps"), ann), "mail", 30)


def test_retained_mail_is_found_again(town, cluster: Cluster, address: Callable[[str], Address]) -> None:
    town.settle("ann")
    arrives(address, town, "before")
    cluster.kubectl("delete", "mailuser", town.name("ann"), "--timeout=60s")
    cluster.kubectl("delete", "maildomain", town.domain, "--timeout=60s")
    town.settle("ann")
    assert subjects(address("imaps"), town.people["ann"]) == ["before"]
    arrives(address, town, "after")


def test_deleted_mail_is_gone(town, cluster: Cluster, admin, address: Callable[[str], Address]) -> None:
    town.settle("ann", reclaimPolicy="Delete")
    cluster.apply(town.mail_user("ann", reclaimPolicy="Delete"))
    cluster.wait_ready("mailuser", town.name("ann"))
    arrives(address, town, "before")
    cluster.kubectl("delete", "mailuser", town.name("ann"), "--timeout=60s")
    assert not admin.finds(f"/accounts/{town.people['ann'].address}")
    cluster.kubectl("delete", "maildomain", town.domain, "--timeout=60s")
    assert not admin.finds(f"/domains/{town.domain}")
    town.settle("ann")
    assert subjects(address("imaps"), town.people["ann"]) == []
