"""Fixtures for every test."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the networks of the tests are small, and pytest-xdist fills the cores

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from engine.protocol.rundir import RunDir
from fastadv_tui.launch.cost import FlopCounter
from fastadv_tui.paths import ensure_home
from tests.support.runs import FAKE, kill_all_of

hypothesis.settings.register_profile("any machine", deadline=None)  # a busy one is no failure
hypothesis.settings.load_profile("any machine")


# First, or cores idle last:
LONGEST = ("test_speed_ups", "test_terminal", "test_engine_process", "test_command_line", "test_index", "test_server")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that wait for processes go first; the others keep their order."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of this test's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FASTADV_HOME", str(folder))
    return folder


@pytest.fixture
def quick_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home; and no process that loads torch to count the work of a run, each time the form is opened."""
    ensure_home()
    monkeypatch.setattr(FlopCounter, "missing", lambda *_: [])


@pytest.fixture
def fake_engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs get the stand-in of the engine; whatever is left of them is killed when the test ends."""
    monkeypatch.setenv("PYTHONPATH", str(FAKE))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield
    if (home / "runs").exists():
        for folder in os.scandir(home / "runs"):
            kill_all_of(RunDir(Path(folder.path)))
