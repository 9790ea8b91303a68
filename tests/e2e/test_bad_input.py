"""Bad input, one test each: a message that says what to do, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from tests.fixtures_installation import Sohoa, run_sohoa


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def digitize(source: Path, out: Path, *more: str | Path, **options):
    return run_sohoa("digitize", source, "-o", out / "record.pdf", *more, **options)


def refused(done, out: Path, code: int, *words: str) -> None:
    assert done.code == code, done.told
    for word in words:
        assert word in done.told, done.told
    assert "Traceback" not in done.told
    assert list(out.iterdir()) == [], "something was left behind"


def encrypted_pdf(path: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(path, encryption=pikepdf.Encryption(owner="a", user="b"))


def bomb_pdf(path: Path) -> None:
    """A page whose drawing instructions unpack to 400 MB."""
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page()
        body = zlib.compress(bytes(400_000_000), 9)
        page.Contents = pikepdf.Stream(pdf, body)
        page.Contents.stream_dict.Filter = pikepdf.Name.FlateDecode
        pdf.save(path, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)


def vast_png(path: Path) -> None:
    """A few bytes that declare 60,000 × 60,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def truncated_jpeg(path: Path) -> None:
    Image.effect_noise((800, 1000), 50).save(path, dpi=(200, 200))
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("name", "make", "code", "words"),
    [
        ("absent.pdf", lambda p: None, 4, ("absent.pdf", "Không đọc được")),
        ("empty.jpg", lambda p: p.write_bytes(b""), 4, ("empty.jpg", "empty")),
        ("cut.jpg", truncated_jpeg, 4, ("cut.jpg",)),
        ("locked.pdf", encrypted_pdf, 4, ("locked.pdf", "password")),
        ("bomb.pdf", bomb_pdf, 4, ("bomb.pdf",)),
        ("vast.png", vast_png, 4, ("vast.png", "60")),
        ("word.pdf", lambda p: p.write_bytes(b"PK\x03\x04" + bytes(500)), 4, ("word.pdf",)),
    ],
)
def test_a_scan_that_is_none(tmp_path: Path, out: Path, name, make, code, words) -> None:
    source = tmp_path / name
    make(source)
    refused(digitize(source, out), out, code, *words)


def test_the_right_type_under_a_wrong_name_is_taken(tmp_path: Path, out: Path, scan: Path) -> None:
    source = tmp_path / "really-a-jpeg.pdf"
    shutil.copy(scan, source)
    done = digitize(source, out)
    assert done.code == 0, done.told


