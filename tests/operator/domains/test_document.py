"""A MailDomain as the body of the API, and the API's words as those of the resource."""

from typing import Any

import pytest

from mailraven_api.kubernetes import MailDomain
from mailraven_operator.domains.document import differing_fields, refusal, spec_field, wanted_document
from mailraven_operator.domains.usage import settled_octets
from mailraven_operator.outcome import Problem
from mailraven_operator.server import ServerRefused

_NAMESPACE = {"labels": {"mailraven.io/namespace": "team"}}


def parsed(spec: dict[str, Any], **metadata: Any) -> MailDomain:
    """A MailDomain in the namespace team."""
    return MailDomain.parse(
        {
            "apiVersion": "mailraven.io/v1alpha1",
            "kind": "MailDomain",
            "metadata": {"name": "example.org", "namespace": "team", **metadata},
            "spec": spec,
        }
    )


@pytest.mark.parametrize(
    ("spec", "body"),
    [
        ({}, {}),
        ({"domain": "other.org"}, {}),
        ({"suspended": True}, {"status": "suspended"}),
        ({"suspended": False}, {"status": "active"}),
        ({"defaultQuota": "2Gi", "maxUsers": 5}, {"default_quota_bytes": 2**31, "max_users": 5}),
        ({"defaultQuota": "none"}, {"default_quota_bytes": None}),
        ({"catchAll": "a@example.org"}, {"catch_all": "a@example.org"}),
        ({"aliases": ["z.org", "b.org", "z.org"]}, {"aliases": ["b.org", "z.org"]}),
        (
            {"security": {"dkim": {"keySize": 4096, "selectorPrefix": "x", "rotationDays": 9}}},
            {"security": {"dkim": {"key_size": 4096}}},
        ),
        ({"security": {"spam": {"rejectScore": 9}}}, {"security": {"spam": {"reject_score": 9.0}}}),
        (
            {"limits": {"messagesPerAccount": [{"count": 5, "window": "2h"}]}},
            {"limits": {"messages_per_account": [{"count": 5, "window_minutes": 120}]}},
        ),
        ({"tls": {"selfSigned": True}, "reclaimPolicy": "Delete", "allowedNamespaces": {"from": "All"}}, {}),
    ],
)
def test_only_what_is_set_is_sent(spec: dict[str, Any], body: dict[str, Any]) -> None:
    assert wanted_document(parsed(spec)) == body | _NAMESPACE


def test_labels_go_along_and_the_namespace_cannot_be_feigned():
    resource = parsed({}, labels={"tier": "gold", "mailraven.io/namespace": "victim"})
    assert wanted_document(resource)["labels"] == {"tier": "gold", "mailraven.io/namespace": "team"}


def test_the_server_keeps_only_so_many_labels():
    with pytest.raises(Problem, match=r"metadata\.labels") as caught:
        wanted_document(parsed({}, labels={f"l{number}": "x" for number in range(64)}))
    assert caught.value.reason == "InvalidSpec"


def test_drift_is_told_in_the_words_of_the_resource():
    before = {"status": "suspended", "max_users": 5, "labels": {}}
    assert differing_fields(before, {"max_users": 5, "catch_all": "a@b.c"}) == ("spec.catchAll", "spec.suspended")


@pytest.mark.parametrize(
    ("pointer", "field"),
    [
        ("", "spec"),
        ("/default_quota_bytes", "spec.defaultQuota"),
        ("/security/dkim/key_size", "spec.security.dkim.keySize"),
        ("/aliases/0", "spec.aliases[0]"),
    ],
)
def test_fields(pointer: str, field: str) -> None:
    assert spec_field(pointer) == field


@pytest.mark.parametrize(
    ("error", "spec", "expected"),
    [
        (ServerRefused(409, "Conflict", "domain x exists"), {}, ("Conflict", "domain x exists")),
        (
            ServerRefused(422, "", "/security/dkim/key_size: too small", "/security/dkim/key_size"),
            {},
            ("InvalidSpec", "spec.security.dkim.keySize: too small"),
        ),
        (ServerRefused(422, "", "no address"), {"catchAll": "x"}, ("InvalidSpec", "spec.catchAll: no address")),
        (
            ServerRefused(422, "", "its own name"),
            {"catchAll": "x", "aliases": ["example.org"]},
            ("InvalidSpec", "spec.aliases: its own name"),
        ),
        (
            ServerRefused(422, "", "an address"),
            {"catchAll": "x", "domain": "192.0.2.1"},
            ("InvalidSpec", "spec.domain: an address"),
        ),
        (ServerRefused(403, "Forbidden", ""), {}, None),
    ],
)
def test_refusals(error: ServerRefused, spec: dict[str, Any], expected: tuple[str, str] | None) -> None:
    assert refusal(error, parsed(spec)) == expected


@pytest.mark.parametrize(
    ("shown", "now", "expected"),
    [
        (None, 5, 5),
        (0, 1, 1),
        (1, 0, 0),
        (1000, 90_000, 1000),
        (0, 0, 0),
        (10 * 2**20, 11 * 2**20, 11 * 2**20),
        (10 * 2**20, 11 * 2**20 - 1, 10 * 2**20),
        (500 * 2**20, 504 * 2**20, 500 * 2**20),
        (500 * 2**20, 494 * 2**20, 494 * 2**20),
    ],
)
def test_a_figure_that_moves_with_each_message_is_not_written_each_time(
    shown: int | None, now: int, expected: int
) -> None:
    assert settled_octets(shown, now) == expected
