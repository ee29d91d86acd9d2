"""The rules of DKIM keys, as a table: keys, wish and DNS in, actions out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailraven_api.dkim import DkimKey
from mailraven_api.dns import DnsRecord
from mailraven_operator.domains.dkim_plan import Activate, Delete, DkimWish, Make, Retire, plan_keys, waiting_keys

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def key(selector: str, state: str = "active", *, age: float = 10, **given: Any) -> DkimKey:
    """A key made `age` days ago, which changed its state at once (retired: for a week after `retired` days ago)."""
    made = NOW - timedelta(days=age)
    algorithm = given.get("algorithm", "rsa")
    retired = None if state != "retired" else NOW - timedelta(days=given.get("retired", 1))
    record = DnsRecord(
        name=f"{selector}._domainkey.example.org", type="TXT", ttl=1, value="v", purpose="dkim", required=True
    )
    return DkimKey(
        selector=selector,
        algorithm=algorithm,
        key_size=given.get("size", 2048 if algorithm == "rsa" else 256),
        state=state,
        public_key="cA==",
        record=record,
        created_at=made,
        activated_at=None if state == "pending" else made,
        retired_at=retired,
        published_until=None if retired is None else retired + timedelta(days=7),
    )


RSA = DkimWish()
BOTH = DkimWish(ed25519=True)
QUARTERLY = DkimWish(rotation_days=90)


@pytest.mark.parametrize(
    ("keys", "wish", "published", "expected"),
    [
        pytest.param([], RSA, (), [Make("rsa", 2048, None)], id="none: one is made"),
        pytest.param([key("a", "pending")], RSA, (), [Activate("a", True)], id="nothing signs: at once"),
        pytest.param([key("a")], RSA, (), [], id="all is well"),
        pytest.param([key("a", age=1000)], RSA, (), [], id="without rotation a key gets old"),
        pytest.param([key("a")], DkimWish(key_size=4096), (), [Make("rsa", 4096, None)], id="another size"),
        pytest.param(
            [key("a"), key("b", "pending", age=1, size=4096)], DkimWish(key_size=4096), (), [], id="waits for the DNS"
        ),
        pytest.param(
            [key("a"), key("b", "pending", age=1, size=4096)],
            DkimWish(key_size=4096),
            ("a", "b"),
            [Activate("b", False)],
            id="the DNS has it",
        ),
        pytest.param([key("a")], BOTH, (), [Make("ed25519", 256, None)], id="a second algorithm"),
        pytest.param(
            [key("a"), key("e", "pending", age=1, algorithm="ed25519")], BOTH, (), [], id="the second waits too"
        ),
        pytest.param(
            [key("a"), key("e", algorithm="ed25519")], RSA, (), [Retire("e")], id="the second is wanted no more"
        ),
        pytest.param(
            [key("e", algorithm="ed25519")],
            RSA,
            (),
            [Make("rsa", 2048, None)],
            id="the only one stays until there is another",
        ),
        pytest.param([key("a", age=89)], QUARTERLY, (), [], id="not yet old"),
        pytest.param([key("a", age=90)], QUARTERLY, (), [Make("rsa", 2048, None)], id="old"),
        pytest.param(
            [key("a", age=900), key("b", "pending", age=300)], QUARTERLY, (), [], id="one rotation waits: not another"
        ),
        pytest.param(
            [key("a", age=90), key("b", "pending", age=2), key("c", "pending", age=1)],
            QUARTERLY,
            ("b", "c"),
            [Activate("c", False)],
            id="the newest of those published",
        ),
        pytest.param([key("a", age=5), key("old", "pending", age=50)], RSA, ("old",), [Delete("old")], id="overtaken"),
        pytest.param(
            [key("a"), key("b", "pending", age=1, size=3072)], RSA, ("b",), [Delete("b")], id="no longer asked for"
        ),
        pytest.param([key("a", age=1), key("r", "retired", retired=6.9)], RSA, (), [], id="its mail may be on its way"),
        pytest.param([key("a", age=1), key("r", "retired", retired=7)], RSA, (), [Delete("r")], id="its time is over"),
        pytest.param([key("r", "retired")], RSA, (), [Make("rsa", 2048, None)], id="only a retired one"),
        pytest.param(
            [key("a", age=900), key("b", "pending", size=4096)],
            DkimWish(signing=False, rotation_days=1),
            ("b",),
            [],
            id="signing is off: nothing",
        ),
        pytest.param(
            [key("mr202611a", age=90)],
            DkimWish(rotation_days=90, selector_prefix="mr", ed25519=True),
            (),
            [Make("rsa", 2048, "mr202611b"), Make("ed25519", 256, "mr202611c")],
            id="selectors with the prefix",
        ),
    ],
)
def test_plan(keys: list[DkimKey], wish: DkimWish, published: tuple[str, ...], expected: list[Any]) -> None:
    assert list(plan_keys(keys, wish, published, NOW)) == expected
    assert list(plan_keys(keys[::-1], wish, published, NOW)) == expected


def test_what_waits_is_told():
    keys = (
        key("a"),
        key("b", "pending", age=1),
        key("old", "pending", age=99),
        key("e", "pending", algorithm="ed25519"),
    )
    assert [one.selector for one in waiting_keys(keys, RSA)] == ["b"]
    assert [one.selector for one in waiting_keys(keys, BOTH)] == ["b", "e"]