def test_a_folder_that_may_not_be_read(tmp_path: Path, out: Path, scan: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    shutil.copy(scan, folder)
    folder.chmod(0)
    drop = "-dac_override,-dac_read_search"
    prefix = ("setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}") if os.getuid() == 0 else ()
    try:
        refused(digitize(folder, out, prefix=prefix), out, 4, "closed", "permission")
    finally:
        folder.chmod(0o700)


def test_a_folder_without_scans(tmp_path: Path, out: Path) -> None:
    folder = tmp_path / "nothing"
    folder.mkdir()
    refused(digitize(folder, out), out, 4, "nothing")


def test_an_output_folder_that_is_not_there(tmp_path: Path, out: Path, scan: Path) -> None:
    refused(digitize(scan, out / "missing"), out, 8, "missing")


def test_a_full_disk(tmp_path: Path, out: Path, scan: Path) -> None:
    """The output lies on a file system of 64 KiB (in a mount namespace of its own)."""
    left = tmp_path / "left"
    script = (
        f'mount -t tmpfs -o size=64k tmpfs "{out}" && "$@"; '
        f'code=$?; ls -A "{out}" > "{left}"; exit $code'
    )
    user = () if os.getuid() == 0 else ("-r",)
    done = digitize(scan, out, "--json", prefix=("unshare", "-m", *user, "sh", "-c", script, "sh"))
    assert done.code == 8, done.told
    assert "full" in done.told, done.told
    assert json.loads(done.out)["error"]["kind"] == "OutputError"
    assert left.read_text() == "", "something was left behind"


def spoil(installation: Path, old: str, new: str) -> None:
    path = installation / "sohoa.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def seal(scan: Path, out: Path, data: Path, *more: str):
    return digitize(scan, out, "--seal", "P7", *more, "--data", data)


def test_a_wrong_pin_is_tried_once(own_installation: Path, out: Path, scan: Path) -> None:
    pin = own_installation / "token-pin"
    right = pin.read_text()
    pin.write_text("00000000" if right != "00000000" else "11111111")
    done = seal(scan, out, own_installation)
    refused(done, out, 5, "PIN")
    assert right not in done.told
    assert "00000000" not in done.told


def test_no_token(own_installation: Path, out: Path, scan: Path) -> None:
    spoil(own_installation, 'label = "sohoa-test"', 'label = "elsewhere"')
    refused(seal(scan, out, own_installation), out, 5, "elsewhere")


def test_no_module(own_installation: Path, out: Path, scan: Path) -> None:
    path = own_installation / "sohoa.toml"
    lines = [
        'module = "/nowhere/libp11.so"' if line.startswith("module") else line
        for line in path.read_text("utf-8").splitlines()
    ]
    path.write_text("\n".join(lines), "utf-8")
    refused(seal(scan, out, own_installation), out, 5, "/nowhere/libp11.so")


def test_the_tsa_is_down_and_a_timestamp_is_required(
    own_installation: Path, out: Path, scan: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    path = own_installation / "sohoa.toml"
    lines = [
        f'tsa_url = "http://127.0.0.1:{port}/tsa"' if line.startswith("tsa_url") else line
        for line in path.read_text("utf-8").splitlines()
    ]
    path.write_text("\n".join(lines), "utf-8")
    refused(seal(scan, out, own_installation, "--level", "B-T"), out, 7, "127.0.0.1")


def test_an_unknown_profile(installed: Path, out: Path, scan: Path) -> None:
    done = digitize(scan, out, "--seal", "P99:leader", "--data", installed)
    refused(done, out, 6, "P99", "P1")


def test_a_profile_that_nobody_signs_for(installed: Path, out: Path, scan: Path) -> None:
    refused(digitize(scan, out, "--seal", "P99", "--data", installed), out, 6, "P99")


def test_production_refuses_what_is_for_tests(sohoa: Sohoa, scan: Path, out: Path) -> None:
    done = sohoa(
        "digitize", scan, "-o", out / "record.pdf", "--seal", "P7", SOHOA_MODE="production"
    )
    refused(done, out, 9, "test")


def test_sealing_without_an_installation(tmp_path: Path, scan: Path, out: Path) -> None:
    refused(seal(scan, out, tmp_path / "none"), out, 9, "sohoa init")


def test_signing_what_is_no_pdf(sohoa: Sohoa, scan: Path, out: Path) -> None:
    refused(sohoa("sign", scan, "-o", out / "s.pdf", "--seal", "P7"), out, 4)
    refused(sohoa("sign", out / "no.pdf", "-o", out / "s.pdf", "--seal", "P7"), out, 4, "no.pdf")


def test_wrong_usage_is_explained(sohoa: Sohoa, scan: Path, out: Path) -> None:
    refused(sohoa("sign", scan, "-o", out / "s.pdf"), out, 2, "--seal")
    assert run_sohoa("digitize").code == 2


def test_errors_are_json_for_machines(tmp_path: Path, out: Path) -> None:
    done = digitize(tmp_path / "absent.pdf", out, "--json")
    error = json.loads(done.out)["error"]
    assert error["kind"] == "UnreadableFile"
    assert error["exit_code"] == done.code == 4


EXPIRED = """
import datetime as dt, sys
from pathlib import Path
from api.tokens import open_authority_token, open_token
from api.wiring import load_settings
from hsm.keys import SignatureScheme
from signer.insecure_testpki import InsecureTestPKI, Role, TokenKeys
from signer.insecure_testpki.roles import PROFILES

settings = load_settings(Path(sys.argv[1]))
keys = TokenKeys(open_token(settings))
issuers = TokenKeys(open_authority_token(settings))
pki = InsecureTestPKI(settings.embedded.folder, issuers.load)
profile = PROFILES[Role.OFFICER].but(
    scheme=SignatureScheme.ECDSA_SHA256,
    starts_after=-dt.timedelta(days=9), lifetime=dt.timedelta(days=8),
)
pki.issue(profile, keys.make("expired-officer", profile.scheme))
"""


def test_an_expired_certificate(own_installation: Path, out: Path, scan: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", EXPIRED, str(own_installation)], check=True, cwd=Path.cwd()
    )
    options = {"SOHOA_KEYS__OFFICER": "expired-officer"}
    done = digitize(scan, out, "--seal", "P7", "--data", own_installation, **options)
    refused(done, out, 6, "Chứng thư", "hết hạn")


def test_a_certificate_near_its_end(sohoa: Sohoa, out: Path, scan: Path) -> None:
    options = {"SOHOA_TRUST__NEAR_EXPIRY_DAYS": "5000"}
    done = sohoa("digitize", scan, "-o", out / "record.pdf", "--seal", "P7", **options)
    refused(done, out, 6, "Chứng thư")
