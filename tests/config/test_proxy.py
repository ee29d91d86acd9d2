"""proxy_protocol of the listeners and the networks that it needs."""

from pathlib import Path

import pytest

from mailraven.config import ConfigError
from mailraven.config.loading import load
from mailraven.net.proxied import proxied_listeners

LISTENERS = ("mx", "submission", "submissions", "imap", "imaps", "http")


@pytest.mark.parametrize("name", LISTENERS)
@pytest.mark.parametrize("mode", ["accept", "require"])
def test_a_listener_with_proxies_needs_trusted_networks(name: str, mode: str) -> None:
    setting = f"listeners.{name}.proxy_protocol"
    with pytest.raises(ConfigError) as caught:
        load(assignments=[f"{setting}={mode}"])
    assert caught.value.problems == [
        f"{setting} (--set {setting}): {mode} needs proxy.trusted_networks, the addresses of the load balancers"
    ]
    config = load(assignments=[f"{setting}={mode}", "proxy.trusted_networks=10.0.0.0/8, 2001:db8::1"])
    (listener,) = proxied_listeners(config).values()
    assert (listener.name, listener.required) == (name, mode == "require")
    assert "10.1.2.3" in listener.trusted
    assert "2001:db8::1" in listener.trusted
    assert "2001:db8::2" not in listener.trusted


def test_no_listener_has_it_by_itself() -> None:
    assert proxied_listeners(load(assignments=["proxy.trusted_networks=10.0.0.0/8"])) == {}


def test_off_is_off_in_yaml_too(tmp_path: Path) -> None:
    file = tmp_path / "mailraven.yaml"
    file.write_text("listeners:\n  mx:\n    proxy_protocol: off\n", encoding="utf-8")
    assert load([file]).listeners.mx.proxy_protocol == "off"


def test_the_ops_listener_has_none() -> None:
    with pytest.raises(ConfigError, match="no such key"):
        load(assignments=["listeners.ops.proxy_protocol=accept", "proxy.trusted_networks=10.0.0.0/8"])


@pytest.mark.parametrize("text", ["10.0.0.1/8", "balancer.example.org", "10.0.0.0/40"])
def test_what_is_no_network_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"proxy\.trusted_networks\.0 .*expected a network"):
        load(assignments=[f"proxy.trusted_networks={text}"])
