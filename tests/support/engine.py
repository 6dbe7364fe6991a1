"""Runs of the real engine, in this process or in another one."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import torch

from engine.__main__ import main
from engine.config.presets import build
from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import StopRequest
from engine.training import checkpoint
from tests.support.runs import make_run
from tests.support.waiting import seconds

ROOT = Path(__file__).parents[2]
TIMES = {"elapsed": 0, "trained": 0}  # in place of those of a checkpoint, which differ in each run
EventKind = TypeVar("EventKind", bound=events.Event)


def run_folder(path: Path, typed: Mapping[str, Any], dataset: str = "digits") -> RunDir:
    """The directory of a run on the CPU, small unless told otherwise."""
    small = {"device": "cpu", "model.width": 4, "epochs": 2, "eval.attack": "none", "watch.images": 60}
    return make_run(path, chosen=build(dataset, small | dict(typed)))


def environment() -> dict[str, str]:
    """The environment of an engine: one thread, this code, and no slot of a supervisor."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("FASTADV_DEVICE", "FASTADV_HOME")}
    return inherited | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-P", "-m", "engine", *map(str, arguments)]


def start(rundir: RunDir, **env: str) -> subprocess.Popen[bytes]:
    with rundir.log.open("ab") as log:
        return subprocess.Popen(
            command(rundir.path), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment() | env
        )


def finish(process: subprocess.Popen[bytes], timeout: float = 60) -> int:
    """Exit code of a process, which is killed if it takes longer than `timeout` seconds of a quiet machine."""
    try:
        return process.wait(seconds(timeout))
    finally:
        process.kill()


def ask(*arguments: str, stdin: bytes = b"", **env: str) -> tuple[int, bytes, bytes]:
    """Exit code, standard output and standard error of one question to the engine."""
    answer = subprocess.run(
        command(*arguments), input=stdin, capture_output=True, env=environment() | env, timeout=seconds(60)
    )
    return answer.returncode, answer.stdout, answer.stderr


def ask_here(*arguments: str, stdin: bytes = b"") -> tuple[int, bytes]:
    """Exit code and standard output of one question, answered in this process, which has loaded torch already."""
    out = io.TextIOWrapper(io.BytesIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StopRequest, "__init__", lambda request: None)  # signals stay those of pytest
        patch.setattr(StopRequest, "requested", lambda request: False)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        patch.setattr(sys, "stdout", out)
        code = main([*arguments])
    return code, out.buffer.getvalue()  # type: ignore[attr-defined]


def of_kind(rundir: RunDir, kind: type[EventKind]) -> list[EventKind]:
    return [event for event in event_log.read(rundir.events) if isinstance(event, kind)]


def without_clock(event: events.AnyEvent) -> bytes:
    """An event as JSON without its times."""
    return msgspec.json.encode(msgspec.structs.replace(event, t=0.0, elapsed=0.0, trained=0.0))


def weights(rundir: RunDir, which: str = "last") -> dict[str, Any]:
    state: dict[str, Any] = checkpoint.load(rundir.path / f"{which}.pt")
    return state


def assert_same(one: Any, other: Any, path: str = "") -> None:
    """Compare tensors bit by bit, also within dictionaries."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_same(one[key], other[key], f"{path}.{key}")
    else:
        assert one == other, path


def assert_same_training(one: RunDir, other: RunDir) -> None:
    """The ends of two trainings are the same bit by bit; their settings and clocks may differ."""
    assert_same(*({**weights(rundir), "config": ""} | TIMES for rundir in (one, other)))


def assert_same_end(one: RunDir, other: RunDir) -> None:
    """Weights, optimizer, carried perturbation, alarm and results; only the clock may differ."""
    assert_same(weights(one) | TIMES, weights(other) | TIMES)
    assert_same(weights(one, "best")["model"], weights(other, "best")["model"])
    assert evaluations(one) == evaluations(other)


def evaluations(rundir: RunDir) -> list[bytes]:
    return [without_clock(event) for event in of_kind(rundir, events.Evaluated)]
