"""Whom callbacks may go to; pure. A URL comes from a client, and must not reach what only this machine can reach."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from tasks.callbacks.url import CallbackUrl, UrlRefused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: What `is_global` takes for global, in some versions of Python: Azure's host agent, which answers within that cloud
#: alone (learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16), and IETF's assignments, among
#: which is the metadata address of Oracle's cloud.
_LOCAL_ALL_THE_SAME = tuple(IPv4Network(text) for text in ("168.63.129.16/32", "192.0.0.0/24"))
#: All that is given to the internet of IPv6's addresses (iana.org/assignments/ipv6-address-space), and therein the ways
#: through to IPv4's, Teredo and 6to4.
_GLOBAL_6 = IPv6Network("2000::/3")
_TUNNELS_6 = tuple(IPv6Network(text) for text in ("2001::/32", "2002::/16"))

#: Of IPv6, ranges whose last 32 bits are an IPv4 address that is reached through them: RFC 6052, RFC 8215, RFC 4291.
_CARRIERS = tuple(IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96"))

_HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True)
class Receivers:
    """Those that the operator allows beside the public ones, and by `http` too.

    Attributes:
        networks: Whoever has an address there.
        hosts: Whoever has one of these names, whatever its address.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    def are_allowed(self, host: str, address: Address | None = None) -> bool:
        """Whether a receiver is one of them, by its name or by its address."""
        if host in self.hosts:
            return True
        return address is not None and any(_plain(address) in network for network in self.networks)

    def may_call(self, url: CallbackUrl, address: Address) -> bool:
        """Whether a callback may be sent to this address, which the URL's host has."""
        return self.are_allowed(url.host, address) or (url.scheme == "https" and is_public(address))

    def check(self, url: CallbackUrl) -> None:
        """Refuse what no look-up of a name could make a receiver.

        Raises:
            UrlRefused: an address or a name of this machine or its networks, or `http` to others than those allowed.
        """
        address = literal_address(url.host)
        if self.are_allowed(url.host, address):
            return
        if address is not None and not is_public(address):
            raise UrlRefused("one with a private address")
        if url.host == "localhost" or url.host.endswith(".localhost"):
            raise UrlRefused("one of the server's own machine")
        # A name may have an address in one of the networks.
        if url.scheme == "http" and (address is not None or not self.networks):
            raise UrlRefused("an http one")


def parse_receivers(text: str) -> Receivers:
    """The receivers from comma-separated names, addresses and networks (`10.0.0.0/8`).

    Raises:
        ValueError: an entry is none of these; the sentence names it.
    """
    networks: list[Network] = []
    hosts = set()
    for entry in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ip_network(entry))
        except ValueError:
            if "/" in entry or not _HOST.fullmatch(entry.lower()):
                raise ValueError(
                    "is expected as comma-separated names of hosts and networks such as 10.0.0.0/8, whose bits behind "
                    f"the prefix are 0; {entry[:80]!r} is neither."
                ) from None
            hosts.add(entry.lower())
    return Receivers(tuple(networks), frozenset(hosts))


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could reach this address, and would reach the same."""
    plain = _plain(address)
    if isinstance(plain, IPv6Address):
        is_odd = plain not in _GLOBAL_6 or any(plain in tunnel for tunnel in _TUNNELS_6)
    else:
        is_odd = plain.is_multicast or any(plain in network for network in _LOCAL_ALL_THE_SAME)
    return plain.is_global and not is_odd


def literal_address(host: str) -> Address | None:
    """The address that a host is written as, also in the old ways that resolvers take: 127.1, 0x7f000001; or None."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    # ::1 and :: are IPv6's own.
    if int(address) > 1 and any(address in carrier for carrier in _CARRIERS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
