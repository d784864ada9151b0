from __future__ import annotations

from ipaddress import ip_address

import pytest

from tasks.callbacks.receivers import is_public, literal_address, parse_receivers
from tasks.callbacks.url import UrlRefused, parse_url


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1"),
        *("169.254.169.254", "192.0.0.192", "100.100.100.200", "168.63.129.16", "198.18.0.1", "192.0.2.1"),
        *("224.0.0.1", "239.1.2.3", "233.252.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:7f00:1"),
        *("64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "2002:101:101::"),
    ],
)
def test_an_address_of_this_machine_or_its_networks_is_not(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "::ffff:7f00:1"])
def test_an_address_in_whatever_writing_is_seen_as_one(host: str) -> None:
    address = literal_address(host)
    assert address is not None and not is_public(address)


@pytest.mark.parametrize("host", ["hooks.example", "1.1.1.1.example", "localhost", "cafe"])
def test_a_name_is_no_address(host: str) -> None:
    assert literal_address(host) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://127.0.0.1/", "private address"),
        ("https://127.1/", "private address"),
        ("https://2130706433/", "private address"),
        ("https://[::1]/", "private address"),
        ("https://[::ffff:169.254.169.254]/", "private address"),
        ("https://10.2.0.1/", "private address"),
        ("https://localhost/", "own machine"),
        ("https://api.localhost./", "own machine"),
        ("http://hooks.example/", "http one"),
        ("http://1.1.1.1/", "http one"),
    ],
)
def test_what_can_never_be_called_is_refused_at_once(url: str, said: str) -> None:
    with pytest.raises(UrlRefused, match=said):
        parse_receivers("").check(parse_url(url))


@pytest.mark.parametrize("url", ["https://hooks.example/", "https://1.1.1.1:8443/", "https://[2606:4700::1111]/"])
def test_https_to_the_public_is_allowed(url: str) -> None:
    parse_receivers("").check(parse_url(url))


@pytest.mark.parametrize(
    "url",
    ["http://10.1.2.3/", "https://10.1.2.3/", "http://hooks.internal/", "http://localhost:9/", "http://[fd00::9]/"],
)
def test_whom_the_operator_allows_is_called_by_http_too(url: str) -> None:
    parse_receivers("10.1.0.0/16, fd00::/8, hooks.internal, LOCALHOST").check(parse_url(url))


def test_a_name_may_lead_into_an_allowed_network_and_is_checked_when_it_is_looked_up() -> None:
    receivers, url = parse_receivers("10.1.0.0/16"), parse_url("http://hooks.example/")
    receivers.check(url)
    assert receivers.may_call(url, ip_address("10.1.2.3"))
    assert receivers.may_call(url, ip_address("::ffff:10.1.2.3"))
    assert not receivers.may_call(url, ip_address("10.2.2.3"))
    # Not by http, and so not at all.
    assert not receivers.may_call(url, ip_address("1.1.1.1"))
    assert receivers.may_call(parse_url("https://hooks.example/"), ip_address("1.1.1.1"))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "a b", "http://a.example", "a..b", "ä.example"])
def test_a_receiver_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is neither"):
        parse_receivers(f"ok.example, {text}")
