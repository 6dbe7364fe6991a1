"""CUDA counts the GPUs as nvidia-smi does, in every process of the engine, from before torch is loaded."""

import subprocess
from pathlib import Path

import msgspec
import pytest

from engine.config.presets import build
from tests.support.engine import ROOT, ask, command, environment

# Python imports this module by itself when it starts.
SPY = """
import os, sys
class Spy:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("order", os.environ.get("CUDA_DEVICE_ORDER"), file=sys.stderr, flush=True)
            os._exit(0)
sys.meta_path.insert(0, Spy())
"""


@pytest.fixture
def spied(tmp_path: Path) -> dict[str, str]:
    """The environment of an engine that reports its order of GPUs when it loads torch, and ends."""
    (tmp_path / "sitecustomize.py").write_text(SPY)
    return {"PYTHONPATH": f"{tmp_path}:{ROOT}", "CUDA_DEVICE_ORDER": "FASTEST_FIRST"}


@pytest.mark.parametrize("words", ["--check gpu", "--eval", "--flops"])
def test_the_engine_counts_by_the_bus_when_it_loads_torch(spied: dict[str, str], words: str) -> None:
    _, _, err = ask(*words.split(), stdin=msgspec.json.encode(build("digits")), **spied)
    assert err == b"order PCI_BUS_ID\n"


def test_the_engine_that_serves_counts_by_the_bus_when_it_loads_torch(spied: dict[str, str]) -> None:
    """Its input stays open meanwhile, because the process ends with its input."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command("--serve"), stdin=pipe, stderr=pipe, env=environment() | spied) as process:
        assert process.stderr is not None
        assert process.stderr.read() == b"order PCI_BUS_ID\n"
