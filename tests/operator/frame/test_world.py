"""What is known of the cluster, and whom a change concerns."""

from collections.abc import Iterable
from typing import Any, ClassVar

import pytest

from mailraven_api.kubernetes import MailDomain, MailUser
from mailraven_operator.context import Context
from mailraven_operator.feed import Feed
from mailraven_operator.outcome import Outcome
from mailraven_operator.work_queue import Again, Item, WorkQueue
from mailraven_operator.world import Key, World

_DEFAULT: dict[str, Any] = {"address": "ann@example.org"}


def document(kind: str, namespace: str, name: str, spec: dict[str, Any], *, version: int = 1, **metadata: Any) -> Any:
    """As the API server has it."""
    return {
        "apiVersion": "mailraven.io/v1alpha1",
        "kind": kind,
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": f"{kind}/{namespace}/{name}",
            "resourceVersion": str(version),
            "generation": 1,
            "creationTimestamp": "2026-11-01T00:00:00Z",
            **metadata,
        },
        "spec": spec,
    }


def test_the_oldest_claimant_owns_a_domain() -> None:
    world = World()
    world.take("MailDomain", document("MailDomain", "b", "example.org", {}, creationTimestamp="2026-11-02T00:00:00Z"))
    older = document("MailDomain", "a", "x", {"domain": "x.test", "aliases": ["example.org"]})
    world.take("MailDomain", older | {"status": {"aliases": ["example.org"]}})
    assert world.domain_owner_key("Example.ORG") == ("a", "x")
    assert world.domain_owner("example.org") is world.domains[("a", "x")]
    assert set(world.domain_claimants("example.org")) == {("a", "x"), ("b", "example.org")}
    world.drop("MailDomain", ("a", "x"), "")
    assert world.domain_owner_key("example.org") == ("b", "example.org")
    assert world.domain_owner("x.test") is None


def test_an_alias_counts_from_when_it_was_granted() -> None:
    world = World()
    old = {"domain": "old.test", "aliases": ["one.test", "two.test"]}
    world.take("MailDomain", document("MailDomain", "a", "old", old) | {"status": {"aliases": ["two.test"]}})
    for name in ("one.test", "two.test"):
        world.take("MailDomain", document("MailDomain", "b", name, {}, creationTimestamp="2026-11-02T00:00:00Z"))
    assert world.domain_owner_key("one.test") == ("b", "one.test")  # being old is not enough to take it away
    assert world.domain_claimants("one.test") == (("b", "one.test"), ("a", "old"))
    assert world.domain_owner_key("two.test") == ("a", "old")
    world.drop("MailDomain", ("b", "one.test"), "")
    assert world.domain_owner_key("one.test") == ("a", "old")
    # What the status says counts only for what spec says too.
    user = {"address": "old@one.test", "aliases": ["Ann@one.test"]}
    world.take("MailUser", document("MailUser", "a", "old", user) | {"status": {"aliases": ["bob@one.test"]}})
    for name in ("ann", "bob"):
        spec = {"address": f"{name}@one.test"}
        world.take("MailUser", document("MailUser", "b", name, spec, creationTimestamp="2026-11-02T00:00:00Z"))
        assert world.address_owner_key(f"{name}@one.test") == ("b", name)


def test_of_the_same_second_the_lower_uid_is_the_owner() -> None:
    world = World()
    world.take("MailDomain", document("MailDomain", "a", "one", {"domain": "example.org"}, uid="2"))
    world.take("MailDomain", document("MailDomain", "b", "two", {"domain": "example.org"}, uid="1"))
    assert world.domain_owner_key("example.org") == ("b", "two")


def test_a_resource_that_no_longer_fits_keeps_its_claims() -> None:
    world = World()
    world.take("MailDomain", document("MailDomain", "a", "example.org", {"colour": "red"}))
    world.take("MailDomain", document("MailDomain", "b", "example.org", {}, creationTimestamp="2026-11-02T00:00:00Z"))
    assert world.domain_owner("example.org") is None
    assert world.domain_owner_key("example.org") == ("a", "example.org")
    assert world.invalid["MailDomain"][("a", "example.org")].error == "spec.colour: unknown field"


