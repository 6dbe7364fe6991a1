"""The collector of garbage waits while torch loads, and works while a run trains."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine.__main__ as main
from engine.protocol import events
from engine.runtime.garbage import postpone_garbage_collection, resume_garbage_collection
from engine.training.trainer import Training
from tests.support.engine import of_kind, run_folder
from tests.support.training import StopAfter


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.enable()


def test_what_is_there_when_the_collector_resumes_is_never_looked_at_again() -> None:
    postpone_garbage_collection()
    assert not gc.isenabled()
    before = gc.get_freeze_count()
    new = [[number] for number in range(1000)]
    resume_garbage_collection()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(new)


def test_a_collector_that_works_is_left_alone() -> None:
    before = gc.get_freeze_count()
    new = [[number] for number in range(1000)]
    resume_garbage_collection()
    assert gc.get_freeze_count() < before + len(new)


@pytest.mark.parametrize("postponed", [True, False])
def test_a_run_trains_with_the_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postponed: bool) -> None:
    seen = []
    monkeypatch.setattr(Training, "run", lambda training, attempt: seen.append(gc.isenabled()))
    monkeypatch.setattr(main, "StopRequest", lambda asked: StopAfter())  # signals stay those of pytest
    if postponed:
        postpone_garbage_collection()
    rundir = run_folder(tmp_path / "run", {})
    assert main.train(rundir) == 0
    assert seen == [True]
    assert [finished.status for finished in of_kind(rundir, events.Finished)] == ["done"]
