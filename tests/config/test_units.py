"""Sizes, durations, host names, endpoints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailraven.config.units import parse_duration, parse_endpoint, parse_hostname, parse_size, split_commas


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("0", 0),
        ("32768", 32768),
        ("50MiB", 52_428_800),
        ("50 mib", 52_428_800),
        ("1GB", 10**9),
        ("1.5k", 1536),
        ("7B", 7),
    ],
)
def test_a_size_has_a_unit_or_is_in_octets(text: str, octets: int) -> None:
    assert parse_size(text) == octets


@pytest.mark.parametrize("text", ["", "MiB", "-1", "5 apples", "1e3", "0x10", "1MiB2"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("0.5", 0.5), ("250ms", 0.25), ("30s", 30), ("1h30m", 5400), ("5d", 432_000), ("2w", 1_209_600)],
)
def test_a_duration_has_units_or_is_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "5x", "-5s", "1h, 2m", "5 minutes", "1h30"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


@given(st.text(max_size=30))
def test_no_text_breaks_a_parser(text: str) -> None:
    for parse in (parse_size, parse_duration, parse_hostname, parse_endpoint):
        try:
            parse(text)
        except ValueError:
            continue


def test_a_hostname_is_lowered_and_loses_its_dot() -> None:
    assert parse_hostname("MX.Example.ORG.") == "mx.example.org"


@pytest.mark.parametrize("text", ["", "a b", "-a.example", "a_b.example", "a..b", "x" * 64, "bücher.example"])
def test_what_is_no_hostname_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a host name"):
        parse_hostname(text)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [("127.0.0.1:53", "127.0.0.1:53"), ("ns.x:053", "ns.x:53"), ("[::1]:53", "[::1]:53")],
)
def test_an_endpoint_is_host_and_port(text: str, endpoint: str) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize("text", ["127.0.0.1", ":53", "::1:53", "a:0", "a:65536", "a:x", "a:\uff15\uff13"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_endpoint(text)


def test_commas_make_a_list() -> None:
    assert split_commas(" a, b,,c ") == ["a", "b", "c"]
    assert split_commas(["a"]) == ["a"]
