"""Starting a run costs as much as reading a page: who needs no decoder loads none."""

from __future__ import annotations

import os
import subprocess
import sys

from ocr.workers import Workers

_HEAVY = ("numpy", "cv2", "PIL", "pikepdf", "pypdfium2", "tesserocr", "xml.sax", "urllib.request")


def _environment_of_worker(name: str) -> str | None:
    return os.environ.get(name)


def _loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_the_process_that_hands_out_pages_loads_no_decoder():
    loaded = _loaded_after("import ocr.pipeline")
    assert "ocr.record.pdfa" in loaded
    assert loaded.isdisjoint(_HEAVY)


def test_pdfium_and_colour_profiles_are_loaded_for_the_pages_that_need_them():
    loaded = _loaded_after("import ocr.page_task")
    assert {"cv2", "pikepdf", "PIL.Image"} <= loaded
    assert loaded.isdisjoint({"pypdfium2", "PIL.ImageCms"})


def test_a_worker_starts_one_thread_of_each_numeric_library():
    with Workers(1, 60.0, 4 << 30) as workers:
        found = [
            workers.submit(_environment_of_worker, name).result()
            for name in ("OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS")
        ]
    assert found == ["1", "1"]
