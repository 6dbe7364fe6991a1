"""A machine whose GPUs torch cannot use, with the real torch: every command says so and what to type, in one line."""

import re
from pathlib import Path

import pytest
import torch

from tests.support.gpu_machine import show_gpus
from tests.support.shell import QUICK, fastadv

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="torch can use the GPU of this machine")
REFUSED = "fastadv: device = auto: torch cannot use this machine's GPU: torch "


@pytest.fixture(autouse=True)
def _gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path) -> None:
    show_gpus(monkeypatch, tmp_path / "nvml")


@pytest.mark.parametrize("words", [["run", "digits"], ["sweep", "digits", "--seeds", "0-1"]], ids=["run", "sweep"])
def test_auto_is_refused_before_there_is_a_run(home: Path, words: list[str]) -> None:
    done = fastadv(*words, *QUICK)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(REFUSED)
    assert last.endswith("; or train on the CPU: --device cpu")
    assert "resume" not in done.stderr
    assert [*(home / "runs").glob("*")] == []


def test_the_doctor_says_which_gpus_there_are_and_why_none_trains() -> None:
    lines = [re.sub(" {2,}", "  ", line) for line in fastadv("doctor").stdout.splitlines()]  # whatever its columns
    assert "cuda:1  GPU 1 GPU-1" in lines
    assert "GPU driver  550.90.07, for CUDA 12.4" in lines
    assert f"its CUDA  {torch.version.cuda or 'none: a build for the CPU'}" in lines
    assert any(line.startswith("trains on  nothing: torch cannot use the GPU: torch ") for line in lines)
