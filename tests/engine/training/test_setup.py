"""What is made of a run before its first step."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.training.setup import set_up
from tests.support.engine import run_folder


@pytest.mark.parametrize("key", ["precision", "eval.search"])
def test_a_run_notes_bf16_on_a_gpu_that_only_emulates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    setup = set_up(run_folder(tmp_path / "run", {key: "bf16"}).submission().config)
    assert setup.notes() == []
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    (note,) = replace(setup, device=torch.device("cuda:0")).notes()
    assert note.startswith(f"{key} = bf16: this GPU has no native bf16")
