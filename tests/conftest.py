"""Fixtures and hooks for every test."""

import gc
import os
import signal

# Each worker reads what another one has compiled, the rewritten assertions too, and so do the processes of the tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the networks of the tests are small, and pytest-xdist fills the cores

import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from fastadv_tui.launch.cost import FlopCounter
from fastadv_tui.paths import ensure_home
from tests.support import reaper
from tests.support.order import spread
from tests.support.processes import TOKEN, OfOneTest, kill_all, with_token
from tests.support.runs import FAKE
from tests.support.waiting import PATIENCE, measure_patience

hypothesis.settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("any machine")

PASSED = pytest.StashKey[bool]()
LONGEST_ID = 60  # characters of one value in the id of a test

# Files that take long, most of it for processes, with about the seconds of each on a quiet machine of 2 cores.
LONGEST = {"test_accept": 70, "test_terminal": 45, "test_command_line": 40, "test_speed_ups": 25}
LONGEST |= {"test_engine_process": 25, "test_no_process_left": 20, "test_index": 12, "test_server": 12}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and items live until the end: the garbage collector need not look at them again and again.

    It took a third of the collection's processor time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that wait for processes go first, side by side in all workers; the others keep their order."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    items[:] = spread(items, lambda item: item.path.stem, LONGEST, workers)


def pytest_make_parametrize_id(val: object) -> str | None:
    """The id of a value that pytest would only number ("words3"); None leaves the id to pytest."""
    if isinstance(val, (str, int, float)) or val is None or hasattr(val, "__name__"):
        return None
    if isinstance(val, (set, frozenset)):
        val = sorted(map(str, val))  # the order of a set differs between the workers of pytest-xdist
    if isinstance(val, dict) and val:
        text = ",".join(f"{key}={value}" for key, value in val.items())
    else:
        text = ",".join(map(str, val)) if isinstance(val, (list, tuple)) and val else str(val)
    return " ".join(text.split())[:LONGEST_ID] if " at 0x" not in text else None


def pytest_configure(config: pytest.Config) -> None:
    """Give this process of pytest its token; measure the patience once, before the workers start."""
    if hasattr(config, "workerinput"):
        os.environ[TOKEN] += f".{config.workerinput['workerid']}"
        return
    token = ".".join(filter(None, (os.environ.get(TOKEN), uuid.uuid4().hex)))
    reaper.start(token)
    os.environ[TOKEN] = token
    os.environ.setdefault(PATIENCE, f"{measure_patience():.2f}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than cores, because many tests wait for other processes."""
    return 1 + (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Kill what a worker of pytest-xdist has left: it may have been killed in the middle of a test."""
    kill_all(lambda: with_token(f"{os.environ[TOKEN]}.{node.gateway.id}"))


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    """Give back the handlers of signals. A trainer in this process takes them, and ignored signals are inherited.

    A later test would send Ctrl-C to a command that ignores it.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[PASSED] = report.when == "call" and report.passed
    return report


@pytest.fixture(autouse=True)
def _no_process_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test starts is gone when the test has ended. A test that passes and leaves a process fails after all."""
    started = OfOneTest()
    yield
    passed = request.node.stash.get(PASSED, False)
    left = started.end(patiently=passed)
    if passed and left:
        pytest.fail("the test passed, but left processes behind:\n" + "\n".join(left), pytrace=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of this test's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FASTADV_HOME", str(folder))
    return folder


@pytest.fixture
def quick_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home. The form does not count the work of a run, which would start a process that loads torch."""
    ensure_home()
    monkeypatch.setattr(FlopCounter, "missing", lambda *_: [])


@pytest.fixture
def fake_engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs get the stand-in of the engine; what is left of the runs is killed when the test ends."""
    monkeypatch.setenv("PYTHONPATH", str(FAKE))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield
    kill_all(lambda: with_token(os.environ[TOKEN]))
