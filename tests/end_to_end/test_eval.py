"""`fastadv eval` as a shell sees it: files and runs, several eps, interruptions, and results of earlier evaluations."""

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.data.memory.batches import TestImages
from engine.data.memory.datasets import open_arrays
from engine.training import checkpoint
from tests.support.networks import InDouble, evaluate, trained_digits
from tests.support.shell import QUICK, fastadv, only_run, start
from tests.support.waiting import seconds, wait_until


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file with the state dict of a digits network of width 8."""
    path = tmp_path / "weights.pt"
    torch.save({"state_dict": trained_digits(width=8).state_dict()}, path)
    return path


DIGITS = ["--dataset", "digits", "--set", "model.width=8"]


def answers(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(text) for text in done.stdout.splitlines()]


def test_eval_of_a_file_gives_the_accuracy_that_the_library_gives(home: Path, weights: Path) -> None:
    words = ["eval", str(weights), *DIGITS, "--eps", "0.05,0.1", "--attack", "pgd-5-2", "--limit", "100", "--json"]
    understood, *_, measured = answers(fastadv(*words))
    assert (understood["type"], understood["images"], understood["test_images"]) == ("Understood", 100, 360)
    arrays = open_arrays("digits", "")
    test = TestImages.load(arrays.test_images, arrays.test_labels, torch.device("cpu")).first(100)
    model = trained_digits(width=8)
    for eps, robust in zip((0.05, 0.1), measured["robust"], strict=True):
        expected = evaluate(InDouble(model), test, Threat(eps), Pgd(5, 2, eps / 4), seed=0)
        assert measured["clean"] == expected.clean
        assert robust == pytest.approx(expected.robust, abs=0.02)  # float32 may decide a tie otherwise
    assert measured["robust"][0] > measured["robust"][1]


def test_eval_does_not_measure_again_what_was_measured_before(home: Path, weights: Path) -> None:
    words = ["eval", str(weights), *DIGITS, "--eps", "0.1", "--attack", "pgd-2", "--limit", "50"]
    first, second, anew = (fastadv(*words), fastadv(*words), fastadv(*words, "--again"))
    assert "measured before" in second.stdout
    assert "measured before" not in first.stdout + anew.stdout
    assert first.stdout.splitlines()[1:] == second.stdout.splitlines()[1:] == anew.stdout.splitlines()[1:]
    assert "PGD-2" in first.stdout
    assert "first 50 test images" in first.stderr


def test_eval_of_a_run_uses_the_settings_that_it_was_trained_with(home: Path) -> None:
    assert fastadv("run", "digits", *QUICK).returncode == 0
    rundir = only_run(home)
    *_, measured = answers(fastadv("eval", rundir.id, "--json"))
    assert measured["attack"] == "pgd-2"
    assert measured["eps"] == [0.2]
    assert len(rundir.evaluations.read_text().splitlines()) == 1
    assert "robust" in re.findall(r"^evaluated +(.*)", fastadv("show", rundir.id).stdout, re.MULTILINE)[0]
    (row,) = json.loads(fastadv("runs", "--json").stdout)
    assert [record["robust"] for record in row["evaluations"]] == measured["robust"]
    by_file = fastadv("eval", str(rundir.last), "--dataset", "digits", "--attack", "pgd-2", "--set", "model.width=4")
    assert "measured before" in by_file.stdout  # the same weights, the same question
    assert isinstance(checkpoint.load_model(rundir.path), torch.nn.Module)


def test_a_run_that_holds_images_out_is_measured_on_them_and_says_so(home: Path) -> None:
    trained = fastadv("run", "digits", *QUICK, "--set", "holdout=100")
    assert "1,337 training and 100 held-out training images" in trained.stdout
    assert "on all 100 held-out training images" in trained.stdout
    assert "held-out training images" in fastadv("show", "last").stdout
    again = fastadv("eval", "last")
    assert "all 100 held-out training images" in again.stderr
    on_test = fastadv("eval", "last", "--set", "holdout=0")
    assert "all 360 test images" in on_test.stderr


def test_an_interrupted_eval_command_continues_where_it_stopped(home: Path, weights: Path) -> None:
    words = ["eval", str(weights), *DIGITS, "--eps", "0.02", "--attack", "pgd-50-400", "--json"]
    done, message = _interrupted(words, after=50_000)
    assert "run the same command again to continue" in message
    later, _ = _interrupted(words, after=1_000)
    assert later[0] > done[-1] - 250 * 50  # a batch that was not over is attacked again


def _interrupted(words: list[str], after: int) -> tuple[list[int], str]:
    """Interrupt an evaluation when `after` units of work are done. Returns what was reported, and standard error."""
    done: list[int] = []
    with start(*words) as process:
        assert process.stdout is not None
        for text in process.stdout:
            answer = json.loads(text)
            if answer["type"] == "Working":
                done.append(answer["done"])
                if done[-1] > after >= max(done[:-1], default=0):
                    process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        message = process.stderr.read()
    assert process.returncode == 130
    return done, message


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_torch_is_loaded_is_a_stop(home: Path, weights: Path, number: signal.Signals) -> None:
    process = start("eval", str(weights), *DIGITS, "--eps", "0.02", "--attack", "pgd-50-400")
    wait_until(lambda: psutil.Process(process.pid).children())
    process.send_signal(number)
    _, message = process.communicate(timeout=seconds(60))
    assert process.returncode == 130
    assert message.splitlines()[-1] == "stopped; run the same command again to continue"
    assert "Traceback" not in message


def test_an_engine_that_was_killed_is_one_line(home: Path, weights: Path) -> None:
    process = start("eval", str(weights), *DIGITS, "--eps", "5/255", "--attack", "pgd-50-400")
    wait_until(lambda: psutil.Process(process.pid).children())
    (engine,) = psutil.Process(process.pid).children()
    engine.kill()
    _, message = process.communicate(timeout=seconds(60))
    assert process.returncode == 1
    assert message.splitlines() == [
        "fastadv: the engine was killed (signal 9), perhaps for lack of memory; run the same command again to continue "
        "from its last save"
    ]


def test_the_engine_of_an_eval_command_ends_when_the_command_is_killed(home: Path, weights: Path) -> None:
    process = start("eval", str(weights), *DIGITS, "--eps", "0.02", "--attack", "pgd-50-400", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    engines = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    (engine,) = engines
    wait_until(lambda: not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE, timeout=30)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["weights.pt"], "does not exist"),
        (["nobody"], "no run has the name"),
        (["FILE"], "--dataset"),
        (["FILE", *DIGITS, "--attack", "fgsm"], "unknown attack"),
        (["FILE", *DIGITS, "--eps", ","], "no values"),
        (["FILE", *DIGITS, "--eps", "300"], "allowed are 0 to 255"),
        (["FILE", *DIGITS, "--normalize", "twice"], "--normalize"),
        (["FILE", "--dataset", "digits"], "fits"),
        (["FILE", *DIGITS, "--device", "cuda:7"], "not there"),
    ],
)
def test_eval_refuses_what_a_user_can_put_right_in_one_line(
    home: Path, weights: Path, words: list[str], message: str
) -> None:
    done = fastadv("eval", *(str(weights) if word == "FILE" else word for word in words))
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_network_that_multiplies_its_logits_gets_the_robust_accuracy_of_the_network_itself(
    home: Path, weights: Path, tmp_path: Path
) -> None:
    state = torch.load(weights, weights_only=True)["state_dict"]
    last = [name for name, value in state.items() if value.shape[:1] == (10,)]
    assert len(last) == 2  # weight and bias of the last layer
    torch.save({name: value * 100 if name in last else value for name, value in state.items()}, tmp_path / "scaled.pt")
    words = [*DIGITS, "--eps", "0.1", "--attack", "pgd-10", "--json"]
    plain, scaled = (answers(fastadv("eval", str(path), *words))[-1] for path in (weights, tmp_path / "scaled.pt"))
    assert scaled["clean"] == plain["clean"]
    assert scaled["robust"] == [pytest.approx(plain["robust"][0], abs=0.01)]


def test_eval_warns_of_images_without_a_gradient(home: Path, weights: Path, tmp_path: Path) -> None:
    """The first layer is dead, so the network gives every image the same answer, and no attack changes it."""
    state = torch.load(weights, weights_only=True)["state_dict"]
    first = next(name for name in state if name.endswith(".weight"))
    torch.save({name: value * (name != first) for name, value in state.items()}, tmp_path / "dead.pt")
    words = ["eval", str(tmp_path / "dead.pt"), *DIGITS, "--eps", "0.1", "--attack", "pgd-2"]
    done = fastadv(*words)
    assert done.returncode == 0, done.stderr
    assert "warning: the network gives every image the same class: the figures say nothing" in done.stdout
    clean = float(done.stdout.split()[1].rstrip("%"))
    assert done.stdout.splitlines()[-1] == (
        f"warning: {round(clean * 3.6)} of 360 images have zero gradient under this attack: "
        "the figure may overstate robustness"
    )
    assert "have zero gradient" in fastadv(*words).stdout  # also when the stored result is shown
