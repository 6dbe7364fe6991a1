"""A network is compiled before its first update, changes nothing by it, and a failure is met while nothing is lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import engine.__main__ as main
from engine.data.memory import digits
from engine.models.build import build_network
from engine.protocol import event_log, events
from engine.protocol.stop import Stopped
from engine.runtime.compile import MIN_FLOPS
from tests.support.engine import assert_same_training, of_kind, run_folder
from tests.support.training import StopAfter, few_digits, train

FEW = {"epochs": 2, "batch_size": 50, "watch.images": 0}  # three updates an epoch
METHODS: dict[str, dict[str, Any]] = {
    "standard": {"method.name": "standard"},
    "fgsm": {},
    "batchnorm": {"model.name": "preact-resnet18", "model.width": 2, "model.depth": 1},
    "previous": {"method.init": "previous"},
    "free": {"method.name": "free", "method.replays": 2},
    "micro-batches": {"micro_batch": 20},
    "pgd": {"method.name": "pgd", "method.steps": 2},
    "sora": {"method.name": "sora"},
    "fgsm-uap": {"method.name": "fgsm-uap"},
    "liet": {"method.name": "liet", "method.table_steps": 2},
    "trades": {"method.name": "trades", "method.steps": 2},
}


class Backward(torch.autograd.Function):
    """The identity, whose backward pass cannot be computed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        raise RuntimeError("inductor failed on the backward\nwith a long story")


def without_backward(model: nn.Module, or_fail: bool) -> Callable[[Tensor], Tensor]:
    """A compiled network as torch gives it without a C compiler: the forward pass works, the backward pass raises."""
    return lambda x: Backward.apply(model(x))  # type: ignore[no-any-return, no-untyped-call]


