"""A machine with GPUs as NVML shows them. torch cannot use them, because they are not there."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.engine import ROOT
from tests.support.nvml import StandInNvml

MODULE = """
import sys
from tests.support.nvml import StandInNvml
sys.modules["pynvml"] = StandInNvml(count={count})
"""


def show_gpus(monkeypatch: pytest.MonkeyPatch, folder: Path, count: int = 2) -> StandInNvml:
    """Let this process, and the processes that it starts, see GPUs. Returns the stand-in of this process."""
    nvml = StandInNvml(count)
    folder.mkdir(exist_ok=True)
    (folder / "pynvml.py").write_text(MODULE.format(count=count))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    monkeypatch.setitem(sys.modules, "pynvml", nvml)  # type: ignore[arg-type]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return nvml
