"""CUDA counts the GPUs as nvidia-smi does, in every process of the engine, from before torch is loaded."""

from pathlib import Path

import pytest

from tests.support.engine import ROOT, ask

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


@pytest.mark.parametrize("command", ["--check gpu", "--serve", "--eval", "--flops"])
def test_the_engine_counts_by_the_bus_when_it_loads_torch(tmp_path: Path, command: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(SPY)
    asked = b'{"dataset": "digits"}' if command != "--serve" else b""
    path = f"{tmp_path}:{ROOT}"
    _, _, err = ask(*command.split(), stdin=asked, PYTHONPATH=path, CUDA_DEVICE_ORDER="FASTEST_FIRST")
    assert err == b"order PCI_BUS_ID\n"
