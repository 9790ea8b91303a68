"""Which addresses of the network are public, however they are written (security requirement 20).

Whoever lets others name an address that we connect to asks this first, and then connects to the
address that was checked: a name may answer differently the second time.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from concurrent.futures import Future

from signer.deadline import remaining

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291 2.5.5.1, deprecated
_PLATFORM = ipaddress.IPv4Address("168.63.129.16")
"""A public number that one large host of machines uses inside for its metadata service."""


def is_public(text: str) -> bool:
    """Whether `text`, an IPv4 or IPv6 address, belongs to somebody on the public network.

    Loopback, private, shared, link-local (metadata services), multicast and reserved addresses
    do not, nor do IPv6 addresses that lead to such an IPv4 address. Raises `ValueError` for what
    is no address.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    return all(_is_public(one) for one in (address, *_embedded(address)))


def resolve(host: str, port: int, deadline: float) -> list[str]:
    """The addresses of `host`, each once, before `deadline` (of `time.monotonic`).

    The system's resolver knows no deadline: a thread waits for it. Raises `TimeoutError` and
    `OSError`.
    """
    found: Future[list[str]] = Future()

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            found.set_exception(error)
        else:
            found.set_result(list(dict.fromkeys(str(entry[4][0]) for entry in entries)))

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    return found.result(remaining(deadline))


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None or address in _NAT64 or address.sixtofour is not None:
            return True  # judged by what it leads to
        if address.is_site_local or address in _NAT64_LOCAL or address in _COMPATIBLE:
            return False
    if address == _PLATFORM:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _embedded(address: _Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that packets for `address` may end at."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]
