"""Evaluations that were stopped or damaged continue, and never with the progress of another request."""

import copy
from functools import cache
from pathlib import Path

import pytest
import torch
from msgspec import structs
from torch import nn

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.config.sections import ModelConfig
from engine.data.memory.batches import TestImages
from engine.data.memory.datasets import open_arrays
from engine.evaluation.evaluation import Accuracy, Evaluation
from engine.evaluation.resumable import EvaluationInputs, ResumableEvaluation
from engine.protocol.stop import Stopped
from tests.support.networks import CPU, InDouble, digits_model, trained_digits

ATTACK = Pgd(3, 2, 0.04)
CLEAN = 5  # stop checks during the clean pass


class Killed(BaseException):
    """Stands for a SIGKILL: it ends the evaluation without a last save."""


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.evaluation.evaluation.BATCH", 20)


def images() -> TestImages:
    arrays = open_arrays("digits", "")
    return TestImages.load(arrays.test_images, arrays.test_labels, CPU).first(100)


@cache
def network() -> nn.Module:
    return InDouble(trained_digits())


def new(path: Path, key: str = "this") -> ResumableEvaluation:
    evaluation = Evaluation(copy.deepcopy(network()), images(), [(Threat(0.1), ATTACK)], seed=0)
    return ResumableEvaluation(evaluation, path / "evaluation.pt", key)


def run(
    one: ResumableEvaluation, stop_after: int = 0, how: type[BaseException] = RuntimeError
) -> tuple[list[Accuracy], int]:
    """The accuracies of an evaluation, and the work that was reported as done at its first report after an attack."""
    looks: list[int] = []

    def look(done: int, total: int) -> None:
        looks.append(done)
        if len(looks) == stop_after:
            raise how

    return one.run(look), next(filter(None, looks))


def test_a_stopped_evaluation_continues_where_it_stopped(tmp_path: Path) -> None:
    whole, first = run(new(tmp_path))
    with pytest.raises(RuntimeError):
        run(new(tmp_path), stop_after=CLEAN + 6)
    found, later = run(new(tmp_path))
    assert found == whole
    assert later > 3 * first
    assert not (tmp_path / "evaluation.pt").exists()  # the evaluation is over, so its progress file is gone


def test_a_killed_evaluation_loses_only_the_work_after_its_last_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.evaluation.resumable.SAVE_EVERY", 0.0)
    whole, first = run(new(tmp_path))
    with pytest.raises(Killed):
        run(new(tmp_path), stop_after=CLEAN + 6, how=Killed)
    found, later = run(new(tmp_path))
    assert found == whole
    assert later > 3 * first


@pytest.mark.parametrize("what", ["another question", "damaged", "a flipped bit", "a part less", "no zip"])
def test_a_progress_file_that_cannot_be_used_is_overwritten(tmp_path: Path, what: str) -> None:
    whole, first = run(new(tmp_path))
    with pytest.raises(RuntimeError):
        run(new(tmp_path, "other" if what == "another question" else "this"), stop_after=CLEAN + 6)
    path = tmp_path / "evaluation.pt"
    if what == "a part less":  # as an earlier version wrote
        state = torch.load(path, weights_only=True)
        del state["place"]
        torch.save(state, path)
    elif what != "another question":
        whole_file = path.read_bytes()
        flipped = bytearray(whole_file)
        flipped[whole_file.index(b"PK", 1) - 200] ^= 1
        path.write_bytes({"damaged": whole_file[:100], "a flipped bit": flipped, "no zip": b"x"}[what])
    assert run(new(tmp_path)) == (whole, first)


def test_a_save_that_fails_does_not_hide_why_the_evaluation_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken GPU gives the first error, and another one when the masks are copied from it."""

    def broken(*_: object) -> None:
        raise RuntimeError("the second error")

    one = new(tmp_path)
    monkeypatch.setattr(one.evaluation, "state_dict", broken)
    with pytest.raises(ZeroDivisionError):
        run(one, stop_after=CLEAN + 6, how=ZeroDivisionError)


def test_a_stop_whose_progress_cannot_be_saved_says_so(tmp_path: Path) -> None:
    one = new(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        run(one, stop_after=CLEAN + 6, how=Stopped)


INPUTS = EvaluationInputs(
    network=ModelConfig(name="preact-resnet18"),
    data="d",
    size=0,
    crop=8,
    attacks=((0.1, 3, 2, 0.04),),
    seed=0,
    limit=100,
    search="fp32",
)


def test_the_key_of_an_evaluation_depends_on_every_part_of_the_request() -> None:
    model, other = digits_model(seed=0), digits_model(seed=1)
    assert INPUTS.key(model) == INPUTS.key(digits_model(seed=0))
    silu = structs.replace(INPUTS.network, activation="silu")  # a model without weights
    changes = {"network": silu, "data": "e", "size": 4, "crop": 4, "attacks": ((0.1, 3, 1, 0.04),), "seed": 1}
    changes |= {"limit": 0, "search": "bf16", "loss": "another", "norm": "l2"}
    asked = {INPUTS.key(model), INPUTS.key(other)}
    asked |= {structs.replace(INPUTS, **{part: value}).key(model) for part, value in changes.items()}
    assert len(asked) == 2 + len(changes) == 2 + len(INPUTS.__struct_fields__)
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1e-6
    assert INPUTS.key(model) not in asked
