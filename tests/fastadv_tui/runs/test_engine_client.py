"""The engine's commands give a typed answer or one clear line, whatever their process does."""

import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.config.presets import build
from engine.protocol.requests import Checked, Passes, PrepareRequest, Progress
from fastadv_tui.errors import UserError
from fastadv_tui.launch.cost import FlopCounter
from fastadv_tui.runs import engine_client
from fastadv_tui.runs.engine_client import EngineError
from tests.support.gpu_machine import show_gpus
from tests.support.runs import config

CHECKED = Checked(train_images=7, test_images=3, official_data=None, data_fingerprint="abc")
PREPARE = PrepareRequest(source="/a", out="/b", sizes=(32,))
PROGRESS = Progress(stage="looking", done=1, total=2)


def says(answer: Any) -> str:
    """Python code that prints an answer."""
    return f"print({msgspec.json.encode(answer).decode()!r}, flush=True)"


def engine_does(monkeypatch: pytest.MonkeyPatch, code: str) -> list[tuple[str, ...]]:
    """Run Python code in place of the engine. Returns a list that gets the arguments of each start."""
    asked: list[tuple[str, ...]] = []

    def command(*arguments: str) -> list[str]:
        asked.append(arguments)
        return [sys.executable, "-c", code]

    monkeypatch.setattr(engine_client, "engine_command", command)
    return asked


@pytest.mark.parametrize("before", ["", "import sys; print('downloading', file=sys.stderr); print('x'); "])
def test_the_check_answers_with_facts(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    asked = engine_does(monkeypatch, before + says(CHECKED))
    assert engine_client.check(config()) == CHECKED
    assert asked == [("--check",)]


def test_the_check_learns_of_the_home_that_the_user_has_not_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("FASTADV_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    home = f"import os; assert os.environ['FASTADV_HOME'] == {str(tmp_path / 'fastadv')!r}; "
    engine_does(monkeypatch, home + says(CHECKED))
    assert engine_client.check(config()) == CHECKED


@pytest.mark.parametrize(
    ("device", "question"), [("auto", ("--check", "gpu")), ("cuda:1", ("--check", "gpu")), ("cpu", ("--check",))]
)
def test_the_check_of_a_run_that_takes_a_gpu_is_asked_about_the_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str, question: tuple[str, ...]
) -> None:
    show_gpus(monkeypatch, tmp_path)
    asked = engine_does(monkeypatch, says(CHECKED))
    engine_client.check(build("digits", {"device": device}))
    assert asked == [question]


def test_a_device_that_does_not_exist_is_refused_without_the_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    show_gpus(monkeypatch, tmp_path)
    asked = engine_does(monkeypatch, says(CHECKED))
    with pytest.raises(UserError, match=r"^device = cuda:2 is not there"):
        engine_client.check(build("digits", {"device": "cuda:2"}))
    assert asked == []


def test_the_engine_is_asked_with_the_whole_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys, json; print(json.dumps({'type': 'Refused', 'message': sys.stdin.read()}))"
    engine_does(monkeypatch, code)
    with pytest.raises(UserError) as caught:
        engine_client.check(config())
    assert msgspec.json.decode(str(caught.value), type=type(config())) == config()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('print(\'{"type": "Refused", "message": "no data"}\'); raise SystemExit(2)', "no data"),
        ("raise SystemExit(1)", r"check ended without an answer \(exit code 1\); `fastadv doctor` may show the cause"),
        ("print('{}')", r"check ended without an answer \(exit code 0\)"),
        ("import os; os.kill(os.getpid(), 9)", r"check ended without an answer \(exit code -9\)"),
    ],
)
def test_a_run_that_cannot_start_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    engine_does(monkeypatch, code)
    with pytest.raises(UserError, match=message) as caught:
        engine_client.check(config())
    assert "\n" not in str(caught.value)


