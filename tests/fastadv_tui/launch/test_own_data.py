"""Own data sets as typed: paths become absolute, the file is read but never run, and the form shows what applies."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.user_code import DATASET_COPY, fingerprint_of
from fastadv_tui.history.index import History
from fastadv_tui.launch.again import missing
from fastadv_tui.launch.cost import FlopCounter
from fastadv_tui.launch.form import plan_form, read_form
from fastadv_tui.launch.repeat import as_typed, repeating_command
from fastadv_tui.launch.submission import configure
from fastadv_tui.launch.texts import texts_of_config
from fastadv_tui.runs.create import create_run
from tests.support.own_data import FIFTEEN_LINES


@pytest.fixture
def mine(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.py"
    path.write_text("raise SystemExit('nobody may run me here')\n" + FIFTEEN_LINES)
    return path


@pytest.mark.parametrize(
    ("typed", "absolute", "title"),
    [
        ("mine.py:data", "{}/mine.py:data", "mine.py:data-fgsm-eps8"),
        ("npz:sub/a.npz", "npz:{}/sub/a.npz", "a.npz-fgsm-eps8"),
        ("hf-data:./saved", "hf-data:{}/saved", "saved-fgsm-eps8"),
        ("imagefolder:photos", "imagefolder:{}/photos", "photos-fgsm-eps2"),
        ("digits", "digits", "digits-fgsm-eps51"),
    ],
)
def test_paths_become_absolute_and_titles_short(mine: Path, typed: str, absolute: str, title: str) -> None:
    config = configure(typed, {})
    assert config.dataset == absolute.format(mine.parent)
    assert config.title.startswith(title)


def test_the_file_is_read_and_not_run(mine: Path) -> None:
    config = configure("mine.py:data", {"epochs": "2"})
    assert config.data_code == fingerprint_of(mine.read_bytes())
    rundir = create_run(config, ["fastadv", "run", "mine.py:data"])
    assert (rundir.path / DATASET_COPY).read_bytes() == mine.read_bytes()
    assert rundir.submission().config == config


def test_a_file_that_changes_before_the_submission_is_refused(mine: Path) -> None:
    config = configure("mine.py:data", {})
    mine.write_text("def data(): ...\n")
    with pytest.raises(
        ConfigError,
        match=r"mine\.py has changed \(\w{12} then, \w{12} now\); restore the file, or submit it as it is now",
    ):
        create_run(config, [])
    mine.unlink()
    with pytest.raises(ConfigError, match=r"mine\.py does not exist"):
        create_run(config, [])


def test_other_runs_keep_no_copy(home: Path) -> None:
    rundir = create_run(configure("digits", {}), [])
    assert not (rundir.path / DATASET_COPY).exists()
    assert rundir.submission().config.data_code == ""


def test_a_run_is_repeated_with_the_file_of_now(mine: Path) -> None:
    config = configure("mine.py:data", {"epochs": "2", "flip": "on", "crop_padding": "2"})
    words = repeating_command(config)
    assert words[:3] == ["fastadv", "run", f"{mine}:data"]
    assert {*words[3:]} == {"--set", "crop_padding=2", "flip=on", "--epochs", "2"}
    assert plan_form(texts_of_config(config)).configs == [config]
    mine.write_text(FIFTEEN_LINES)
    now = configure(config.dataset, {key: text for key, text in as_typed(config).items() if key != "dataset"})
    assert now.data_code == fingerprint_of(FIFTEEN_LINES.encode()) != config.data_code


def test_the_form_shows_the_augmentation_of_data_in_memory_and_no_code(mine: Path) -> None:
    shown = read_form({"dataset": "mine.py:data"}).shown
    assert {"flip", "crop_padding"} <= shown
    assert not shown & {"data_code", "padding", "data_dir"}
    assert "padding" in read_form({"dataset": "mine.py:data", "crop_padding": "4"}).shown
    assert "padding" not in read_form({"dataset": "cifar", "crop_padding": "0"}).shown
    assert not {"flip", "crop_padding"} & read_form({"dataset": "imagefolder:/a"}).shown


def test_the_form_finds_a_file_that_is_missing(mine: Path) -> None:
    reading = read_form({"dataset": "yours.py:data", "epochs": "3"})
    assert {*reading.errors} == {"dataset"}
    assert "yours.py does not exist" in reading.errors["dataset"]


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("npz:", "npz: names no file; write npz:FILE"),
        ("hf-data:", "hf-data: names no folder; write hf-data:PATH"),
        ("mine.py", "'mine.py' names no function; write mine.py:NAME"),
        ("mine.py:3", "unknown data set 'mine.py:3'; use cifar, "),
        ("minepy:data", "FILE.py:NAME, npz:FILE, hf-data:PATH or imagefolder:PATH"),
    ],
)
def test_names_without_a_path_or_function_are_refused(mine: Path, dataset: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configure(dataset, {})
    assert said in str(caught.value)


def test_a_typed_fingerprint_is_refused(mine: Path) -> None:
    with pytest.raises(ConfigError, match="data_code follows from the file of the data set; leave it out"):
        configure("mine.py:data", {"data_code": "0123456789ab"})


def test_augmentation_of_a_folder_of_images_is_refused(home: Path) -> None:
    for key, text in (("flip", "on"), ("crop_padding", "0")):
        with pytest.raises(ConfigError, match=f"{key} is not supported for a folder of images"):
            configure("imagefolder:/a", {key: text})


def test_a_changed_file_is_counted_anew(mine: Path) -> None:
    counter = FlopCounter(lambda config: (_ for _ in ()).throw(ConfigError("not asked here")))
    first = configure("mine.py:data", {})
    counter.count(first)
    assert counter.missing([first]) == []
    mine.write_text(FIFTEEN_LINES)
    assert counter.missing([configure("mine.py:data", {})])


def test_a_sweep_finds_its_file_from_another_folder(
    mine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    History().begin()
    config = configure("mine.py:data", {"epochs": "2"})
    rundir = create_run(
        config, ["fastadv", "sweep", "mine.py:data", "--seeds", "0-1"], notes=b'{"tags":["sweep-0a0a"]}'
    )
    History().record_all([rundir])
    (row,) = History().rows()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    asked: list[list[str]] = []

    def configs_of(words: Sequence[str]) -> list[RunConfig]:
        asked.append(list(words))
        return [configure(words[0], {"epochs": "2", "seed": seed}) for seed in ("0", "1")]

    found = missing([row], [row], configs_of)
    assert asked == [[f"{mine}:data", "--seeds", "0-1"]]
    assert {run.config.dataset for run in found} == {f"{mine}:data"}
    assert {run.config.data_code for run in found} == {config.data_code}
