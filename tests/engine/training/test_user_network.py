"""A network of the user's own trains with every method, and resumes bit for bit on the copy of its file."""

from pathlib import Path

import pytest
import torch

from engine import load_model
from engine.config.methods import methods
from engine.config.presets import build
from engine.config.user_code import fingerprint_of
from engine.data.memory import digits
from engine.protocol import event_log
from engine.protocol.events import Evaluated, Note
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from tests.support import user_networks
from tests.support.runs import make_run
from tests.support.training import few_digits, train

DROPOUT = user_networks.RIGHT.replace("x.flatten(1)", "nn.functional.dropout(x, 0.2, self.training).flatten(1)")
EVERYTHING = {"optim.average": 0.5, "optim.recompute_norms": True, "eval.attack": "aa-quick", "eval.images": 10}


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "read", lambda folder: few_digits())


def make(folder: Path, text: str, **settings: object) -> RunDir:
    """A run whose original file is gone."""
    chosen = {"epochs": 2, "watch.images": 10, "eval.attack": "none", "device": "cpu", "precision": "fp32", **settings}
    code = {"model.name": f"{folder}/gone/net.py:Net", "model.code": fingerprint_of(text.encode())}
    rundir = make_run(folder, chosen=build("digits", {**chosen, **code}))
    rundir.model_code.write_text(text)
    return rundir


@pytest.mark.parametrize("method", methods())
def test_every_method_trains_it(tmp_path: Path, method: str) -> None:
    rundir = make(tmp_path / "run", user_networks.RIGHT, **{"method.name": method})
    train(rundir)
    fresh, trained = torch.load(rundir.last, weights_only=True)["model"], load_model(rundir.path)
    assert trained(torch.rand(2, 1, 8, 8)).shape == (2, 10)
    assert torch.equal(trained[1].head.weight, fresh["1.head.weight"])  # type: ignore[index]
    evaluated = [event for event in event_log.read(rundir.events) if isinstance(event, Evaluated)]
    assert evaluated[-1].clean > 0.15  # by chance: 0.1


@pytest.mark.parametrize("text", [user_networks.RIGHT, DROPOUT], ids=["plain", "dropout"])
def test_a_resumed_training_ends_with_the_same_weights(tmp_path: Path, text: str) -> None:
    whole, parts = (make(tmp_path / name, text, **EVERYTHING) for name in ("whole", "parts"))
    train(whole)
    with pytest.raises(Stopped):
        train(parts, looks=7)
    train(parts, attempt=2)
    one, two = (load_model(rundir.path).state_dict() for rundir in (whole, parts))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_random_numbers_in_its_passes_leave_no_overfitting_signal(tmp_path: Path) -> None:
    plain, dropout = make(tmp_path / "plain", user_networks.RIGHT), make(tmp_path / "dropout", DROPOUT)
    for rundir, noted in ((plain, False), (dropout, True)):
        train(rundir)
        notes = [event.message for event in event_log.read(rundir.events) if isinstance(event, Note)]
        assert any("no overfitting signal" in note for note in notes) is noted
