"""`engine --eval` of a run: recorded in the run directory, and refused if the checkpoint is not of this run."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from msgspec import structs

from engine import __main__ as main
from engine.protocol import event_log, events
from engine.protocol.evaluations import read
from engine.protocol.requests import EvalRequest, Measured, Unsaved
from engine.protocol.rundir import RunDir
from engine.runtime import precision
from tests.support.engine import ask_here, run_folder
from tests.support.runs import edit_config, make_run
from tests.support.small_disk import full_disk, small_disk
from tests.support.training import StopAfter, train

SETTINGS = {"batch_size": 400, "epochs": 1, "watch.images": 40, "watch.steps": 1, "eval.images": 60}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A trained run of each width."""
    folder = tmp_path_factory.mktemp("runs")
    runs = {width: run_folder(folder / f"w{width}", SETTINGS | {"model.width": width}) for width in (4, 8)}
    for rundir in runs.values():
        train(rundir)
    return {width: rundir.path for width, rundir in runs.items()}


@pytest.fixture
def rundir(trained: dict[int, Path], tmp_path: Path) -> RunDir:
    shutil.copytree(trained[4], tmp_path / "run")
    return RunDir(tmp_path / "run")


def request(rundir: RunDir, which: str = "last", **changes: Any) -> EvalRequest:
    folder = rundir.path.parent / "evaluations"
    folder.mkdir(exist_ok=True)
    trained = rundir.submission().config
    config = structs.replace(trained, eval=structs.replace(trained.eval, attack="pgd-2", images=60))
    given = {"config": config, "weights": str(rundir.path / f"{which}.pt"), "eps": (0.1, 0.2), "run": str(rundir.path)}
    return EvalRequest(**{**given, "folder": str(folder), **changes})


def answers(asked: EvalRequest) -> tuple[int, list[dict[str, Any]]]:
    code, out = ask_here("--eval", stdin=msgspec.json.encode(asked))
    return code, [msgspec.json.decode(line) for line in out.splitlines()]


def test_the_result_of_a_run_is_recorded_with_what_decided_it(rundir: RunDir) -> None:
    code, (*_, measured) = answers(request(rundir))
    assert code == 0
    records = read(rundir.evaluations)
    assert [(record.eps, record.robust) for record in records] == list(zip((0.1, 0.2), measured["robust"], strict=True))
    first = records[0]
    assert (first.attack, first.images, first.clean) == ("pgd-2", 60, measured["clean"])
    assert (first.checkpoint, first.step, first.dataset, first.held_out) == ("last", 4, "digits", False)
    assert [record.step_size for record in records] == [pytest.approx(0.025), pytest.approx(0.05)]
    assert first.time[-6] in "+-"  # the offset from UTC


def test_the_hash_tells_weights_apart(rundir: RunDir) -> None:
    answers(request(rundir))
    state = torch.load(rundir.last, weights_only=True)
    name = next(iter(key for key in state["model"] if key.endswith(".bias")))
    state["model"][name] += 0.01
    torch.save(state, rundir.last)
    answers(request(rundir))
    hashes = [record.weights for record in read(rundir.evaluations)]
    assert [len(hashes), len(set(hashes))] == [4, 2]


def test_a_stored_result_is_recorded_once_and_a_new_measurement_again(rundir: RunDir) -> None:
    answers(request(rundir, run=""))  # as a file
    assert not rundir.evaluations.exists()
    for _ in range(2):
        _, (*_, measured) = answers(request(rundir))
        assert measured["before"]
    assert len(read(rundir.evaluations)) == 2
    answers(request(rundir, again=True))
    assert len(read(rundir.evaluations)) == 4


@pytest.mark.parametrize("which", ["last", "best"])
@pytest.mark.parametrize(("key", "value", "was"), [("eps", 0.3, 0.2), ("model.width", 8, 4), ("seed", 7, 0)])
def test_a_checkpoint_that_was_trained_otherwise_than_its_run_says_is_refused(
    rundir: RunDir, which: str, key: str, value: object, was: object
) -> None:
    edit_config(rundir, key, value)
    code, (refused,) = answers(request(rundir, which))
    assert code == 2
    assert refused["message"] == (
        f"{which}.pt: trained with {key} = {was}, but config.json now has {value}; "
        "restore config.json or the checkpoint"
    )
    assert not rundir.evaluations.exists()


def test_a_checkpoint_of_another_run_is_refused(rundir: RunDir, trained: dict[int, Path]) -> None:
    shutil.copy(trained[8] / "last.pt", rundir.last)
    code, (refused,) = answers(request(rundir))
    assert code == 2
    assert "trained with model.width = 8, but config.json now has 4" in refused["message"]


def test_weights_without_a_record_are_no_checkpoint_of_a_run(rundir: RunDir) -> None:
    torch.save(torch.load(rundir.last, weights_only=True)["model"], rundir.last)
    code, (refused,) = answers(request(rundir))
    assert code == 2
    assert "last.pt is no checkpoint of a run; to evaluate it as a file of weights" in refused["message"]


def test_a_harmless_difference_is_a_note(rundir: RunDir) -> None:
    edit_config(rundir, "watch.images", 20)
    code, (understood, *_) = answers(request(rundir))
    assert code == 0
    assert understood["notes"] == ["watch.images has changed since the checkpoint: it was 40 and is now 20"]


def test_a_search_that_the_gpu_only_emulates_is_a_note(rundir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "emulated", lambda key, asked, device: [f"{key} = {asked} on {device}"])
    asked = request(rundir)
    in_bf16 = structs.replace(asked.config.eval, search="bf16")
    _, (understood, *_) = answers(structs.replace(asked, config=structs.replace(asked.config, eval=in_bf16)))
    assert understood["notes"] == ["eval.search = bf16 on cpu"]


