"""Who may have which address, domain, role and account."""

from typing import Any

import pytest

from mailraven_operator.outcome import Problem
from mailraven_operator.users.belonging import (
    check_claim,
    check_on_server,
    check_role,
    first_claimant,
    place_in,
    refused_account,
)
from mailraven_operator.world import World

ANN = "ann@example.org"
_ages = iter(range(10_000))


def take(world: World, kind: str, namespace: str, name: str, spec: dict[str, Any], created: str = "") -> None:
    age = next(_ages)
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{namespace}-{name}",
        "resourceVersion": str(age + 1),
        "creationTimestamp": created or f"2026-01-01T{age // 3600:02}:{age // 60 % 60:02}:{age % 60:02}Z",
    }
    world.take(kind, {"apiVersion": "mailraven.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})


@pytest.fixture
def world() -> World:
    """example.org in team, which lets in namespaces labelled mail=yes, as guests is."""
    made = World()
    allowed = {"from": "Selector", "selector": {"matchLabels": {"mail": "yes"}}}
    take(made, "MailDomain", "team", "example.org", {"aliases": ["example.net"], "allowedNamespaces": allowed})
    for name, labels in (("guests", {"mail": "yes"}), ("others", {})):
        metadata = {"name": name, "uid": name, "resourceVersion": "1", "labels": labels}
        made.take("Namespace", {"kind": "Namespace", "metadata": metadata})
    return made


@pytest.mark.parametrize(
    ("namespace", "domain", "outcome"),
    [
        ("team", "example.org", True),
        ("guests", "example.org", False),
        ("others", "example.org", "DomainNotAllowed"),
        ("unknown", "example.org", "DomainNotAllowed"),
        ("home", "example.org", "DomainNotAllowed"),
        ("team", "elsewhere.example", "DomainNotFound"),
        ("team", "example.net", "InvalidSpec"),
        ("others", "example.net", "DomainNotAllowed"),
    ],
)
def test_places(world: World, namespace: str, domain: str, outcome: bool | str) -> None:
    if isinstance(outcome, bool):
        assert place_in(world, namespace, "home", domain).owned is outcome
        return
    with pytest.raises(Problem) as raised:
        place_in(world, namespace, "home", domain)
    assert raised.value.reason == outcome


@pytest.mark.parametrize(
    ("role", "namespace", "allowed"),
    [
        ("user", "guests", True),
        ("domain-admin", "guests", False),
        ("domain-admin", "team", True),
        ("super-admin", "team", False),
    ],
)
def test_roles(world: World, role: str, namespace: str, allowed: bool) -> None:
    place = place_in(world, namespace, "home", "example.org")
    if allowed:
        check_role(role, namespace, "home", place)
        return
    with pytest.raises(Problem) as raised:
        check_role(role, namespace, "home", place)
    assert raised.value.reason == "NamespaceNotAllowed"


def test_the_first_of_those_that_are_let_in_has_the_address(world: World) -> None:
    assert first_claimant(world, ANN) is None
    take(world, "MailUser", "others", "squatter", {"address": ANN})
    assert first_claimant(world, ANN) == ("others", "squatter")  # alone, it is told why it may not
    take(world, "MailUser", "guests", "second", {"address": "two@example.org", "aliases": ["Ann@example.org"]})
    take(world, "MailUser", "team", "first", {"address": ANN}, "2025-12-31T00:00:00Z")
    assert first_claimant(world, ANN) == ("team", "first")
    check_claim(world, ANN, ("team", "first"))
    with pytest.raises(Problem, match="team/first") as raised:
        check_claim(world, ANN, ("guests", "second"))
    assert raised.value.reason == "Conflict"


def test_what_does_not_fit_its_model_keeps_its_claim(world: World) -> None:
    take(world, "MailUser", "team", "old", {"address": ANN, "unknown": 1})
    take(world, "MailUser", "team", "new", {"address": ANN})
    assert first_claimant(world, ANN) == ("team", "old")


@pytest.mark.parametrize(
    ("namespace", "owned", "label", "role", "synced", "refused"),
    [
        ("guests", False, "guests", "user", None, False),
        ("guests", False, "team", "user", None, True),
        ("guests", False, "team", "user", ANN, True),
        ("guests", False, None, "user", None, True),
        ("guests", False, None, "user", ANN, False),
        ("team", True, "guests", "user", None, False),
        ("team", True, None, "domain-admin", None, False),
        ("team", True, "team", "super-admin", ANN, True),
        ("home", False, "guests", "super-admin", None, False),
    ],
)
def test_accounts_that_are_there(
    namespace: str, owned: bool, label: str | None, role: str, synced: str | None, refused: bool
) -> None:
    labels = {} if label is None else {"mailraven.io/namespace": label}
    why = refused_account(
        {"address": ANN, "role": role, "labels": labels},
        namespace=namespace,
        home="home",
        owned=owned,
        synced_address=synced,
    )
    assert (why is not None) is refused


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "DomainNotFound"),
        ({"spec": {"labels": {"mailraven.io/namespace": "thief"}}, "users": 0}, "DomainNotAllowed"),
        ({"spec": {}, "users": 3}, "DomainNotAllowed"),
        ({"spec": {"labels": {"mailraven.io/namespace": "team"}}, "users": 3}, None),
    ],
)
def test_the_domain_on_the_server(world: World, found: dict[str, Any] | None, reason: str | None) -> None:
    place = place_in(world, "guests", "home", "example.org")
    if reason is None:
        assert check_on_server(place, "home", found) == found
        return
    with pytest.raises(Problem) as raised:
        check_on_server(place, "home", found)
    assert raised.value.reason == reason