def test_addresses_and_aliases_are_claimed_and_found_by_domain() -> None:
    world = World()
    world.take(
        "MailUser", document("MailUser", "a", "ann", {"address": "Ann@example.org", "aliases": ["a@example.net"]})
    )
    assert world.address_owner("ann@EXAMPLE.org") is world.users[("a", "ann")]
    assert world.address_owner_key("a@example.net") == ("a", "ann")
    assert world.users_of_domain("example.org") == (("a", "ann"),)
    world.take("MailUser", document("MailUser", "a", "ann", {"address": "Ann@example.org"}, version=2, generation=2))
    assert world.address_owner("a@example.net") is None
    world.drop("MailUser", ("a", "ann"), "")
    assert world.users_of_domain("example.org") == ()


def test_users_are_found_by_every_secret_they_name() -> None:
    world = World()
    spec = _DEFAULT | {
        "passwordSecretRef": {"name": "pw"},
        "appPasswords": [{"name": "phone", "secretName": "phone", "protocols": ["imap"]}],
    }
    world.take("MailUser", document("MailUser", "a", "ann", spec))
    world.take("MailUser", document("MailUser", "a", "bob", {"address": "b@c.d", "generatedSecret": {"name": "made"}}))
    assert world.referring("MailUser", ("a", "pw")) == (("a", "ann"),)
    assert world.referring("MailUser", ("a", "phone")) == (("a", "ann"),)
    assert world.referring("MailUser", ("a", "made")) == (("a", "bob"),)
    assert world.referring("MailUser", ("b", "pw")) == ()


def test_older_sights_are_passed_over() -> None:
    world = World()
    world.take("MailUser", document("MailUser", "a", "ann", _DEFAULT | {"displayName": "new"}, version=10))
    assert (
        world.take("MailUser", document("MailUser", "a", "ann", _DEFAULT | {"displayName": "old"}, version=9)) is None
    )
    assert world.users[("a", "ann")].spec.display_name == "new"


def test_what_is_gone_does_not_come_back_from_an_old_list() -> None:
    world = World()
    ann = document("MailUser", "a", "ann", _DEFAULT, version=5)
    world.take("MailUser", ann)
    assert world.drop("MailUser", ("a", "ann"), ann["metadata"]["uid"])
    assert world.take("MailUser", ann) is None
    assert world.take("MailUser", document("MailUser", "a", "ann", _DEFAULT, version=6, uid="another")) is not None
    # The end of the first one is heard again: it is not that of the second.
    assert not world.drop("MailUser", ("a", "ann"), ann["metadata"]["uid"])


@pytest.mark.parametrize(
    ("metadata", "status", "matters", "ready"),
    [
        ({}, {}, False, False),
        ({"generation": 2}, {}, True, False),
        ({"labels": {"team": "a"}}, {}, True, False),
        ({"annotations": {"mailraven.io/pause": "true"}}, {}, True, False),
        ({"annotations": {"kubectl.kubernetes.io/x": "y"}}, {}, False, False),
        ({"deletionTimestamp": "2026-11-21T00:00:00Z"}, {}, True, False),
        ({"uid": "another"}, {}, True, False),
        ({}, {"conditions": [{"type": "Ready", "status": "True"}]}, False, True),
        ({}, {"usedBytes": 1}, False, False),
    ],
)
def test_which_changes_matter(metadata: Any, status: Any, matters: bool, ready: bool) -> None:
    world = World()
    world.take("MailUser", document("MailUser", "a", "ann", _DEFAULT))
    changed = document("MailUser", "a", "ann", _DEFAULT, version=2, **metadata) | {"status": status}
    change = world.take("MailUser", changed)
    assert change is not None
    assert (change.matters, change.ready) == (matters, ready)


