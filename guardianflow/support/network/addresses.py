"""Opens connections to addresses that others name, and never into the machine's own network.

A webhook or a file's address can name 127.0.0.1, a database of the plant or a cloud's metadata
service. A name is looked up once and the very address that was judged is connected to, so that a
second answer of the name server changes nothing. Redirects are for the caller not to follow.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
from collections.abc import Sequence

_NAME = re.compile(r"[\w-]+(\.[\w-]+)*\.?", re.ASCII)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(OSError):
    """The address is a private one that nobody has allowed."""


def guard_connection(connection: http.client.HTTPConnection, allowed: Sequence[str] = ()) -> None:
    """Make a connection that is not open yet refuse private addresses; TLS checks the name as ever.

    Args:
        allowed: names ('hooks.plant.example'), addresses or networks ('10.1.0.0/16') of one's own.

    Raises:
        ForbiddenAddressError: when it connects, an OSError as other failures to connect.
    """

    def connect(
        address: tuple[str, int], timeout: float | None = None, *_: object
    ) -> socket.socket:
        return guarded_socket(address, timeout, allowed)

    connection._create_connection = connect  # type: ignore[attr-defined]


def guarded_socket(
    address: tuple[str, int], timeout_s: float | None, allowed: Sequence[str] = ()
) -> socket.socket:
    """A connection to a host and port, or to the next of its addresses where one does not answer.

    Raises:
        ForbiddenAddressError: one of its addresses is private and not allowed; none is tried.
        OSError: nobody knows the name, or none answers.
    """
    host, port = address
    *others, last = judged_addresses(host, port, allowed)
    for number in others:
        try:
            return socket.create_connection((number, port), timeout_s)
        except OSError:
            continue
    return socket.create_connection((last, port), timeout_s)


def judged_addresses(host: str, port: int, allowed: Sequence[str] = ()) -> list[str]:
    """The numbers that a name stands for, at least one, once all of them may be connected to.

    Raises:
        ForbiddenAddressError: one of its addresses is private and not allowed.
        OSError: nobody knows the name.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    numbers = list(dict.fromkeys(str(each[4][0]) for each in found))
    named = host.lower().rstrip(".") in {each.lower().rstrip(".") for each in allowed}
    for number in numbers:
        if not named and not _may_be(number, allowed):
            shown = host if host == number else f"{host} is {number}, which"
            raise ForbiddenAddressError(f"{shown} is an address of a private network")
    return numbers


def is_host_or_network(text: str) -> bool:
    """Whether a text can stand in `allowed`: a name, an address or a network."""
    return _network(text) is not None or (
        _NAME.fullmatch(text) is not None and not text.replace(".", "").isdigit()
    )


def _may_be(number: str, allowed: Sequence[str]) -> bool:
    address = _behind(ipaddress.ip_address(number.partition("%")[0]))
    if any(address in network for network in map(_network, allowed) if network is not None):
        return True
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_V6:
        return False
    return address.is_global and not address.is_multicast


def _behind(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 address leads to, where it leads to one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """None for a name."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
