"""Whole runs on an image folder: phases that grow, micro-batches, stops anywhere, and weights evaluated elsewhere."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import torch
from msgspec import structs

from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.sections import EvalConfig
from engine.data.folder import file_facts, listing
from engine.data.folder.image_folder import ImageFolder
from engine.protocol import event_log, events
from engine.protocol.requests import EvalAnswer, EvalRequest, Measured, Understood
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from engine.training.checkpoint import load_model
from tests.support.engine import ask_here, assert_same_end, environment, finish, of_kind, run_folder, start
from tests.support.folders import picture, tree
from tests.support.training import train
from tests.support.waiting import wait_until

GROWING = "0-1:24/12:10:0..0.1 1-2:24/16:6:0.1..0.02 2-3:0/20:5:0.02..0"
FEW: dict[str, Any] = {
    "model.name": "preact-resnet18",
    "model.width": 2,
    "model.depth": 1,
    "epochs": 3,
    "phases": GROWING,
    "micro_batch": 4,
    "watch.images": 4,
    "watch.steps": 1,
    "eval.attack": "pgd-1",
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.protocol.files.os.fsync", lambda handle: None)


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Two classes of six pictures, prepared in two sizes."""
    root = tmp_path / "pictures"
    tree(root / "full", count=6)
    tree(root / "24", count=6)
    return f"imagefolder:{root}"


def run(path: Path, dataset: str, **typed: Any) -> RunDir:
    return run_folder(path, FEW | typed, dataset)


def judged(folder: Path, config: RunConfig, again: bool = False) -> Measured:
    """The last answer of `engine --eval` for the weights in `folder`."""
    weights = str(folder / "resnet18.pt")
    request = EvalRequest(config=config, weights=weights, eps=(2 / 255,), folder=str(folder), again=again)
    code, out = ask_here("--eval", stdin=msgspec.json.encode(request))
    assert code == 0, out
    answers = [msgspec.json.decode(line, type=EvalAnswer) for line in out.splitlines()]
    assert isinstance(answers[0], Understood)
    assert answers[0].matched == "by name"
    assert isinstance(answers[-1], Measured)
    return answers[-1]


@pytest.mark.parametrize(
    "typed", [{}, {"method.name": "free", "method.replays": 2}, {"method.name": "pgd", "method.steps": 2}]
)
def test_a_run_with_phases_that_is_stopped_ends_with_the_same_numbers(
    tmp_path: Path, dataset: str, typed: dict[str, Any]
) -> None:
    whole = run(tmp_path / "whole", dataset, **typed)
    looks = train(whole).made
    for stop_at in range(1, looks, 5):
        broken = run(tmp_path / f"stopped {stop_at}", dataset, **typed)
        with pytest.raises(Stopped):
            train(broken, stop_at)
        train(broken, attempt=2)
        assert_same_end(whole, broken)


def test_the_trained_network_knows_the_classes_of_its_folder(tmp_path: Path, dataset: str) -> None:
    rundir = run(tmp_path / "run", dataset)
    train(rundir)
    model = load_model(rundir.path)
    assert model(torch.rand(3, 3, 20, 20)).shape == (3, 2)
    (final,) = [event for event in of_kind(rundir, events.Evaluated) if event.stage == "final"]
    assert final.images == 12


def test_a_run_on_a_size_that_is_not_prepared_is_refused_before_it_starts(tmp_path: Path, dataset: str) -> None:
    config = run(tmp_path / "run", dataset, phases="0-3:160/12:5:0.1..0").submission().config
    with pytest.raises(ConfigError, match=r"is not prepared in size 160 \(it has 24\); make it with `fastadv prepare"):
        train(run(tmp_path / "other", dataset, phases="0-3:160/12:5:0.1..0"))
    assert config.phase_list[0].size == 160


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_run_on_a_size_that_lacks_images_is_refused_before_it_starts(
    tmp_path: Path, dataset: str, split: str
) -> None:
    (Path(dataset.partition(":")[2]) / "24" / split / "a" / "2.JPEG").unlink()
    with pytest.raises(
        ConfigError, match=rf"has 11 {split} images in size 24 but 12 in full size; run `fastadv prepare"
    ):
        train(run(tmp_path / "run", dataset))


