"""What real engines rarely do: fail, time out, answer nonsense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytesseract
import pytest

from ocr._run import run
from ocr.errors import EngineCrashed, EngineMissing, EngineTimedOut, RecognitionError
from ocr.reading.recognise import LineMode
from ocr.reading.tesseract import TesserocrEngine
from ocr.reading.tesseract_cli import PytesseractEngine

LINE = np.full((40, 300), 255, np.uint8)


def test_broken_model(tmp_path: Path) -> None:
    (tmp_path / "vie.traineddata").write_bytes(b"not a model")
    with pytest.raises(EngineMissing, match="reinstall the language packages"):
        TesserocrEngine("vie", tmp_path)
    engine = PytesseractEngine("vie", tmp_path)
    with pytest.raises(RecognitionError, match="Tesseract failed"):
        engine.read([LINE], 200, LineMode.LINE)


def test_program_out_of_time() -> None:
    engine = PytesseractEngine(seconds=0.001)
    with pytest.raises(EngineTimedOut, match="took too long"):
        engine.read([LINE] * 30, 200, LineMode.LINE)


def test_program_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = PytesseractEngine()
    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", "no-such-program")
    with pytest.raises(EngineMissing, match="apt install tesseract-ocr"):
        engine.read([LINE], 200, LineMode.LINE)


@pytest.mark.parametrize("answer", ["level\n5\n", "level\tpage_num\ttext\n5\tx\ty\n"])
def test_nonsense_from_the_program(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = PytesseractEngine()
    monkeypatch.setattr(pytesseract, "image_to_data", lambda *a, **k: answer)
    with pytest.raises(RecognitionError, match="cannot be used"):
        engine.read([LINE], 200, LineMode.LINE)


UNSURE = "Orientation in degrees: 180\nOrientation confidence: 0.1\n"


@pytest.mark.parametrize("answer", ["", UNSURE])
def test_orientation_that_is_not_sure(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = PytesseractEngine()
    monkeypatch.setattr(pytesseract, "image_to_osd", lambda *a, **k: answer)
    assert engine.upside_down(LINE, 200) is None


def test_binding_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            def call(*_: object) -> None:
                if name == "Recognize":
                    raise RuntimeError("failed")

            return call

    with TesserocrEngine() as engine:
        monkeypatch.setattr(engine, "_lines", Broken())
        with pytest.raises(RecognitionError, match="a line of 300×40 px"):
            engine.read([LINE], 200, LineMode.LINE)


def test_binding_that_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Blind:
        def __getattr__(self, name: str) -> object:
            return lambda *_: (name == "Recognize" and self.recognised) or None

        recognised = False

    with TesserocrEngine() as engine:
        blind = Blind()
        monkeypatch.setattr(engine, "_lines", blind)
        assert engine.read([LINE], 200, LineMode.LINE)[0].words == ()
        blind.recognised = True
        assert engine.read([LINE], 200, LineMode.LINE)[0].words == ()


def test_run_gives_both_outputs() -> None:
    done = run(["sh", "-c", "printf out; printf err >&2"], seconds=10)
    assert (done.stdout, done.stderr) == (b"out", b"err")


def test_run_limits() -> None:
    with pytest.raises(EngineMissing, match="no-such-program is not installed"):
        run(["no-such-program"], seconds=1)
    with pytest.raises(EngineTimedOut, match=r"longer than 0\.2 s"):
        run(["sleep", "5"], seconds=0.2)
    with pytest.raises(EngineCrashed, match="signal 9"):
        run(["sh", "-c", "kill -9 $$"], seconds=10)
    with pytest.raises(RecognitionError, match="ended with status 3: why"):
        run(["sh", "-c", "echo why >&2; exit 3"], seconds=10)
    with pytest.raises(RecognitionError, match="status"):  # no room to start in
        run(["sort", "/dev/zero"], seconds=20, memory_bytes=30 << 20)


def test_run_needs_the_wrappers(monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda n: None if n == "setpriv" else real(n))
    with pytest.raises(EngineMissing, match="util-linux"):
        run(["true"], seconds=5)
    monkeypatch.setattr("sys.platform", "darwin")
    assert run(["true"], seconds=5).stdout == b""
