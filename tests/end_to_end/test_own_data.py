"""Data sets of a user's own as a shell sees them: they train, resume, are evaluated and shown, or are refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.config.user_code import DATASET_COPY
from engine.data.memory.datasets import open_arrays
from engine.protocol import event_log
from engine.protocol.events import Note
from engine.protocol.rundir import RunDir
from fastadv_tui.runs.state import load
from tests.support.networks import trained_digits
from tests.support.own_data import FIFTEEN_LINES, made_up, write_corruptions, write_npz, write_svhn
from tests.support.runs import wait_for_status
from tests.support.shell import fastadv, only_run, start, wait_for_steps
from tests.support.waiting import wait_until

SMALL = ["--preset", "digits", "--epochs", "2", "--set", "model.width=4", "--eval", "pgd-2", "--device", "cpu"]


@pytest.fixture
def mine(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of 15 lines, in the working folder."""
    assert len(FIFTEEN_LINES.splitlines()) <= 15
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.py"
    path.write_text(FIFTEEN_LINES)
    return path


def test_a_data_set_in_a_file_trains_is_evaluated_and_shown(home: Path, mine: Path) -> None:
    trained = fastadv("run", "mine.py:data", *SMALL)
    assert trained.returncode == 0, trained.stderr
    assert "300 training and 100 test images" in trained.stdout
    rundir = only_run(home)
    assert (rundir.path / DATASET_COPY).read_text() == FIFTEEN_LINES
    shown = fastadv("show", "last").stdout
    assert f"{mine}:data, fingerprint " in shown
    assert "data_code" not in next(line for line in shown.splitlines() if line.startswith("repeat"))
    mine.write_text("raise ValueError('the file of later')\n")
    measured = fastadv("eval", "last", "--attack", "pgd-3")
    assert measured.returncode == 0, measured.stderr
    assert "on 100 images" in measured.stdout
    assert "under PGD-3" in fastadv("show", "last").stdout
    again = fastadv("rerun", "last")
    assert again.returncode == 2
    assert "mine.py has changed" in again.stderr
    assert "Traceback" not in trained.stderr + measured.stderr + again.stderr


def test_a_resumed_run_goes_on_with_its_copy_and_says_that_the_file_has_changed(home: Path, mine: Path) -> None:
    with start("run", "mine.py:data", *SMALL, "--epochs", "1000") as process:
        rundir = wait_for_steps(home)
        assert fastadv("stop", rundir.id).returncode == 0
        process.wait()
    wait_for_status(rundir, "stopped")
    stopped = load(rundir).step
    mine.write_text("while True:\n    pass\n")
    assert fastadv("resume", rundir.id, "--detach").returncode == 0
    wait_until(lambda: load(rundir).step > stopped, timeout=60)
    fastadv("stop", rundir.id)
    wait_for_status(rundir, "stopped")
    assert any("mine.py has changed" in note and "uses its copy" in note for note in _notes(rundir))


def _notes(rundir: RunDir) -> list[str]:
    return [event.message for event in event_log.read(rundir.events) if isinstance(event, Note)]