def test_an_unknown_network_is_refused_with_the_nearest_known_name(tmp_path: Path, dataset: str) -> None:
    rundir = run(tmp_path / "run", dataset, **{"model.name": "resnet81"})
    code, out = ask_here("--check", stdin=json.dumps(json.loads(rundir.config.read_bytes())["config"]).encode())
    assert code == 2
    assert b"torchvision has no such classifier (did you mean resnet18?)" in out


def resnet18() -> torch.nn.Module:
    """A network of torchvision's own for two classes."""
    from torchvision import models  # takes seconds, so not where every worker of pytest-xdist imports it

    return models.resnet18(num_classes=2)


def test_weights_of_torchvision_have_the_same_accuracy_in_any_batch(tmp_path: Path, dataset: str) -> None:
    torch.manual_seed(0)
    theirs = resnet18()
    for layer in theirs.modules():  # statistics differ, as those of a trained network do
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pt")
    found = []
    for batch in (5, 12):
        config = run(tmp_path / str(batch), dataset, **{"model.name": "resnet18", "micro_batch": batch}).submission()
        asked = structs.replace(config.config, eval=EvalConfig(attack="pgd-2-2", search="fp32"))
        answer = judged(tmp_path, asked, again=True)
        found.append((answer.clean, answer.robust, answer.images))
    assert found[0] == found[1]
    assert found[0][2] == 12


def test_a_run_is_not_resumed_on_other_data(tmp_path: Path, dataset: str) -> None:
    rundir, root = run(tmp_path / "run", dataset), Path(dataset.partition(":")[2])
    with pytest.raises(Stopped):
        train(rundir, 4)
    for size in ("full", "24"):
        picture(root / size / "train" / "a" / "7.JPEG")
    with pytest.raises(ConfigError, match=r"trained on 12 training images of 2 .*, but the data now has 13 training"):
        train(rundir, attempt=2)
    for size in ("full", "24"):
        (root / size / "train" / "a" / "7.JPEG").unlink()
        for split in ("train", "val"):
            (root / size / split / "a").rename(root / size / split / "z")  # the numbers of the classes change
    with pytest.raises(ConfigError, match=r"was trained on 12 .* \(names .*\), but the data now has 12 .* \(names"):
        train(rundir, attempt=2)
    for size in ("full", "24"):
        for split in ("train", "val"):
            (root / size / split / "z").rename(root / size / split / "a")
    os.utime(root / "full" / "train" / "a" / "1.JPEG", (0, 0))
    train(rundir, attempt=2)
    said = [event.message for event in of_kind(rundir, events.Note)]
    assert any("the data has changed since the checkpoint" in message for message in said), said


def test_a_stored_accuracy_is_not_used_for_another_image_size(tmp_path: Path, dataset: str) -> None:
    torch.save(resnet18().state_dict(), tmp_path / "resnet18.pt")
    keys = set()
    for phases in ("0-3:0/16:4:0.1..0", "0-3:0/20:4:0.1..0", "0-3:24/16:4:0.1..0"):
        config = run(tmp_path / phases.replace("/", "_"), dataset, phases=phases, **{"model.name": "resnet18"})
        judged(tmp_path, structs.replace(config.submission().config, eval=EvalConfig(attack="pgd-1")))
        keys = {path.name for path in tmp_path.glob("*.json")}
    assert len(keys) == 3


def test_a_test_image_that_cannot_be_read_counts_as_wrong(tmp_path: Path, dataset: str) -> None:
    torch.save(resnet18().state_dict(), tmp_path / "resnet18.pt")
    val = Path(dataset.partition(":")[2]) / "full" / "val"
    for path in (*val.glob("a/*"), *val.glob("b/*")):
        path.write_bytes(b"torn")
    config = run(tmp_path / "run", dataset, **{"model.name": "resnet18"}).submission().config
    found = judged(tmp_path, structs.replace(config, eval=EvalConfig(attack="pgd-1")))
    assert (found.clean, found.robust, found.images, found.unreadable) == (0.0, (0.0,), 12, 12)