def test_an_engine_that_cannot_start_is_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception would end the dashboard."""
    monkeypatch.setattr(engine_client, "engine_command", lambda *_: ["/nowhere/python"])
    with pytest.raises(EngineError, match="cannot start the engine's check"):
        engine_client.check(config())
    with pytest.raises(EngineError, match="cannot start the engine's prepare"), engine_client.prepare(PREPARE):
        pass
    counter = FlopCounter()
    counter.count(config())
    assert (counter.missing([config()]), counter.total(config())) == ([], None)


def test_the_real_engine_counts_the_passes_of_a_network() -> None:
    counted = engine_client.count_flops(build("digits", {"model.width": 4}))
    assert counted.train_images == 1437
    assert set(counted.passes) == {0}
    assert isinstance(counted.passes[0], Passes)


def test_answers_come_while_the_engine_works(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = engine_does(monkeypatch, f"import sys; sys.stdin.read(); {says(PROGRESS)}; {says(PROGRESS)}; sys.exit(1)")
    with engine_client.prepare(PREPARE) as stream:
        answers = [*stream]
    assert answers == [PROGRESS, PROGRESS]
    assert stream.exit_code == 1
    assert asked == [("--prepare",)]


def test_a_stop_before_the_engine_listens_reaches_it_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client blocks the stop signals until the engine's StopRequest handles them."""
    code = (
        "import signal, sys, time\n"
        "while not signal.sigpending(): time.sleep(0.01)\n"
        "from engine.protocol.stop import StopRequest\n"
        "sys.exit(130 if StopRequest().requested() else 1)"
    )
    engine_does(monkeypatch, code)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for number in (signal.SIGINT, signal.SIGTERM):
        with engine_client.prepare(PREPARE) as stream:
            signal.raise_signal(number)
            assert [*stream] == []
        assert stream.exit_code == 130
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_engine_that_is_killed_before_it_reads_raises_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_does(monkeypatch, "import os; os.close(0); os.kill(os.getpid(), 9)")
    many = PrepareRequest(source="/a" * 1_000_000, out="/b", sizes=(32,))  # more than a pipe holds
    with engine_client.prepare(many) as stream:
        assert [*stream] == []
    assert stream.exit_code == -signal.SIGKILL


@pytest.mark.parametrize(
    "setting",
    [
        {"micro_batch": 32},
        {"holdout": 100},
        {"batch_size": 7},
        {"model.name": "resnet18"},
        {"eval.attack": "aa-quick"},
        {"extra_data": "/more.npz"},
        {"capture": "on"},
        {"phases": "0-30:0/8:128"},
    ],
)
def test_runs_that_differ_in_a_checked_setting_are_checked_separately(setting: dict[str, Any]) -> None:
    runs = [build("digits", {}), build("digits", setting), build("digits", {"eps": 0.1, "seed": 3, "epochs": 5})]
    assert len(engine_client.runs_to_check(runs)) == 2


def test_many_runs_are_checked_by_one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [build("digits", {"seed": seed, "batch_size": size}) for size in (32, 64) for seed in range(3)]
    code = "import sys; lines = sys.stdin.read().splitlines(); assert len(lines) == 2; "
    asked = engine_does(monkeypatch, code + says(CHECKED))
    engine_client.check_all(runs)
    assert asked == [("--check",)]
    engine_client.check_all([])
    assert asked == [("--check",)]


def test_runs_on_gpus_are_checked_apart_from_those_on_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    show_gpus(monkeypatch, tmp_path)
    asked = engine_does(monkeypatch, says(CHECKED))
    engine_client.check_all([build("digits", {"device": device}) for device in ("cpu", "auto", "cuda:1", "cpu")])
    assert asked == [("--check",), ("--check", "gpu")]


def test_a_run_among_many_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_does(monkeypatch, 'print(\'{"type": "Refused", "message": "no data"}\'); raise SystemExit(2)')
    with pytest.raises(UserError, match="no data"):
        engine_client.check_all([config()])