def test_labels_of_a_namespace_always_have_its_name() -> None:
    world = World()
    assert world.namespace_labels("mail") == {"kubernetes.io/metadata.name": "mail"}
    metadata = {"name": "mail", "uid": "1", "resourceVersion": "1", "labels": {"team": "a"}}
    world.take("Namespace", {"kind": "Namespace", "metadata": metadata})
    assert world.namespace_labels("mail") == {"kubernetes.io/metadata.name": "mail", "team": "a"}


class Domains:
    """A kind that is concerned with users of the domain."""

    plural: ClassVar[str] = "maildomains"
    model: ClassVar[type[Any]] = MailDomain
    finalizes: ClassVar[bool] = True

    async def reconcile(self, context: Context, resource: Any) -> Outcome:
        return Outcome()

    async def finalize(self, context: Context, resource: Any) -> None:
        return None

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        return ()


class Users(Domains):
    """A kind that is concerned with its domain."""

    plural: ClassVar[str] = "mailusers"
    model: ClassVar[type[Any]] = MailUser

    def touched_by(self, world: World, resource_kind: str, key: Key) -> Iterable[Key]:
        domain = world.domains.get(key)
        if resource_kind == "Job":
            raise RuntimeError("a defect")
        return world.users_of_domain(domain.domain) if resource_kind == "MailDomain" and domain is not None else ()


class Recorded(WorkQueue):
    def __init__(self) -> None:
        async def nothing(_item: Item) -> Again:
            return Again()

        super().__init__(nothing, concurrency=1, longest_pause=1)
        self.added: list[Item] = []

    def add(self, item: Item, *, routine: bool = False) -> None:
        self.added.append(item)

    def taken(self) -> set[Item]:
        taken, self.added = set(self.added), []
        return taken


@pytest.fixture
def feed() -> tuple[Feed, Recorded, World]:
    world, queue = World(), Recorded()
    return Feed(world, [Domains(), Users()], queue), queue, world


DOMAIN = ("MailDomain", "a", "example.org")
ANN = ("MailUser", "a", "ann")


def test_a_domain_concerns_its_users(feed: tuple[Feed, Recorded, World]) -> None:
    into, queue, _world = feed
    into.seen("MailUser", document("MailUser", "a", "ann", _DEFAULT))
    assert queue.taken() == {ANN}
    domain = document("MailDomain", "a", "example.org", {})
    into.event("MailDomain", None, domain)
    assert queue.taken() == {DOMAIN, ANN}
    into.event("MailDomain", "MODIFIED", domain)
    assert queue.taken() == set()
    ready = domain | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    ready["metadata"] = domain["metadata"] | {"resourceVersion": "2"}
    into.event("MailDomain", "MODIFIED", ready)
    assert queue.taken() == {ANN}
    into.event("MailDomain", "DELETED", ready)
    assert queue.taken() == {DOMAIN, ANN}


def test_a_list_tells_what_went_unnoticed(feed: tuple[Feed, Recorded, World]) -> None:
    into, queue, world = feed
    for number, name in enumerate(("ann", "bob", "eve"), start=1):
        spec = {"address": f"{name}@example.org"}
        into.seen("MailUser", document("MailUser", "a", name, spec, version=number * 10))
    into.seen("MailUser", document("MailUser", "b", "far", {"address": "far@example.org"}, version=5))
    queue.taken()
    # bob went; eve came after the list was made; the list is of one namespace.
    into.listed("MailUser", [document("MailUser", "a", "ann", _DEFAULT, version=10)], "25", ("a",))
    assert queue.taken() == {("MailUser", "a", "bob")}
    assert set(world.users) == {("a", "ann"), ("a", "eve"), ("b", "far")}


def test_a_defect_of_a_kind_does_not_stop_the_feed(feed: tuple[Feed, Recorded, World]) -> None:
    into, _queue, world = feed
    into.seen("Job", {"kind": "Job", "metadata": {"namespace": "a", "name": "j", "uid": "1", "resourceVersion": "3"}})
    assert world.version("Job", ("a", "j")) == "1/3"