def as_it_is(model: nn.Module, or_fail: bool) -> nn.Module:
    return model


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling always pays, and is quick; there are 150 training images."""
    monkeypatch.setattr(digits, "read", lambda folder: few_digits())
    monkeypatch.setitem(MIN_FLOPS, "cpu", 0.0)
    monkeypatch.setattr("engine.training.learner.compiled", as_it_is)
    monkeypatch.setattr("engine.protocol.files.os.fsync", lambda handle: None)
    monkeypatch.setattr("engine.training.setup.missing_for_compiling", lambda device: "")
    monkeypatch.setattr("engine.training.warm_up.missing_for_compiling", lambda device: "")
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())  # the signal handlers of the test runner stay


@pytest.mark.parametrize("name", METHODS)
def test_a_warm_up_changes_no_number_of_the_training(tmp_path: Path, name: str) -> None:
    off = run_folder(tmp_path / "off", FEW | METHODS[name] | {"compile": "off"})
    on = run_folder(tmp_path / "on", FEW | METHODS[name] | {"compile": "on"})
    train(off)
    with pytest.raises(Stopped):
        train(on, 4)
    train(on, attempt=2)  # warms up in the middle of the training
    assert_same_training(off, on)
    assert [event.compiled for event in of_kind(on, events.Started)] == [True, True]


def test_a_warm_up_draws_no_random_number_that_the_training_would_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = build_network
    monkeypatch.setattr(
        "engine.training.setup.build_network", lambda *which: nn.Sequential(build(*which), nn.Dropout(0.2))
    )
    rundir, states = run_folder(tmp_path / "run", FEW | {"compile": "on"}), []
    monkeypatch.setattr("engine.training.trainer.warm_up", _and_states(states))
    train(rundir)
    assert torch.equal(*states)


def _and_states(states: list[Tensor]) -> Callable[..., list[str]]:
    from engine.training.warm_up import warm_up

    def watched(*arguments: Any) -> list[str]:
        states.append(torch.get_rng_state())
        notes = warm_up(*arguments)
        states.append(torch.get_rng_state())
        return notes

    return watched


def test_every_phase_is_warmed_up_before_the_first_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int, bool]] = []

    def watched(model: nn.Module, or_fail: bool) -> Callable[[Tensor], Tensor]:
        def network(x: Tensor) -> Tensor:
            trains = any(p.requires_grad for p in model.parameters())
            seen.append((len(x), x.shape[-1], trains))
            return model(x)  # type: ignore[no-any-return]

        return network

    monkeypatch.setattr("engine.training.learner.compiled", watched)
    crops = {"model.name": "preact-resnet18", "model.width": 2, "model.depth": 1, "compile": "on"}
    rundir = run_folder(tmp_path / "run", FEW | crops | {"phases": "0-1:0/6:40 1-2:0/8:30"})
    write = event_log.Writer.write
    forms: list[tuple[int, int, bool]] = []

    def until_started(writer: event_log.Writer, event: events.AnyEvent) -> None:
        if isinstance(event, events.Started):
            forms.extend(seen)
        write(writer, event)

    monkeypatch.setattr(event_log.Writer, "write", until_started)
    train(rundir)
    assert forms == [(40, 6, False), (40, 6, True), (30, 8, False), (30, 8, True)]


def test_a_backward_pass_that_cannot_be_compiled_falls_back_with_a_note_before_the_first_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    off, auto = (run_folder(tmp_path / choice, FEW | {"compile": choice}) for choice in ("off", "auto"))
    train(off)
    monkeypatch.setattr("engine.training.learner.compiled", without_backward)
    train(auto)
    assert_same_training(off, auto)
    (begun,) = of_kind(auto, events.Started)
    assert not begun.compiled
    assert "not compiled: torch.compile failed (RuntimeError: inductor failed on the backward)" in [
        event.message for event in of_kind(auto, events.Note)
    ]
    told = [event for event in event_log.read(auto.events) if not isinstance(event, events.Note)]
    place = told.index(begun)
    before = told[place - 1]
    assert isinstance(before, events.Starting)
    assert before.phase == events.COMPILING
    assert isinstance(told[place + 1], events.Step)


def test_a_run_that_must_be_compiled_fails_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.learner.compiled", without_backward)
    rundir = run_folder(tmp_path / "run", FEW | {"compile": "on"})
    assert main.train(rundir) == 1
    (finished,) = of_kind(rundir, events.Finished)
    assert finished.error == (
        "compile = on, but torch.compile failed (RuntimeError: inductor failed on the backward); "
        "mend this, or use --set compile=off"
    )
    assert (finished.step, of_kind(rundir, events.Step)) == (0, [])
    monkeypatch.setattr("engine.training.warm_up.missing_for_compiling", lambda device: "a C compiler (gcc)")
    other = run_folder(tmp_path / "other", FEW | {"compile": "on"})
    assert main.train(other) == 1
    assert of_kind(other, events.Finished)[0].error.startswith("compile = on, but a C compiler (gcc) is missing; ")


def test_a_machine_without_a_compiler_does_not_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.training.setup.missing_for_compiling", lambda device: "a C compiler (gcc)")
    rundir = run_folder(tmp_path / "run", FEW | {"compile": "auto"})
    train(rundir)
    assert "not compiled: a C compiler (gcc) is missing" in [event.message for event in of_kind(rundir, events.Note)]
    assert events.COMPILING not in [event.phase for event in of_kind(rundir, events.Starting)]


def test_a_gpu_that_is_full_while_the_network_is_compiled_is_no_failed_compilation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.20 GiB")

    monkeypatch.setattr("engine.training.learner.Learner.input_grad", full)
    rundir = run_folder(tmp_path / "run", FEW | {"compile": "auto"})
    assert main.train(rundir) == 1
    assert "micro_batch=25" in of_kind(rundir, events.Finished)[0].error
    assert of_kind(rundir, events.Started) == []  # it does not begin uncompiled


def test_a_stop_is_seen_right_after_the_compilation(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"compile": "on"})
    with pytest.raises(Stopped):
        train(rundir, 0)
    assert not rundir.last.exists()
    assert of_kind(rundir, events.Step) == []
    train(rundir)
    assert of_kind(rundir, events.Step)[-1].step == 6
