"""The command line as a shell sees it: real processes, exit codes, and what goes to which output."""

import inspect
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import psutil
import pytest
import typer

from engine.protocol import event_log
from fastadv_tui.commands.run_options import OPTIONS, OTHERS
from fastadv_tui.runs.state import load
from tests.support.runs import verdict
from tests.support.shell import FASTADV, LONG, QUICK, fastadv, only_run, start, wait_for_steps
from tests.support.shell_here import fastadv_here
from tests.support.waiting import seconds, wait_until


@pytest.fixture(autouse=True)
def _environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_run_on_the_digits_trains_evaluates_and_can_be_shown_and_loaded(home: Path) -> None:
    done = fastadv("run", "digits", "--name", "first", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "eps 51/255 = 0.2" in done.stderr  # the typed size in both units
    assert "epoch   1/1" in done.stdout
    assert "PGD-2" in done.stdout
    assert "on all 360 test images" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr  # no colours in a pipe
    rundir = only_run(home)
    (row,) = json.loads(fastadv("runs", "--json").stdout)
    assert (row["id"], row["name"], row["status"], row["final"]) == (rundir.id, "first", "done", True)
    assert row["settings"] == {"model.width": 4, "epochs": 1, "eval.attack": "pgd-2", "watch.images": 50}
    shown = fastadv("show", rundir.id[:3]).stdout
    assert str(rundir.path) in shown
    assert "first" in shown
    assert re.search(r"^trained on +cpu.*, \d+ CPU thread\(s\), ", shown, re.MULTILINE)
    assert re.search(r"^CPU time +[1-9].* in attempt 1$", shown, re.MULTILINE)
    assert re.search(r"^command .*fastadv.* run digits --name first ", shown, re.MULTILINE)
    code = (
        "import torch; from engine.training.checkpoint import load_model\n"
        f"model = load_model({str(rundir.path)!r}); print(model(torch.rand(2, 1, 8, 8)).shape, model.training)"
    )
    loaded = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "torch.Size([2, 10]) False\n"


def test_run_with_json_prints_the_events_and_nothing_else(home: Path) -> None:
    done = fastadv("run", "digits", "--json", *QUICK)
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    stored = [msgspec.to_builtins(event) for event in event_log.read(only_run(home).events)]
    times = [datetime.fromisoformat(event.pop("t")) for event in printed]
    assert [time.timestamp() for time in times] == pytest.approx([event.pop("t") for event in stored], abs=0.001)
    assert all(time.tzinfo for time in times)
    assert printed == json.loads(json.dumps(stored))
    assert [printed[0]["type"], printed[-1]["type"]] == ["starting", "finished"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_stopped_viewer_waits_for_the_checkpoint_and_says_how_to_resume(home: Path, number: signal.Signals) -> None:
    viewer = start("run", "digits", *LONG)
    rundir = wait_for_steps(home)
    viewer.send_signal(number)
    _, narration = viewer.communicate(timeout=seconds(60))
    assert viewer.returncode == 130
    assert "stopping: waiting for the checkpoint" in narration
    assert f"fastadv resume {rundir.id}" in narration
    assert verdict(rundir).status == "stopped"
    assert rundir.last.stat().st_size > 0


def test_a_second_ctrl_c_ends_the_viewer_at_once_and_says_how_to_come_back(home: Path) -> None:
    viewer = start("run", "digits", *LONG, "--set", "grace_seconds=1")
    rundir = wait_for_steps(home)
    engine = json.loads(rundir.process.read_text())["engine"]["pid"]
    os.kill(engine, signal.SIGSTOP)  # the engine cannot save while it is stopped
    viewer.send_signal(signal.SIGINT)
    wait_until(rundir.stop.exists)
    viewer.send_signal(signal.SIGINT)
    _, narration = viewer.communicate(timeout=seconds(60))
    assert viewer.returncode == 130
    assert f"fastadv watch {rundir.id}" in narration
    wait_until(lambda: verdict(rundir).status == "stopped")  # the supervisor stopped the run without the viewer


def test_a_lost_terminal_does_not_touch_the_run(home: Path) -> None:
    inherited = signal.signal(
        signal.SIGHUP, signal.SIG_DFL
    )  # under nohup the test runner ignores the signal, and the viewer would inherit that
    try:
        viewer = start("run", "digits", *LONG)
    finally:
        signal.signal(signal.SIGHUP, inherited)
    rundir = wait_for_steps(home)
    viewer.send_signal(signal.SIGHUP)
    viewer.communicate(timeout=seconds(60))
    before = load(rundir).step
    wait_until(lambda: load(rundir).step > before)
    assert fastadv("stop", rundir.id).returncode == 0
    wait_until(lambda: verdict(rundir).status == "stopped")


def test_a_run_can_be_stopped_resumed_and_watched_by_commands(home: Path) -> None:
    done = fastadv("run", "digits", "--detach", "--tag", "paper", "--tag", "mine", *LONG)
    assert done.returncode == 0
    run_id = done.stdout.strip()
    rundir = wait_for_steps(home)
    assert rundir.id == run_id
    assert "paper, mine" in fastadv("show", "last").stdout
    assert "is running; there is nothing to resume" in fastadv("resume", "last").stderr
    assert fastadv("stop", "last").returncode == 0
    wait_until(lambda: verdict(rundir).status == "stopped")
    stopped_at = load(rundir).step
    assert fastadv("resume", "last", "--detach").returncode == 0
    wait_until(lambda: load(rundir).attempt == 2 and load(rundir).step > stopped_at, timeout=60)
    assert load(rundir).started.from_step == stopped_at  # type: ignore[union-attr]
    watcher = start("watch", "last")
    wait_until(lambda: fastadv("stop", "last").returncode == 0)
    watcher.communicate(timeout=seconds(60))
    assert watcher.returncode == 130


def test_a_run_that_diverges_says_why_without_a_traceback_and_offers_no_resume_without_a_checkpoint(home: Path) -> None:
    exploding = ["optim.name=sgd", "optim.lr=100", "optim.weight_decay=1"]  # weights grow 99-fold at each step
    done = fastadv("run", "digits", *[word for pair in exploding for word in ("--set", pair)], "--eval", "none")
    assert done.returncode == 1
    rundir = only_run(home)
    *_, reason, log = done.stderr.splitlines()
    assert re.fullmatch(
        rf"{rundir.id} failed: diverged: the loss is \w+ at step \d+; lower the learning rate .*", reason
    )
    assert log == f"the log is {rundir.log}"
    assert "Traceback" not in done.stdout + done.stderr
    assert fastadv("runs").stdout.splitlines()[1].split()[2:4] == ["failed", "(diverged)"]


BAD = {
    "unknown data set": (["cifer"], "did you mean cifar10?"),
    "no ImageNet": (["imagenet"], "does not exist; make it with `fastadv prepare`"),
    "no folder": (["imagefolder:"], "imagefolder: names no folder"),
    "file for a folder": (
        [f"imagefolder:{__file__}"],
        "test_command_line.py is a file; an image folder holds train/CLASS/FILE",
    ),
    "no UTF-8": ([f"imagefolder:{os.fsdecode(bytes([255]))}"], "is not UTF-8"),
    "overruled by phases": (["imagenet", "--batch-size", "64"], "batch_size has no effect, because every phase"),
    "unknown method": (
        ["digits", "--method", "fsgm"],
        "method.name: 'fsgm' is unknown; use standard, fgsm, nfgsm, pgd, free",
    ),
    "unknown preset": (["digits", "--preset", "wong"], "unknown preset 'wong'"),
    "unknown key": (["digits", "--set", "model.widht=16"], "did you mean model.width?"),
    "no value": (["digits", "--set", "epochs"], "key=value"),
    "set twice": (["digits", "--eps", "8", "--set", "eps=4"], "eps is set twice"),
    "negative eps": (["digits", "--eps=-1"], "allowed are 0 to 255"),
    "large eps": (["digits", "--eps", "300"], "allowed are 0 to 255"),
    "no number": (["digits", "--eps", "eight"], "type 8 (meaning 8/255)"),
    "no epochs": (["digits", "--epochs", "0"], "epochs: 0 is not allowed; write 1 to 100,000"),
    "half an epoch": (["digits", "--epochs", "1.5"], "epochs: '1.5' is not a whole number"),
    "bad attack": (["digits", "--eval", "autoattack"], "unknown attack 'autoattack'"),
    "bad device": (["digits", "--device", "gpu"], "use auto, cpu or cuda:N"),
    "large batch": (["digits", "--batch-size", "2000"], "only 1437 training images"),
    "no such answer to a collapse": (
        ["digits", "--on-collapse", "panic"],
        "on_collapse: 'panic' is unknown; use warn, stop",
    ),
    "no way back": (
        ["digits", "--method", "standard", "--on-collapse", "rollback"],
        "standard has no overfitting signal",
    ),
    "missing folder": (["cifar", "--data-dir", "/no/such/folder"], "does not exist"),
    "missing GPU": (["digits", "--device", "cuda:7"], "use --device auto or cpu"),
    "wrong network": (["cifar", "--set", "model.name=mnist-cnn"], "mnist-cnn takes mnist only"),
}


@pytest.mark.parametrize(("words", "said"), BAD.values(), ids=BAD)
def test_run_refuses_bad_input_in_one_line_and_leaves_no_run(home: Path, words: Sequence[str], said: str) -> None:
    assert_refused(home, fastadv_here("run", *words), said)


@pytest.mark.parametrize("refusal", ["no UTF-8", "unknown key", "large batch"])
def test_a_shell_sees_the_same_refusals_of_the_face_and_of_the_engine(home: Path, refusal: str) -> None:
    words, said = BAD[refusal]
    shell, here = fastadv("run", *words), fastadv_here("run", *words)
    assert_refused(home, shell, said)
    assert (shell.returncode, shell.stdout, shell.stderr) == (here.returncode, here.stdout, here.stderr)


def assert_refused(home: Path, done: "subprocess.CompletedProcess[str]", said: str) -> None:
    """Exit code 2, one clear line besides the sizes that were understood, no run."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("eps ") and "downloading" not in line]
    assert line.startswith("fastadv: ")
    assert said in line
    assert not (home / "runs").exists() or not [*(home / "runs").iterdir()]


@pytest.mark.parametrize("content", [{}, {"data_batch_1": b"\x80\x02}q"}, {"readme.txt": b"hello"}])
def test_run_refuses_a_data_folder_that_is_no_data_set(home: Path, tmp_path: Path, content: dict[str, bytes]) -> None:
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    assert_refused(home, fastadv_here("run", "cifar", "--data-dir", str(tmp_path / "data")), "data_batch_1")


def test_run_without_data_and_network_says_where_data_belongs_and_that_digits_need_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # no proxy listens on this port
    done = fastadv("run", "cifar")
    assert_refused(home, done, "fastadv run digits")
    assert str(home / "data" / "cifar-10-batches-py") in done.stderr


def test_a_home_that_cannot_be_written_is_one_line_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASTADV_HOME", str(tmp_path / "file" / "home"))
    (tmp_path / "file").write_text("not a folder")
    done = fastadv("run", "digits")
    assert done.returncode == 2
    assert "set FASTADV_HOME to another" in done.stderr


def test_every_command_has_help_with_an_example_and_stands_in_the_page_of_the_commands() -> None:
    from fastadv_tui.cli import COMMANDS

    app = whole_app()
    groups = [found.registered_callback for group in app.registered_groups if (found := group.typer_instance)]
    assert len(groups) == len(app.registered_groups)
    commands = [*app.registered_commands, *filter(None, groups)]
    assert {name(command) for command in commands} == set(COMMANDS)
    page = (Path(__file__).parents[2] / "fastadv_tui" / "README.md").read_text()
    for command in commands:
        assert command.callback.__doc__, name(command)  # type: ignore[union-attr]
        assert f"fastadv {name(command)}" in (command.epilog or ""), name(command)
        assert f"fastadv {name(command)}" in page, name(command)


def whole_app() -> typer.Typer:
    from fastadv_tui.cli import COMMANDS, app, load

    if not app.registered_commands:
        for name in COMMANDS:
            load(name)
    return app


def name(command: typer.models.CommandInfo | typer.models.TyperInfo) -> str:
    return command.name or command.callback.__name__  # type: ignore[union-attr]


def test_no_command_has_more_than_fifteen_options_besides_set_and_those_of_a_run() -> None:
    for command in whole_app().registered_commands:
        words = inspect.signature(command.callback).parameters  # type: ignore[arg-type]
        own = [word for name, word in words.items() if name not in (*OPTIONS, *OTHERS)]
        assert sum(word.default is not word.empty for word in own) <= 15, command


@pytest.mark.parametrize(("words", "limit"), [(["--version"], 2.5), (["runs"], 2.5), (["--help"], 4.2)])
def test_a_headless_command_starts_within_its_budget_of_processor_time(
    home: Path, words: list[str], limit: float
) -> None:
    """The unit is the import of asyncio (0.06 to 0.1 s) after a bare Python: machines differ by a factor of two.

    Processor time is measured, so that other work of the machine does not count.
    """
    commands = [sys.executable, "-c", "pass"], [sys.executable, "-c", "import asyncio"], FASTADV + words
    bare, unit, ours = (min(found) for found in zip(*([*map(cpu_seconds, commands)] for _ in range(7)), strict=True))
    assert (ours - bare) / (unit - bare) < limit


def cpu_seconds(command: Sequence[str]) -> float:
    """User and system time of a command in seconds, with its bytecode cached as for users."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_a_run_loads_torch_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # each Python tells each import
    done = fastadv("run", "digits", *QUICK)
    assert done.returncode == 0, done.stderr
    told = done.stderr + only_run(home).log.read_text()
    assert len(re.findall(r"^import time: .*\| +torch$", told, re.MULTILINE)) == 1


def test_ctrl_c_before_the_run_exists_prints_nothing_and_leaves_nothing(home: Path) -> None:
    """Ctrl-C reaches all processes of the terminal, so also the engine that checks the data."""
    process = subprocess.Popen(
        [*FASTADV, "run", "digits", *QUICK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores SIGINT
    )
    wait_until(lambda: psutil.Process(process.pid).children())
    os.killpg(process.pid, signal.SIGINT)
    out, narration = process.communicate(timeout=seconds(20))
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in narration
    assert not any((home / "runs").glob("*"))


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["settings"], ["presets", "--json"]], ids=" ".join)
def test_output_to_a_full_disk_is_told_in_one_line(home: Path, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*FASTADV, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=seconds(20))
    assert done.returncode == 1
    assert done.stderr == "fastadv: [Errno 28] No space left on device\n"
