"""A whole service where there is no network: python -m tests.offline_service FOLDER

To be run in a network namespace of its own (`unshare --map-root-user --net`). Only the loopback
interface is brought up, so the kernel counts each packet that anybody wanted to send elsewhere,
and each datagram (a name that was asked for). Starts `sohoa serve` on a new folder, signs a
decision at B-LTA, verifies it, stops; prints the counts as JSON. Then it makes a connection to
the outside itself, to show that the counts notice one.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import sys
from pathlib import Path

from tests.running_service import RunningService
from tests.storm import decision

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def main(folder: Path) -> int:
    interfaces = sorted(name for _, name in socket.if_nameindex())
    _loopback_up()
    before = counts()
    verdict = _serve(folder)
    during = counts()
    _ask_outside()
    told = {
        "interfaces": interfaces,
        "verdict": verdict,
        "service": {name: during[name] - before[name] for name in before},
        "one_connection_and_one_name": {name: counts()[name] - during[name] for name in during},
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


def counts() -> dict[str, int]:
    """What the kernel counted in this namespace, of all processes together."""
    rows = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines()]
    pairs = zip(rows[::2], rows[1::2], strict=True)
    found = {
        f"{names[0]}{name}": int(value)
        for names, values in pairs
        for name, value in zip(names[1:], values[1:], strict=True)
    }
    newer = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return {
        "no_route": found["Ip:OutNoRoutes"] + int(newer["Ip6OutNoRoutes"]),
        "datagrams": found["Udp:OutDatagrams"] + int(newer["Udp6OutDatagrams"]),
    }


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _serve(folder: Path) -> str:
    with RunningService(folder / "data") as service:
        signed = service.ask(
            "POST",
            "/v1/signatures",
            decision(1),
            query={"key": "test-leader", "level": "B-LTA"},
            headers={
                "Content-Type": "application/pdf",
                "Idempotency-Key": "offline",
                "Prefer": "wait=50",
            },
            authorised=service.new_client(),
        )
        assert signed.status == 201, signed
        path = f"/v1/signatures/{signed.json['id']}/result"
        result = service.ask("GET", path, authorised=service.new_client())
        verified = service.ask(
            "POST", "/v1/verifications", result.body, headers={"Content-Type": "application/pdf"}
        )
        assert verified.status == 200, verified
        assert service.stop() == 0
    return str(verified.json["indication"])


def _ask_outside() -> None:
    with socket.socket() as outside:
        assert outside.connect_ex(("192.0.2.1", 443)) != 0  # RFC 5737: nobody has it
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as name:
        name.sendto(b"?", ("127.0.0.53", 53))


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    sys.exit(main(Path(sys.argv[1])))
