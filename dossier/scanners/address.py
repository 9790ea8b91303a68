"""Which addresses may be asked: those that the settings name, and nothing they lead elsewhere.

A scanner written as an address is where the settings say. A scanner written as a name is looked
up once for each connection, and its name may only lead into a private network (RFC 1918,
RFC 4193): never to this machine, to a metadata service, or out into the world.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from dossier.errors import InvalidOrder, ScannerMisanswered, ScannerUnreachable
from signer.addresses import resolve

_PORTS = {"http": 80, "https": 443}
_MAX_URL = 500
_PATH = re.compile(r"/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*")
_PRIVATE = [
    ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
]
_UNIQUE_LOCAL = ipaddress.ip_network("fc00::/7")


@dataclass(frozen=True, slots=True)
class ScannerAddress:
    """Where a scanner listens: parsed, and allowed by the settings. `path` has no slash at end."""

    name: str
    scheme: str
    host: str
    port: int
    path: str
    certificate: Path | None = None
    """PEM that proves an https scanner, whose own certificate mostly is self-signed."""

    @property
    def url(self) -> str:
        """The address as it is written in the settings."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    def connectable(self, deadline: float) -> list[str]:
        """The numeric addresses to connect to, each judged, before `deadline` (monotonic).

        Raises `ScannerUnreachable` when the name leads where no scanner may be, `TimeoutError`,
        `OSError` when it is unknown.
        """
        if _literal(self.host) is not None or self.host == "localhost":
            return ["127.0.0.1" if self.host == "localhost" else self.host]
        found = resolve(self.host, self.port, deadline)
        for address in found:
            if not _is_private(address):
                raise ScannerUnreachable(
                    f"Tên {self.host} dẫn ra ngoài mạng nội bộ ({address}); hãy ghi địa chỉ IP "
                    f"của máy quét trong [scanners.{self.name}]. / The name {self.host} leads out "
                    f"of the private network ({address}); write the scanner's IP address in "
                    f"[scanners.{self.name}]."
                )
        return found

    def job_path(self, location: str) -> str:
        """The path of the job that the ``Location`` of a 201 answer names, on this scanner.

        Devices put their own idea of scheme, name and port into it; only the path is taken.
        Raises `ScannerMisanswered`.
        """
        try:
            path = urlsplit(urljoin(f"{self.path}/ScanJobs/", location)).path.rstrip("/")
        except ValueError:
            path = ""
        if (
            not location
            or len(path) > _MAX_URL
            or not _PATH.fullmatch(path)
            or ".." in path.split("/")
        ):
            raise ScannerMisanswered(
                "Máy quét không cho biết địa chỉ của việc quét (Location); hãy khởi động lại máy "
                "quét rồi thử lại. / The scanner does not say where the job is (Location); "
                "restart it and try again."
            )
        return path


def address_of(name: str, url: str, certificate: Path | None = None) -> ScannerAddress:
    """The address that the settings write as `url`. Raises `InvalidOrder`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _unusable(name, url) from error
    path = parts.path.rstrip("/")
    if (
        len(url) > _MAX_URL
        or not url.isascii()
        or any(c <= " " or c == "\x7f" for c in url)
        or parts.scheme not in _PORTS
        or not parts.hostname
        or parts.username is not None
        or parts.password is not None
        or parts.query
        or parts.fragment
        or (path and not _PATH.fullmatch(path))
        or ".." in path.split("/")
    ):
        raise _unusable(name, url)
    literal = _literal(parts.hostname)
    if literal is not None and (literal.is_unspecified or literal.is_multicast):
        raise _unusable(name, url)
    return ScannerAddress(
        name, parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path, certificate
    )


def choose_scanner(
    device: str | None, allowed: Mapping[str, tuple[str, Path | None]]
) -> ScannerAddress:
    """The scanner that `device` names, by its name or its URL in the settings.

    `allowed` is name → (URL, certificate). None chooses the only one. Raises `InvalidOrder` when
    the settings do not have it.
    """
    known = {name: address_of(name, *entry) for name, entry in allowed.items()}
    if device is None and len(known) == 1:
        return next(iter(known.values()))
    if device is not None:
        if device in known:
            return known[device]
        if "://" in device:
            wanted = address_of("", device).url
            for address in known.values():
                if address.url == wanted:
                    return address
    listed = ", ".join(f"{a.name} ({a.url})" for a in known.values()) or "–"
    raise InvalidOrder(
        f"Chưa chọn được máy quét. Cấu hình cho phép: {listed}. Thêm máy vào sohoa.toml: "
        '[scanners.TEN] url = "http://192.168.1.20/eSCL", rồi --device TEN. / No scanner was '
        f"chosen. The settings allow: {listed}. Add yours to sohoa.toml: [scanners.NAME] "
        'url = "http://192.168.1.20/eSCL", then --device NAME.',
        field="device",
    )


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_private(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return address in _UNIQUE_LOCAL
        address = address.ipv4_mapped
    return any(address in network for network in _PRIVATE)


def _unusable(name: str, url: str) -> InvalidOrder:
    of_name = f"[scanners.{name}]" if name else "--device"
    return InvalidOrder(
        f"{of_name}: {url[:120]!r} không phải địa chỉ máy quét; cần dạng "
        f"http://192.168.1.20/eSCL. / {of_name}: {url[:120]!r} is no scanner's address; wanted: "
        "http://192.168.1.20/eSCL, without user, query or fragment.",
        field="device",
    )