def test_the_file_runs_in_processes_of_the_engine_alone(home: Path, mine: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    record = f"import sys\nwith open({str(seen)!r}, 'a') as f: f.write(' '.join(sys.orig_argv) + chr(10))\n"
    mine.write_text(record + FIFTEEN_LINES)
    assert fastadv("run", "mine.py:data", *SMALL).returncode == 0
    for words in (["show", "last"], ["runs"], ["eval", "last"], ["runs", "--json"]):
        assert fastadv(*words).returncode == 0
    lines = seen.read_text().splitlines()
    assert len(lines) >= 3  # the check, the training and the evaluation
    assert all("-m engine" in line for line in lines), lines


NEVER = "import sys\nsys.exit(3)\n"
REFUSED = {
    "no file": ("nowhere.py:data", "nowhere.py does not exist"),
    "no name": ("mine.py", "'mine.py' names no function; write mine.py:NAME"),
    "another name": ("mine.py:other", "mine.py has no other; it defines data"),
    "no syntax": ("bad.py:data", "bad.py line 1: SyntaxError"),
    "exits": ("exits.py:data", "exits.py line 2: exits"),
    "loops": ("loops.py:data", "loops.py: takes more than 10 s to import"),
    "no npz": ("npz:nowhere.npz", "nowhere.npz does not exist"),
    "no path": ("npz:", "npz: names no file; write npz:FILE"),
    "floats": ("npz:floats.npz", "x_train has the type float64; it must be uint8"),
    "no folder": ("hf-data:nowhere", "hf-data:"),
    "no svhn": ("svhn", "put svhn/*_32x32.mat there (official layout)"),
    "no tiny-imagenet": ("tiny-imagenet", "put tiny-imagenet-200 there (official layout)"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_what_is_no_data_set_is_refused_in_one_line(home: Path, mine: Path, how: str) -> None:
    folder = mine.parent
    (folder / "bad.py").write_text("def data(:\n")
    (folder / "exits.py").write_text(NEVER)
    (folder / "loops.py").write_text("while True:\n    pass\n")
    write_npz(folder / "floats.npz", x_train=np.zeros((12, 6, 5, 3)))
    dataset, said = REFUSED[how]
    done = fastadv("run", dataset, "--device", "cpu")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("eps ")]
    assert said in line
    assert not (home / "runs").exists() or not [*(home / "runs").iterdir()]


def test_svhn_in_its_official_files_trains(home: Path) -> None:
    write_svhn(home / "data" / "svhn", train=40, test=20)
    words = ["--epochs", "1", "--set", "model.width=4", "--batch-size", "20", "--eval", "pgd-2", "--device", "cpu"]
    done = fastadv("run", "svhn", *words)
    assert done.returncode == 0, done.stderr
    assert "40 training and 20 test images" in done.stdout


def test_accuracies_on_corrupted_images_are_kept_shown_and_exported(home: Path, tmp_path: Path) -> None:
    *_, test_images, test_labels = write_npz(tmp_path / "small.npz")
    write_corruptions(tmp_path / "corrupted", test_images, test_labels)
    assert fastadv("run", f"npz:{tmp_path / 'small.npz'}", *SMALL, "--batch-size", "6").returncode == 0
    rundir = only_run(home)
    os.rename(tmp_path / "small.npz", tmp_path / "away.npz")  # noqa: PTH104 - the facts are in the checkpoint
    done = fastadv("eval", rundir.id, "--corruptions", str(tmp_path / "corrupted"))
    assert done.returncode == 0, done.stderr
    assert "15 corruptions in 5 severities of all 6 test images" in done.stderr
    assert "mean corruption accuracy" in done.stdout
    assert "measured before" in fastadv("eval", rundir.id, "--corruptions", str(tmp_path / "corrupted")).stdout
    (kept,) = rundir.corruptions.read_text().splitlines()
    accuracies = [accuracy for _, by_severity in json.loads(kept)["accuracies"] for accuracy in by_severity]
    assert len(accuracies) == 75
    (mean, _) = [line for line in fastadv("show", "last").stdout.splitlines() if line.startswith("corrupted")]
    assert f"{100 * np.mean(accuracies):.1f}% mean over 15 corruptions" in mean
    (listed,) = json.loads(fastadv("show", "last", "--json").stdout)["corruptions"]
    assert listed["accuracies"] == json.loads(kept)["accuracies"]
    exported = fastadv("export", "last", "--format", "corruptions").stdout.splitlines()
    assert len(exported) == 76
    assert [float(line.rpartition(",")[2]) for line in exported[1:]] == accuracies


def test_a_file_of_weights_is_measured_on_corrupted_images(home: Path, tmp_path: Path) -> None:
    arrays, model = open_arrays("digits", ""), trained_digits(width=8)
    images, labels = arrays.test_images[:50], arrays.test_labels[:50]
    write_corruptions(tmp_path / "corrupted", images, labels)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    words = ["--dataset", "digits", "--set", "model.width=8", "--corruptions", str(tmp_path / "corrupted"), "--json"]
    done = fastadv("eval", str(tmp_path / "weights.pt"), *words, "--limit", "40")
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])
    assert (measured["type"], measured["images"]) == ("CorruptionsMeasured", 40)
    names = [name for name, _ in measured["accuracies"]]
    for name, severity in (("gaussian_noise", 1), ("fog", 3), ("jpeg_compression", 5)):
        pixels = np.maximum(images[:40].astype(int) - names.index(name) - 10 * severity, 0)
        with torch.no_grad():
            answers = model(torch.tensor(pixels.transpose(0, 3, 1, 2) / 255, dtype=torch.float32)).argmax(1)
        right = (answers.numpy() == labels[:40]).mean()
        assert dict(measured["accuracies"])[name][severity - 1] == pytest.approx(right)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--eps", "8"], "--eps is for an attack; --corruptions measures without one"),
        (["--attack", "pgd-2"], "--attack is for an attack"),
        (["--corruptions", "nowhere"], "--corruptions nowhere: no such folder"),
        (["--detach"], "--detach is for attacks"),
        ([], "labels.npy is missing"),
    ],
)
def test_corruptions_that_cannot_be_measured_are_refused(
    home: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    weights = tmp_path / "weights.pt"
    torch.save(trained_digits(width=8).state_dict(), weights)
    (tmp_path / "empty").mkdir()
    target = [str(weights), "--dataset", "digits", "--set", "model.width=8"]
    done = fastadv("eval", *target, "--corruptions", str(tmp_path / "empty"), *words)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line


def test_made_up_data_have_every_class_in_both_splits() -> None:
    _, labels, _, test_labels = made_up()
    assert {*labels} == {*test_labels} == {0, 1, 2}
