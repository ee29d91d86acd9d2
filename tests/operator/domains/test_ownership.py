"""Who has a name: among resources, on the server, in certificates."""

from collections.abc import Callable
from typing import Any

import pytest

from mailraven_api.kubernetes import MailDomain
from mailraven_operator.domains.certificate_names import covers, denied_names, wanted_names
from mailraven_operator.domains.ownership import Conflict, find_conflict, owners_of, refused_adoption, waits_for_name
from mailraven_operator.world import World

_LABEL = "mailraven.io/namespace"


def document(name: str, *, namespace: str = "team", day: int = 1, conditions: Any = (), **spec: Any) -> dict[str, Any]:
    """A MailDomain made on that day, with the aliases that it asks for."""
    return {
        "apiVersion": "mailraven.io/v1alpha1",
        "kind": "MailDomain",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"{namespace}-{name}-{day}",
            "resourceVersion": "1",
            "generation": 1,
            "creationTimestamp": f"2026-01-{day:02}T00:00:00Z",
        },
        "spec": spec,
        "status": {"conditions": list(conditions), "aliases": list(spec.get("aliases", ()))},
    }


def serving(resource: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same with a certificate."""
    certificate = {"fingerprint": "0", "names": list(names), "notAfter": "2027-01-01T00:00:00Z"}
    return resource | {"status": resource["status"] | {"certificate": certificate}}


def world_of(*documents: dict[str, Any]) -> tuple[World, Callable[[str, str], MailDomain]]:
    """And how to find a resource in it."""
    world = World()
    for one in documents:
        world.take("MailDomain", one)
    return world, lambda namespace, name: world.domains[namespace, name]


def test_the_oldest_has_a_name_by_whatever_claim():
    world, find = world_of(
        document("example.org", namespace="a", day=1, aliases=["example.net"]),
        document("example.org", namespace="b", day=2),
        document("example.net", namespace="c", day=3),
        document("other.org", namespace="d", day=4, aliases=["free.org", "example.org"]),
    )
    owner_of = owners_of(world)
    owner = ("a", "example.org")
    assert find_conflict(find("a", "example.org"), owner_of) is None
    assert find_conflict(find("b", "example.org"), owner_of) == Conflict("example.org", owner)
    assert find_conflict(find("c", "example.net"), owner_of) == Conflict("example.net", owner)
    assert find_conflict(find("d", "other.org"), owner_of) == Conflict("example.org", owner)


def test_a_resource_that_does_not_fit_its_model_keeps_its_names():
    world, find = world_of(
        document("example.org", namespace="a", day=1, maxUsers="many"), document("example.org", namespace="b", day=2)
    )
    assert find_conflict(find("b", "example.org"), owners_of(world)) == Conflict("example.org", ("a", "example.org"))


@pytest.mark.parametrize(
    ("labels", "users", "namespace", "refused"),
    [
        ({_LABEL: "team"}, 5, "team", False),
        ({_LABEL: "victim"}, 0, "team", True),
        ({_LABEL: "victim"}, 5, "mail-system", False),
        (None, 0, "team", False),
        ({}, 5, "team", True),
        ({"x": "y"}, 5, "mail-system", False),
    ],
)
def test_a_domain_that_the_server_keeps_is_for_its_namespace(
    labels: Any, users: int, namespace: str, refused: bool
) -> None:
    resource = MailDomain.parse(document("example.org", namespace=namespace))
    found = {"spec": {} if labels is None else {"labels": labels}, "users": users}
    objection = refused_adoption(resource, found, "mail-system")
    assert (objection is not None) is refused
    assert "victim" not in (objection or "")  # not whose it is


def test_a_new_domain_is_for_everybody():
    assert refused_adoption(MailDomain.parse(document("example.org")), None, "mail-system") is None


def test_who_waits_for_a_name():
    waiting = {
        "type": "Ready",
        "status": "False",
        "reason": "Conflict",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    assert waits_for_name(MailDomain.parse(document("a.org", conditions=[waiting])))
    assert not waits_for_name(MailDomain.parse(document("a.org", conditions=[waiting | {"reason": "SecretNotFound"}])))


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({}, ("mail.example.org",)),
        ({"hostname": "mx.example.org"}, ("mx.example.org",)),
        ({"hostname": "mx.example.net", "aliases": ["example.net"]}, ("mx.example.net",)),
        ({"hostname": "mx.provider.net"}, ("mail.example.org",)),
        ({"hostname": "mx.provider.net", "tls": {"dnsNames": ["imap.example.org"]}}, ("imap.example.org",)),
        (
            {"hostname": "mx.example.org", "tls": {"dnsNames": ["IMAP.example.org.", "mx.example.org"]}},
            ("mx.example.org", "imap.example.org"),
        ),
    ],
)
def test_names_that_a_certificate_should_have(spec: dict[str, Any], names: tuple[str, ...]) -> None:
    assert wanted_names(MailDomain.parse(document("example.org", **spec))) == names


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("example.org", True),
        ("mail.example.org", True),
        ("a.b.example.org", True),
        ("*.example.org", True),
        ("MAIL.Example.ORG.", True),
        ("mail.example.net", True),
        ("example.com", False),
        ("notexample.org", False),
        ("example.org.evil.test", False),
        ("*", False),
        ("*.org", False),
        ("*.*.example.org", False),
        ("m*.example.org", False),
        ("a b.example.org", False),
        ("", False),
    ],
)
def test_only_names_of_the_own_domain(name: str, allowed: bool) -> None:
    world, find = world_of(document("example.org", aliases=["example.net"]), document("example.com", day=2))
    denied = denied_names((name,), find("team", "example.org"), owners_of(world))
    assert (denied == ()) is allowed
    assert [one.name for one in denied] == ([] if allowed else [name])


def test_a_part_of_a_domain_that_is_a_domain_of_its_own_has_its_names():
    world, find = world_of(
        document("example.org", namespace="a", day=1), document("team.example.org", namespace="b", day=2)
    )
    owner_of = owners_of(world)
    parent, part = find("a", "example.org"), find("b", "team.example.org")
    assert denied_names(("mail.team.example.org", "team.example.org"), part, owner_of) == ()
    denied = denied_names(("www.team.example.org", "www.example.org"), parent, owner_of)
    assert [one.name for one in denied] == ["www.team.example.org"]
    assert "b/team.example.org" in denied[0].reason
    assert denied_names(("www.example.org",), part, owner_of) != ()


@pytest.mark.parametrize(
    ("spec", "served"),
    [
        ({}, "mail.example.org"),
        ({"hostname": "mx.example.org", "tls": {"dnsNames": ["*.example.org"]}}, "*.example.org"),
    ],
)
def test_nobody_takes_a_mail_host_away_by_a_domain_of_its_name(spec: dict[str, Any], served: str) -> None:
    world, find = world_of(
        serving(document("example.org", namespace="a", day=1, **spec), served),
        document("mail.example.org", namespace="b", day=2),
    )
    owner_of = owners_of(world)
    name = ("mail.example.org",)
    assert denied_names(name, find("a", "example.org"), owner_of) == ()
    assert denied_names(name, find("b", "mail.example.org"), owner_of) != ()
    assert denied_names(("imap.mail.example.org",), find("b", "mail.example.org"), owner_of) == ()


def test_nobody_takes_a_name_away_by_asking_for_it_later():
    """The older resource has the domain above, and adds a name of the younger one, or of a server in it."""
    names = ("mail.victim.example", "*.victim.example", "victim.example")
    above = document("example", namespace="thief", day=1, tls={"dnsNames": list(names)})
    world, find = world_of(serving(above, "mail.example"), document("victim.example", namespace="victim", day=2))
    owner_of = owners_of(world)
    assert [one.name for one in denied_names(names, find("thief", "example"), owner_of)] == list(names)
    assert denied_names(names, find("victim", "victim.example"), owner_of) == ()


def test_the_host_name_of_the_server_is_reserved():
    world, find = world_of(document("example.org", hostname="mail.example.org"), document("mail.example.org"))
    owner_of, host = owners_of(world), "mail.example.org"
    resource = find("team", "example.org")
    names = ("mail.example.org", "*.example.org", "MAIL.example.org.", "imap.example.org", "*.mail.example.org")
    assert [one.name for one in denied_names(names[:4], resource, owner_of, host)] == list(names[:3])
    own = find("team", "mail.example.org")
    assert [one.name for one in denied_names((names[0], names[4]), own, owner_of, host)] == ["mail.example.org"]
    assert wanted_names(resource, host) == ()
    assert wanted_names(resource, "mx.example.org") == ("mail.example.org",)
    asking = document("example.org", hostname=host, tls={"dnsNames": ["imap.example.org"]})
    assert wanted_names(MailDomain.parse(asking), host) == ("imap.example.org",)
    asking["spec"]["tls"]["dnsNames"].append(host)
    assert host in wanted_names(MailDomain.parse(asking), host)  # to be told that it may not


def test_the_older_part_keeps_its_name():
    world, find = world_of(
        document("mail.example.org", namespace="b", day=1), document("example.org", namespace="a", day=2)
    )
    owner_of = owners_of(world)
    assert denied_names(("mail.example.org",), find("a", "example.org"), owner_of) != ()
    assert denied_names(("mail.example.org",), find("b", "mail.example.org"), owner_of) == ()


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("a.org", "a.org", True),
        ("*.a.org", "b.a.org", True),
        ("*.a.org", "a.org", False),
        ("*.a.org", "c.b.a.org", False),
        ("b.a.org", "*.a.org", False),
    ],
)
def test_wildcards(pattern: str, name: str, expected: bool) -> None:
    assert covers(pattern, name) is expected
