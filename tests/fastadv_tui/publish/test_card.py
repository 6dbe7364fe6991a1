"""Cards and RobustBench's JSON say what was measured, and nothing of this machine."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from engine.config.presets import build
from engine.protocol.evaluations import EvaluationRecord, append
from engine.protocol.events import Evaluated, Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.publish.card import card_text
from fastadv_tui.publish.model_info import model_info, model_info_path, what_is_missing
from fastadv_tui.publish.network import export_file
from fastadv_tui.publish.results import results_of
from tests.support.events import started, step, write_events
from tests.support.runs import make_run


def record(attack: str, robust: float, images: int, **changes: Any) -> EvaluationRecord:
    fields: dict[str, Any] = {
        "time": "2026-11-27T12:00:00+00:00", "checkpoint": "last", "weights": "w", "dataset": "cifar10", "data": "d",
        "attack": attack, "eps": 8 / 255, "step_size": 0.0, "seed": 0, "images": images, "clean": 0.8125,
        "robust": robust, "answers": 10,
    }  # fmt: skip
    return EvaluationRecord(**{**fields, **changes})


def make(name: str = "mine", run_id: str = "ab12cd", seed: int = 0, **settings: Any) -> tuple[Row, RunDir]:
    ensure_home()
    values = {"name": name, "eps": 8 / 255, "seed": seed, "data_dir": "/secret/place", "extra_data": "", **settings}
    rundir = make_run(runs_dir() / run_id, submitted=1000.0, chosen=build("cifar10", values))
    final = Evaluated(
        stage="final", split="test", attack="pgd-50-10", step=100, epoch=10, clean=0.81,
        robust=0.45 + 0.01 * seed, images=10_000, answers=10,
    )  # fmt: skip
    write_events(rundir, started(test_images=10_000, flops=5 * 10**15), step(100), final, Finished(status="done"))
    return History().record(rundir), rundir


def card(row: Row, rundir: RunDir, **changes: str) -> str:
    return card_text(row, rundir, **{"license_": "mit", "which": "last", **changes})


def test_a_card_holds_results_settings_threat_model_work_and_command(home: Path) -> None:
    row, rundir = make()
    append(rundir.evaluations, [record("aa", 0.4321, 10_000), record("pgd-10", 0.5, 1000, checkpoint="best")])
    row = History().record(rundir)
    text = card(row, rundir, repo="me/net")
    for expected in (
        'license: "mit"', "- uoft-cs/cifar10", "PreActResNet-18 for cifar10", "eps 8/255 in the l-infinity norm",
        "| PGD-50-10 | l-infinity | 8/255 | 10,000 test images | 81.0% | 45.0% |",
        "| AA | l-infinity | 8/255 | 10,000 test images | 81.2% | 43.2% |",
        "seed 0", "5 PFLOP", "fastadv run cifar", "fastadv eval hf:me/net --eps 8", "alpha 10/255",
    ):  # fmt: skip
        assert expected in text, expected
    assert "PGD-10 " not in text  # it was measured on other weights
    assert "/secret/place" not in text
    assert str(home) not in text


@pytest.mark.skipif(find_spec("yaml") is None, reason="needs pyyaml")
def test_the_header_is_yaml_with_the_results_as_data(home: Path) -> None:
    import yaml

    _, rundir = make(name='evil"\n---\nname: <b>')
    append(rundir.evaluations, [record("aa", 0.4321, 10_000)])
    _, head, _ = card(History().record(rundir), rundir, license_='x"\ny: 1').split("---\n", 2)
    found = yaml.safe_load(head)
    assert found["license"] == 'x"\ny: 1'
    (index,) = found["model-index"]
    (result,) = index["results"]
    values = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert values["robust accuracy, AA, eps 8/255, 10000 test images"] == 43.21
    assert {*found} == {"license", "library_name", "pipeline_tag", "tags", "datasets", "model-index"}


def test_the_seeds_of_the_recipe_are_summed_up(home: Path) -> None:
    runs = [make(run_id=f"seed{seed}", seed=seed) for seed in range(3)]
    assert "seeds 0,1,2 of this recipe: clean 81.0 ± 0.0%, robust 46.0 ± 1.0%" in card(*runs[0])
    alone = make(run_id="alone", epochs=3)
    assert "of this recipe" not in card(*alone)


def test_the_json_is_that_of_robustbench(home: Path) -> None:
    row, rundir = make()
    assert f"no AutoAttack result yet: `fastadv eval {row.id} --attack aa`" in what_is_missing(row, rundir, "last")[0]
    assert "autoattack_acc" not in json.loads(model_info(row, rundir, "last"))
    append(rundir.evaluations, [record("aa", 0.44, 1000), record("aa", 0.5, 10_000, eps=4 / 255)])
    row = History().record(rundir)
    assert "AutoAttack was run on 1,000 images; RobustBench wants all 10,000" in what_is_missing(row, rundir, "last")
    append(rundir.evaluations, [record("aa", 0.4321, 10_000), record("aa-quick", 0.43, 10_000)])
    row = History().record(rundir)
    info = json.loads(model_info(row, rundir, "last"))
    # The keys and the form of the figures, from RobustBench's model_info/cifar10/Linf/Wong2020Fast.json.
    keys = "link name authors additional_data number_forward_passes dataset venue architecture eps clean_acc reported"
    assert {*info} == {*keys.split(), "autoattack_acc", "evaluated_images"}
    assert (info["clean_acc"], info["autoattack_acc"], info["eps"]) == ("81.25", "43.21", "8/255")
    assert (info["dataset"], info["architecture"], info["additional_data"]) == ("cifar10", "PreActResNet-18", False)
    assert model_info_path(row) == "model_info/cifar10/Linf/mine_ab12cd.json"
    assert what_is_missing(row, rundir, "last") == ["fill in link, name, authors and venue in the JSON"]


def test_a_name_with_tricks_makes_a_plain_path(home: Path) -> None:
    row, rundir = make(name="../../../etc/\x1b[2J passwd", norm="l2", eps=0.5)
    assert model_info_path(row) == "model_info/cifar10/L2/etc-2J-passwd_ab12cd.json"
    assert json.loads(model_info(row, rundir, "last"))["eps"] == "0.5"
    assert "\x1b" not in card(row, rundir)


def test_the_results_of_a_checkpoint_are_its_own(home: Path) -> None:
    row, rundir = make()
    append(rundir.evaluations, [record("pgd-50-10", 0.46, 10_000, checkpoint="best")])
    row = History().record(rundir)
    assert [found.robust for found in results_of(row, "best")] == [0.46]
    assert [found.robust for found in results_of(row, "last")] == [0.45]


def test_a_run_without_a_checkpoint_says_so(home: Path, tmp_path: Path) -> None:
    _, rundir = make()
    with pytest.raises(UserError, match="ab12cd has no best checkpoint"):
        export_file(rundir, "weights", tmp_path / "w.pt", "best")
    assert not (tmp_path / "w.pt").exists()
