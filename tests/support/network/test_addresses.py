"""Addresses that others name lead out, never into the machine's own network."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import closing
from typing import Any

import pytest

from guardianflow.support.network import addresses
from guardianflow.support.network.addresses import (
    ForbiddenAddressError,
    guard_connection,
    is_host_or_network,
    judged_addresses,
)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "localhost"),
        *("10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1", "169.254.169.254"),
        *("::1", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1", "fec0::1"),
        *("64:ff9b::a00:1", "2002:a00:1::1", "::a00:1", "::ffff:0:a00:1", "64:ff9b:1::a00:1"),
    ],
)
def test_private_addresses_are_refused_however_they_are_written(host: str) -> None:
    with pytest.raises(ForbiddenAddressError, match="private network"):
        judged_addresses(host, 80)


def test_public_ones_and_allowed_ones_are_taken() -> None:
    for public in ("93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"):
        assert judged_addresses(public, 443) == [public]
    for allowed in ("127.0.0.1", "127.0.0.0/8", "LOCALHOST."):
        assert {*judged_addresses("localhost", 80, ["::1", allowed])} <= {"127.0.0.1", "::1"}
    assert judged_addresses("fd00::7", 80, ["fd00::/8"]) == ["fd00::7"]
    with pytest.raises(ForbiddenAddressError):
        judged_addresses("10.1.2.3", 80, ["10.2.0.0/16", "hooks.example"])


def test_one_private_answer_of_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, **more: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (number, port)) for number in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", both)
    with pytest.raises(ForbiddenAddressError, match=r"10\.0\.0\.1"):
        judged_addresses("two.example", 80)


def test_where_the_first_address_does_not_answer_the_next_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = socket.getaddrinfo

    def two(host: str, *words: Any, **more: Any) -> list[tuple[Any, ...]]:
        numbers = ["127.0.0.2", "127.0.0.1"] if host == "two.example" else [host]
        return [each for number in numbers for each in real(number, *words, **more)]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", two)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        with closing(addresses.guarded_socket(("two.example", port), 5, ["two.example"])) as made:
            assert made.getpeername() == ("127.0.0.1", port)


def test_what_may_be_allowed_is_a_name_an_address_or_a_network() -> None:
    for good in ("hooks.plant", "gateway", "10.1.2.3", "10.1.0.0/16", "fd00::/8", "::1"):
        assert is_host_or_network(good)
    for wrong in ("https://hooks.plant", "hooks.plant:8080", "10.1.0.0/99", "10.1.2", "*.plant"):
        assert not is_host_or_network(wrong)


def test_a_connection_goes_to_the_address_that_was_judged() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        refused = http.client.HTTPConnection("localhost", port, timeout=5)
        guard_connection(refused)
        with pytest.raises(ForbiddenAddressError):
            refused.request("POST", "/", b"x")
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):  # nobody has knocked
            server.accept()
        server.settimeout(5)
        taken = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        guard_connection(taken, ["127.0.0.1"])
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        taken.connect()
        thread.join(5)
        taken.close()
