"""The answers of `engine --eval` when its results cannot be written."""

from pathlib import Path

import msgspec
import torch

from engine.config.datasets import facts_of
from engine.config.presets import build
from engine.models.build import build_network
from engine.protocol.requests import EvalAnswer, EvalRequest, Failed
from tests.support.engine import ask_here
from tests.support.small_disk import full_disk


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    config = build("digits", {"device": "cpu", "model.width": 4, "eval.attack": "pgd-1", "eval.images": 20})
    weights = tmp_path / "weights.pt"
    torch.save(build_network(config.model, facts_of("digits")).state_dict(), weights)
    with full_disk(tmp_path / "full") as folder:
        asked = EvalRequest(config=config, weights=str(weights), eps=(0.1,), folder=str(folder))
        code, out = ask_here("--eval", stdin=msgspec.json.encode(asked))
    last = msgspec.json.decode(out.splitlines()[-1], type=EvalAnswer)
    assert code == 1
    assert isinstance(last, Failed)
    assert last.message.startswith(f"cannot write {folder}/")
    assert last.message.endswith("No space left on device (0 kB free); make room, and try again")
