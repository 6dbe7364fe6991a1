"""Runs are mirrored to trackers: once, in order, and at no cost for the run, whatever the tracker does.

A stand-in takes the place of the package trackio and writes down what it gets. Where the real packages are installed,
their own clients read back what they were sent.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.protocol.event_log import read
from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from engine.protocol.scalars import scalars_of
from fastadv_tui.errors import UserError
from fastadv_tui.extras import MissingExtraError
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.standing import without_replaced
from fastadv_tui.terminal.mirror_runs import mirror_runs
from fastadv_tui.trackers import worker_process
from fastadv_tui.trackers.clients import CLIENTS
from fastadv_tui.trackers.messages import Begin, Point, Points
from fastadv_tui.trackers.mirror import TOOLS, Destination, Mirror, check_tool
from fastadv_tui.trackers.worker_process import NoAnswerError, TrackerError, TrackerProcess
from tests.support import demo_home
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import make_run

HERE = Destination("trackio", "p", offline=True)
STAND_IN = """
import json, os, sys, time
def tell(**what):
    with open(os.environ["TOLD"], "a") as file: file.write(json.dumps(what) + "\\n")
class Run:
    def log(self, values, step): {log}; tell(step=step, **values)
def init(project, name, config, resume, embed, auto_log_gpu, auto_log_cpu):
    {init}
    print("a package that prints")
    tell(project=project, name=name, config=config)
    return Run()
def finish(): {finish}; tell(finished=True)
"""
STORAGE = """
class SQLiteStorage:
    has_pending_data = staticmethod(lambda project: {pending})
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with what the stand-in was told; the stand-in is installed."""
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    stand_in(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    monkeypatch.syspath_prepend(tmp_path / "packages")
    return tmp_path / "told"


def stand_in(
    tmp_path: Path, init: str = "pass", log: str = "pass", finish: str = "pass", pending: bool = False
) -> None:
    package = tmp_path / "packages" / "trackio"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(STAND_IN.format(init=init, log=log, finish=finish))
    (package / "sqlite_storage.py").write_text(STORAGE.format(pending=pending))


def lines(told: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told.read_text().splitlines()]


@pytest.fixture
def rundir(home: Path) -> RunDir:
    """A run that was killed after step 20 and resumed from step 10."""
    rundir = make_run(home / "runs" / "abc123")
    write_events(rundir, started(), step(10), evaluated(10, robust=0.3), step(20, loss=9.0))
    write_events(rundir, started(attempt=2, from_step=10), step(20, loss=0.5))
    return rundir


def test_each_point_that_stands_is_sent_once(told: Path, rundir: RunDir) -> None:
    assert mirror_runs([rundir], HERE, follow=False, again=False) == 0
    write_events(rundir, step(30, loss=0.25), Finished(status="done", step=30))
    assert mirror_runs([rundir], HERE, follow=False, again=False) == 0
    assert mirror_runs([rundir], HERE, follow=False, again=False) == 0
    begun, *points, _ = lines(told)
    assert (begun["name"], begun["project"]) == ("abc123", "p")
    assert begun["config"]["method.name"] == "fgsm"
    assert [(point["step"], point.get("train/loss")) for point in points if "step" in point] == [
        (10, 1.0), (10, None), (20, 0.5), (30, 0.25),
    ]  # fmt: skip
    assert [point["watch/robust"] for point in points if "watch/robust" in point] == [0.3]
    assert sum("name" in line for line in lines(told)) == 2  # the third mirror had nothing to send


def test_again_sends_all_as_another_run(told: Path, rundir: RunDir) -> None:
    for _ in range(2):
        mirror_runs([rundir], HERE, follow=False, again=True)
    assert [line["name"] for line in lines(told) if "name" in line] == ["abc123", "abc123-2"]
    assert sum(line.get("step") == 20 for line in lines(told)) == 2


def test_a_live_run_is_followed_until_it_has_ended(
    told: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo_home.fill("live")
    rundir = RunDir(runs_dir() / "k3f9aa")
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            write_events(rundir, step(4000, loss=0.125, epoch=10.2))
        elif len(waits) == 2:
            write_events(rundir, Finished(status="stopped", step=4000))
            rundir.process.unlink()

    monkeypatch.setattr("fastadv_tui.terminal.mirror_runs.time.sleep", wait)
    assert mirror_runs([rundir], HERE, follow=True, again=False) == 0
    assert lines(told)[-2]["train/loss"] == 0.125
    assert lines(told)[-1] == {"finished": True}
    assert len(waits) == 2
    said = capsys.readouterr().err
    assert "followed until its end" in said
    assert "it has ended" in said


def test_a_ctrl_c_lets_the_client_send_what_it_holds(told: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo_home.fill("live")

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fastadv_tui.terminal.mirror_runs.time.sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mirror_runs([RunDir(runs_dir() / "k3f9aa")], HERE, follow=True, again=False)
    assert lines(told)[-1] == {"finished": True}


def test_a_client_that_hangs_is_ended_in_time_and_the_next_mirror_sends_everything(
    told: Path, tmp_path: Path, rundir: RunDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_events(rundir, Finished(status="done", step=20))
    stand_in(tmp_path, finish="tell(pid=os.getpid()); time.sleep(600)")
    monkeypatch.setattr(worker_process, "END_SECONDS", 0.5)
    before = rundir.events.read_bytes()
    assert mirror_runs([rundir], HERE, follow=False, again=False) == 2
    said = capsys.readouterr().err
    assert "trackio gives no answer within" in said
    assert said.count("\n") == 1
    assert not psutil.pid_exists(lines(told)[-1]["pid"])
    assert rundir.events.read_bytes() == before
    stand_in(tmp_path)
    told.unlink()
    assert mirror_runs([rundir], HERE, follow=False, again=False) == 0
    assert [line["step"] for line in lines(told) if "step" in line] == [10, 10, 20]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"init": "os._exit(3)"}, "the client of trackio has ended with exit code 3"),
        ({"init": "raise ValueError('\\n  the key is wrong\\nsecond line')"}, "trackio: the key is wrong"),
        ({"log": "sys.exit('no')"}, "trackio: no"),
        ({"finish": "raise KeyError"}, "trackio: KeyError"),
        ({"pending": True}, "trackio: the server took not everything"),
    ],
)
def test_whatever_a_client_does_is_one_line(
    told: Path, tmp_path: Path, rundir: RunDir, fault: dict[str, Any], said: str
) -> None:
    write_events(rundir, Finished(status="done", step=20))
    stand_in(tmp_path, **fault)
    mirror = Mirror(rundir, HERE)
    try:
        with pytest.raises(TrackerError) as refused:
            mirror.update()
    finally:
        mirror.close()
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_one_run_that_cannot_be_mirrored_does_not_stop_the_others(
    told: Path, home: Path, rundir: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = make_run(home / "runs" / "broken")
    damaged.config.write_text("{")
    assert mirror_runs([damaged, rundir], HERE, follow=False, again=False) == 1
    assert "broken: config.json is damaged" in capsys.readouterr().err
    assert [line["name"] for line in lines(told) if "name" in line] == ["abc123"]


def test_a_client_that_reads_no_more_does_not_hold_the_face(
    told: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that is larger than the pipe would make the writer wait for ever."""
    stand_in(tmp_path, init="tell(pid=os.getpid())")
    begin = Begin(
        tool="trackio", remote="", wanted="a", name="a", project="p", settings={}, tags=[], offline=True
    )  # fmt: skip
    with TrackerProcess("trackio") as process:
        process.ask(begin)
        psutil.Process(lines(told)[0]["pid"]).suspend()
        monkeypatch.setattr(worker_process, "SEND_SECONDS", 0.5)
        with pytest.raises(NoAnswerError, match="no answer"):
            process.ask(Points([Point(1, 1.0, {"x" * 1000: 1.0})] * 1000))