def test_a_network_that_cannot_take_the_crop_is_refused(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", {"phases": "0-2:0/6"})
    code, out = ask_here("--check", stdin=json.dumps(json.loads(rundir.config.read_bytes())["config"]).encode())
    assert code == 2
    assert b"digits-cnn does not take images of 6 pixels" in out


def test_files_that_change_during_training_are_noted_and_the_next_fingerprint_is_another(
    tmp_path: Path, dataset: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of the files is compared at the start, as in a data set that is too large for that."""
    monkeypatch.setattr(listing, "YOUNG", -1)
    monkeypatch.setattr(file_facts, "_sample_differs", lambda listing, paths: False)
    home.mkdir()
    root = Path(dataset.partition(":")[2])
    first = ImageFolder(root).fingerprint()
    for split in ("train", "val"):
        os.utime(root / "full" / split / "a" / "1.JPEG", (0, 0))
    rundir = run(tmp_path / "run", dataset)
    train(rundir)
    (started,) = of_kind(rundir, events.Started)
    said = [event.message for event in of_kind(rundir, events.Note) if "has changed since" in event.message]
    assert started.data_fingerprint == first
    assert {message.partition(" has")[0] for message in said} == {
        str(root / "full" / split / "a" / "1.JPEG") for split in ("train", "val")
    }
    assert ImageFolder(root).fingerprint() != first


FULL_SHM = 'mount -t tmpfs -o size=64k tmpfs /dev/shm && head -c 64k /dev/zero > /dev/shm/full; exec "$@"'


def test_a_run_needs_no_room_in_dev_shm(tmp_path: Path, dataset: str) -> None:
    """As in a container, whose /dev/shm is small. Here nothing fits: it is full."""
    may_mount = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]  # only in a namespace of its own
    if shutil.which("unshare") is None or subprocess.run(may_mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs in a namespace of its own")
    rundir = run(tmp_path / "run", dataset)
    command = ["unshare", "-m", "sh", "-c", FULL_SHM, "sh", sys.executable, "-P", "-m", "engine", str(rundir.path)]
    with rundir.log.open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
    assert finish(process) == 0, rundir.log.read_text()
    (finished,) = of_kind(rundir, events.Finished)
    assert finished.status == "done"
    assert len(of_kind(rundir, events.Step)) >= 3


def test_that_no_worker_can_be_started_is_noted_once(
    tmp_path: Path, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork() -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", fork)
    rundir = run(tmp_path / "run", dataset)
    train(rundir)
    (said,) = [event.message for event in of_kind(rundir, events.Note) if "decodes" in event.message]
    assert "which is slower: cannot start a process that decodes images (Resource temporarily unavailable)" in said
    assert said.endswith("allow more processes with `ulimit -u`")


def test_a_run_whose_decoder_is_killed_fails_in_one_line(tmp_path: Path, dataset: str) -> None:
    rundir = run(tmp_path / "run", dataset, epochs=10_000, phases="0-10000:0/12:4:0.1..0")
    with start(rundir) as engine:
        wait_until(lambda: of_kind(rundir, events.Step), timeout=60)
        psutil.Process(engine.pid).children()[0].kill()
        assert finish(engine) == 1
    (finished,) = of_kind(rundir, events.Finished)
    assert finished.error.startswith("a process that decodes images was killed, perhaps because memory ran out")
    assert "Traceback" not in rundir.log.read_text()


def test_a_data_set_of_one_class_is_told_before_it_trains(tmp_path: Path) -> None:
    root = tree(tmp_path / "pictures", classes=("only",), count=6)
    rundir = run(tmp_path / "run", f"imagefolder:{root}", phases="0-1:0/12:6:0.1..0", epochs=1)
    train(rundir)
    before = list(event_log.read(rundir.events))
    before = before[: [isinstance(event, events.Step) for event in before].index(True)]
    said = [event.message for event in before if isinstance(event, events.Note)]
    assert [message for message in said if message.startswith("all 6 training images have the label 0: a network")]
    assert [message for message in said if message.startswith("all 6 test images have the label 0: a network")]


def test_images_that_break_during_training_and_files_that_are_no_images_are_named(tmp_path: Path, dataset: str) -> None:
    root = Path(dataset.partition(":")[2])
    (root / "full" / "train" / "a" / "2.JPEG").write_bytes(b"torn")
    for size in ("full", "24"):
        (root / size / "train" / "a" / os.fsdecode(b"\xff.JPEG")).write_bytes(b"torn, with a name that is not UTF-8")
        picture(root / size / "train" / "a" / "7.JPEG")
    picture(root / "full" / "train" / "b" / "moving.gif", format="GIF")
    rundir = run(tmp_path / "run", dataset)
    train(rundir)
    said = [event.message for event in of_kind(rundir, events.Note)]
    assert any(message.startswith("ignored: train/b/moving.gif;") for message in said), said
    assert any("a/2.JPEG cannot be read" in message for message in said), said
    assert any(r"a/\udcff.JPEG cannot be read" in message for message in said), said
