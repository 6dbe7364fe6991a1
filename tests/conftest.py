"""Fixtures for every test."""

import os
from collections.abc import Iterator
from pathlib import Path

import helpers
import pytest

from engine.rundir import RunDir


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of this test's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FASTADV_HOME", str(folder))
    return folder


@pytest.fixture
def fake_engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs get the stand-in of the engine; whatever is left of them is killed when the test ends."""
    monkeypatch.setenv("PYTHONPATH", str(helpers.FAKE))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield
    if (home / "runs").exists():
        for folder in os.scandir(home / "runs"):
            helpers.kill_all_of(RunDir(Path(folder.path)))