def test_data_that_changed_since_the_training_is_said_or_refused(rundir: RunDir) -> None:
    state = torch.load(rundir.last, weights_only=True)
    shape, fingerprint = state["data"]
    torch.save(state | {"data": [shape, "0123"]}, rundir.last)
    _, (understood, *_) = answers(request(rundir))
    assert understood["notes"] == [
        f"the data has changed since the checkpoint: its fingerprint was 0123 and is now {fingerprint}"
    ]
    torch.save(state | {"data": ["99 training images", "0123"]}, rundir.last)
    code, (refused,) = answers(request(rundir))
    assert code == 2
    assert "this run was trained on 99 training images, but the data now has 1,437" in refused["message"]


def test_another_data_set_is_not_compared_with_that_of_the_training(rundir: RunDir) -> None:
    asked = request(rundir)
    asked = structs.replace(asked, config=structs.replace(asked.config, holdout=100))
    code, (understood, *_) = answers(asked)
    assert (code, understood["notes"]) == (0, [])
    assert {record.held_out for record in read(rundir.evaluations)} == {True}


def fill(path: Path) -> None:
    """Fill a disk with zeros to its last byte."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))


def test_a_full_disk_is_one_line_and_the_result_is_answered_all_the_same(rundir: RunDir, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "512k") as disk:
        shutil.copytree(rundir.path, disk / "run")
        full = RunDir(disk / "run")
        asked = request(full)
        full.evaluations.touch()
        fill(disk / "ballast")
        code, given = answers(asked)
    assert code == 1
    assert [answer["type"] for answer in given[-2:]] == [Measured.__struct_config__.tag, Unsaved.__struct_config__.tag]
    assert "evaluations.jsonl: No space left on device" in given[-1]["message"]
    assert "\n" not in given[-1]["message"]


def test_a_full_disk_under_the_progress_is_told_in_one_line(rundir: RunDir, tmp_path: Path) -> None:
    with full_disk(tmp_path / "full") as folder:
        code, out = answers(request(rundir, folder=str(folder)))
    assert (code, out[-1]["type"]) == (1, "Unsaved")
    assert out[-1]["message"].startswith(f"cannot write {folder}/")
    assert out[-1]["message"].endswith("No space left on device (0 kB free); make room, and try again")


def in_a_folder(asked: EvalRequest, folder: Path) -> RunDir:
    """A folder with the evaluation, as one that waits in the queue has it."""
    evaluation = make_run(folder, chosen=asked.config)
    evaluation.request.write_bytes(msgspec.json.encode(asked))
    return evaluation


def test_an_evaluation_in_a_folder_tells_its_progress_and_records_the_same_result(
    rundir: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(request(rundir))
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    evaluation = in_a_folder(request(rundir, again=True), tmp_path / "job")
    assert main.train(evaluation) == 0
    told = list(event_log.read(evaluation.events))
    assert [event.phase for event in told if isinstance(event, events.Starting)] == [
        "loading torch",
        "loading the data",
    ]
    progress = [event for event in told if isinstance(event, events.Progress)]
    assert progress[-1].done == progress[-1].total
    assert progress[-1].attack == "pgd-2"
    assert isinstance(told[-1], events.Finished)
    assert told[-1].status == "done"
    first, second = read(rundir.evaluations)[:2], read(rundir.evaluations)[2:]
    assert [(record.question(), record.robust) for record in first] == [(r.question(), r.robust) for r in second]


def test_an_evaluation_in_a_folder_that_is_stopped_goes_on_from_there(
    rundir: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter(2))
    stopped = in_a_folder(request(rundir), tmp_path / "job")
    assert main.train(stopped) == 130
    assert list(event_log.read(stopped.events))[-1].status == "stopped"  # type: ignore[union-attr]
    assert read(rundir.evaluations) == []
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    assert main.train(in_a_folder(request(rundir), tmp_path / "again")) == 0
    assert len(read(rundir.evaluations)) == 2


def test_an_evaluation_in_a_folder_that_cannot_be_done_says_why(
    rundir: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "StopRequest", lambda file: StopAfter())
    rundir.last.write_bytes(b"torn")
    evaluation = in_a_folder(request(rundir), tmp_path / "job")
    assert main.train(evaluation) == 1
    last = list(event_log.read(evaluation.events))[-1]
    assert isinstance(last, events.Finished)
    assert "last.pt" in last.error


def with_attack(rundir: RunDir, attack: str) -> EvalRequest:
    asked = request(rundir, eps=(0.1,))
    config = structs.replace(asked.config, eval=structs.replace(asked.config.eval, attack=attack, images=30))
    return structs.replace(asked, config=config)


def test_an_attack_of_several_stages_is_recorded_with_what_each_of_them_fooled(rundir: RunDir) -> None:
    code, (understood, *_, measured) = answers(with_attack(rundir, "pgd-1+apgd-ce"))
    assert (code, understood["attack"]) == (0, "pgd-1+apgd-ce")
    (record,) = read(rundir.evaluations)
    assert [stage for stage, _ in record.fooled_by] == ["pgd-1", "apgd-ce"]
    assert [list(each) for each in record.fooled_by] == measured["fooled_by"][0]
    assert sum(count for _, count in record.fooled_by) == round(30 * (record.clean - record.robust))


def test_an_attack_of_a_package_that_is_not_installed_is_refused_in_one_line(
    rundir: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.config.attacks.find_spec", lambda package: None)
    code, (refused,) = answers(with_attack(rundir, "aa"))
    assert (code, refused["type"]) == (2, "Refused")
    assert "pip install pyautoattack" in refused["message"]