def test_the_trackers_are_those_that_have_clients() -> None:
    assert (*CLIENTS,) == TOOLS


def test_a_wrong_tracker_and_a_missing_package_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="use wandb, mlflow or trackio"):
        check_tool("comet")
    monkeypatch.setattr("fastadv_tui.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"--to mlflow needs mlflow: pip install 'fastadv\[mlflow\]'"):
        check_tool("mlflow")


READ_MLFLOW = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=f"sqlite:///{sys.argv[1]}/mlflow.db")
(run,) = client.search_runs([client.get_experiment_by_name("p").experiment_id])
history = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
points = {name: [(each.step, each.value) for each in found] for name, found in history.items()}
print(json.dumps([points, run.info.status, run.data.params["eps"], run.data.tags["fastadv.run"]]))
"""
READ_TRACKIO = """
import json
from trackio.sqlite_storage import SQLiteStorage
points = {}
for entry in SQLiteStorage.get_logs("p", "abc123"):
    for name, value in entry.items():
        if "/" in name: points.setdefault(name, []).append((entry["step"], value))
config = SQLiteStorage.get_run_config("p", "abc123")
print(json.dumps([points, "FINISHED", str(config["eps"]), "abc123"]))
"""


@pytest.mark.parametrize(("tool", "reader"), [("mlflow", READ_MLFLOW), ("trackio", READ_TRACKIO)])
def test_the_own_client_of_a_tracker_reads_back_what_was_sent(
    rundir: RunDir, tmp_path: Path, tool: str, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f"needs {tool}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    write_events(rundir, Finished(status="done", step=20))
    assert mirror_runs([rundir], Destination(tool, "p", offline=True), follow=False, again=False) == 0
    words = [sys.executable, "-P", "-c", reader, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    points, status, eps, run = json.loads(done.stdout.splitlines()[-1])
    wanted: dict[str, list[list[float]]] = {}
    for event in without_replaced(read(rundir.events)):
        for name, value in scalars_of(event).items():
            wanted.setdefault(name, []).append([event.step, value])
    assert points == wanted
    assert (status, run) == ("FINISHED", "abc123")
    assert float(eps) == rundir.submission().config.eps
