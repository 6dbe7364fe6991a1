"""`--model FILE.py:NAME` as a shell sees it: a network in a file of 15 lines trains, resumes, evaluates and loads."""

import json
import sys
from pathlib import Path

import pytest
import torch

from engine import load_model
from engine.protocol import event_log
from engine.protocol.events import Note
from fastadv_tui.runs.state import load
from tests.support import user_networks
from tests.support.shell import LONG, fastadv, only_run, start, wait_for_steps
from tests.support.waiting import seconds, wait_until

QUICK = ["--epochs", "1", "--set", "watch.images=50", "--eval", "pgd-2"]


def notes(home: Path) -> list[str]:
    return [event.message for event in event_log.read(only_run(home).events) if isinstance(event, Note)]


def test_a_network_trains_evaluates_and_loads_when_its_file_is_gone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = tmp_path / "net.py"
    user_networks.write(network)
    trained = fastadv("run", "digits", "--model", "net.py:Net", "--set", 'model.args={"width": 4}', *QUICK)
    assert trained.returncode == 0, trained.stderr
    convolution, norm, linear = 4 * 9 + 4, 2 * 4, 10 * 4 * 64 + 10
    assert f"{convolution + norm + linear:,} parameters" in trained.stdout + trained.stderr
    assert (only_run(home).path / "model.py").read_bytes() == network.read_bytes()
    network.unlink()
    measured = fastadv("eval", "last", "--eps", "10", "--attack", "aa-quick", "--limit", "20")
    assert measured.returncode == 0, measured.stderr
    assert "APGD-CE fooled" in measured.stdout
    shown = fastadv("show", "last").stdout
    assert f"model.name={network}:Net" in shown
    assert 'model.args={"width":4}' in shown
    model = load_model(only_run(home).path)
    assert model(torch.rand(3, 1, 8, 8)).shape == (3, 10)
    torch.save(model[1].state_dict(), tmp_path / "weights.pt")  # type: ignore[index]
    user_networks.write(network)
    foreign = fastadv(
        "eval", "weights.pt", "--model", "net.py:Net", "--set", 'model.args={"width": 4}', "--dataset", "digits",
        "--attack", "pgd-2", "--eps", "10",
    )  # fmt: skip
    assert foreign.returncode == 0, foreign.stderr
    assert "weights matched by name · normalised: none" in foreign.stdout + foreign.stderr


def test_a_stopped_run_resumes_on_its_copy(home: Path, tmp_path: Path) -> None:
    network = user_networks.write(tmp_path / "net.py")
    with start("run", "digits", "--model", network, *LONG) as process:
        rundir = wait_for_steps(home)
        assert fastadv("stop", rundir.id).returncode == 0
        process.communicate(timeout=seconds(60))
    step = load(rundir).step
    (tmp_path / "net.py").write_text("raise SystemExit\n")
    assert fastadv("resume", rundir.id, "--detach").returncode == 0
    wait_until(lambda: load(rundir).step > step, timeout=60)
    assert fastadv("stop", rundir.id, "--now").returncode == 0
    assert (
        f"net.py has changed since this run was submitted ({rundir.submission().config.model.code} then"
        in notes(home)[0]
    )
    assert notes(home)[0].endswith("; the run uses the copy of then")


def test_a_copy_that_was_edited_is_refused(home: Path, tmp_path: Path) -> None:
    network = user_networks.write(tmp_path / "net.py")
    with start("run", "digits", "--model", network, *LONG) as process:
        rundir = wait_for_steps(home)
        assert fastadv("stop", rundir.id).returncode == 0
        process.communicate(timeout=seconds(60))
    (tmp_path / "net.py").unlink()
    with rundir.model_code.open("a") as file:
        file.write("# a change\n")
    resumed = fastadv("resume", rundir.id)
    assert resumed.returncode != 0
    assert "model.py is not the code that the run was submitted with" in resumed.stdout + resumed.stderr


def test_a_file_that_changes_in_the_queue_is_told_and_the_copy_trains(home: Path, tmp_path: Path) -> None:
    network = user_networks.write(tmp_path / "net.py")
    assert fastadv("queue", "pause").returncode == 0
    assert fastadv("run", "digits", "--model", network, *QUICK, "--detach").returncode == 0
    user_networks.write(tmp_path / "net.py", "raise SystemExit('this must not train')\n")
    assert fastadv("queue", "continue").returncode == 0
    followed = fastadv("watch", only_run(home).id)
    assert followed.returncode == 0, followed.stdout + followed.stderr
    assert [note for note in notes(home) if "net.py has changed since this run was submitted" in note]


def test_a_run_is_repeated_with_its_copy(home: Path, tmp_path: Path) -> None:
    network = user_networks.write(tmp_path / "net.py")
    assert fastadv("run", "digits", "--model", network, *QUICK).returncode == 0
    first = only_run(home)
    (tmp_path / "net.py").unlink()
    again = fastadv("rerun", first.id)
    assert again.returncode == 0, again.stderr
    other = home / "runs" / again.stdout.strip()
    assert (other / "model.py").read_bytes() == first.model_code.read_bytes()
    followed = fastadv("watch", other.name)
    assert followed.returncode == 0, followed.stdout + followed.stderr


def test_the_code_runs_in_the_engine_alone(home: Path, tmp_path: Path) -> None:
    """Also when the history, the queue and the details of the run are shown."""
    log = tmp_path / "log"
    spy = f"import sys\nwith open({str(log)!r}, 'a') as file:\n    file.write(' '.join(sys.orig_argv) + '\\n')\n"
    network = user_networks.write(tmp_path / "net.py", spy + user_networks.LINEAR)
    trained = fastadv("run", "digits", "--model", network, *QUICK)
    assert trained.returncode == 0, trained.stderr
    for words in (["show", "last"], ["runs"], ["compare", "last", "last"], ["eval", "last", "--attack", "pgd-2"]):
        assert fastadv(*words).returncode == 0
    processes = log.read_text().splitlines()
    assert processes
    assert all(f"{sys.executable} -P -m engine --" in line for line in processes), processes


def test_a_module_on_pythonpath_is_a_network(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user_networks.write(tmp_path / "somewhere_else.py", user_networks.LINEAR)
    refused = fastadv("run", "digits", "--model", "somewhere_else:Net", *QUICK)
    assert refused.returncode == 2
    assert "no module somewhere_else is installed or on PYTHONPATH" in refused.stderr
    monkeypatch.chdir(tmp_path)  # which is not searched
    assert fastadv("run", "digits", "--model", "somewhere_else:Net", *QUICK).returncode == 2
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    trained = fastadv("run", "digits", "--model", "somewhere_else:Net", *QUICK)
    assert trained.returncode == 0, trained.stderr
    assert not only_run(home).model_code.exists()


@pytest.mark.parametrize(
    "fault", ["raises", "exits", "prints", "lacks the name", "wrong shape", "no gradient", "crashes"]
)
def test_a_wrong_file_is_refused_in_one_line_and_nothing_is_queued(home: Path, tmp_path: Path, fault: str) -> None:
    text, words = user_networks.WRONG[fault]
    refused = fastadv("run", "digits", "--model", user_networks.write(tmp_path / "net.py", text), *QUICK)
    assert refused.returncode == 2
    assert refused.stdout == ""
    sizes, line = refused.stderr.splitlines()
    assert sizes.startswith("eps ")
    assert line.startswith(f"fastadv: {words.replace('f', 'net.py', 1)}")
    assert not [*(home / "runs").iterdir()]


def test_a_file_without_an_end_is_refused(home: Path, tmp_path: Path) -> None:
    network = user_networks.write(tmp_path / "net.py", "while True:\n    pass\n")
    refused = fastadv("run", "digits", "--model", network, *QUICK)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("fastadv: net.py: takes more than 10 s to import")
    assert not [*(home / "runs").iterdir()]


def test_a_sweep_goes_through_arguments(home: Path, tmp_path: Path) -> None:
    network = user_networks.write(tmp_path / "net.py")
    swept = fastadv(
        "sweep", "digits", "--set", f"model={network}", "--grid", 'model.args={"width": 2},{"width": 3}', "--set",
        "epochs=1", "--set", "eval=none",
    )  # fmt: skip
    assert swept.returncode == 0, swept.stderr
    rows = json.loads(fastadv("runs", "--json").stdout)
    assert {row["settings"]["model.args"] for row in rows} == {'{"width":2}', '{"width":3}'}
    assert fastadv("stop", "--filter", "eval.attack=none", "--yes", "--now").returncode in (0, 1)
