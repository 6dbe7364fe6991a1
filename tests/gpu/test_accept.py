"""The acceptance checks for a GPU: all of them in small on a CPU, and the processes that do them."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.attacks.threat import Threat
from engine.data.memory.datasets import open_arrays
from engine.models.fold_batchnorm import folded
from engine.runtime.rng import image_noise
from engine.training.learner import Learner
from tests.gpu import checks, checks_training
from tests.gpu.networks import made_up, write_made_up_cifar
from tests.gpu.registry import Findings, Machine
from tests.gpu.worker import do
from tests.support.processes import ROOT
from tests.support.runs import gone
from tests.support.waiting import seconds

SMALL = Machine("cpu", small=True)
ACCEPT = ROOT / "tests" / "gpu" / "accept.py"
SKIPPED = {  # with the beginnings of the reasons
    9: ("no captured step in this version", "a CPU has no CUDA graphs"),
    20: ("needs a GPU",),
}
TOYS = ("--checks", "tests.gpu.toy_checks", "--device", "cpu")


def accept(*words: str | Path, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
    """The command as a user types it, without this folder on the path."""
    command = [sys.executable, str(ACCEPT), *map(str, words)]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=seconds(timeout))


def by_number(content: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {check["number"]: check for check in content["checks"]}


def info(check: dict[str, Any], what: str) -> str:
    (found,) = [finding["figure"] for finding in check["findings"] if finding["what"] == what]
    return str(found)


def test_every_check_passes_in_small_on_a_cpu_but_for_those_that_are_skipped_with_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    done = accept("--device", "cpu", "--small", *minutes(550), "--json", file, timeout=600)
    content = json.loads(file.read_text())
    found = by_number(content)
    assert [*found] == [*range(1, 25)]
    bad = {number: check for number, check in found.items() if check["status"] not in ("ok", "skip")}
    assert not bad, f"{json.dumps(bad, indent=1)}\n{done.stderr}"
    skipped = {number: check["reason"] for number, check in found.items() if check["status"] == "skip"}
    assert skipped.keys() == SKIPPED.keys()
    assert all(reason.startswith(SKIPPED[number]) for number, reason in skipped.items())
    assert (done.returncode, content["failed"], content["device"]) == (0, [], "cpu")
    assert content["torch"] == torch.__version__
    assert {"date", "commit", "gpu", "driver", "cuda"} <= content.keys()


@pytest.fixture(scope="module")
def toys() -> "subprocess.CompletedProcess[str]":
    """One run of checks that end in every way."""
    return accept(*TOYS, "--only", ",".join(map(str, [*range(1, 12), 14, 15])))


def toy_outcomes(done: "subprocess.CompletedProcess[str]") -> dict[int, dict[str, Any]]:
    return by_number(json.loads(done.stdout.splitlines()[-1]))


def test_no_check_stops_the_others_however_it_ends(toys: "subprocess.CompletedProcess[str]") -> None:
    found = toy_outcomes(toys)
    ends = {number: (check["status"], check["reason"]) for number, check in found.items()}
    assert ends == {
        1: ("ok", ""),
        2: ("FAIL", ""),
        3: ("FAIL", "ValueError: no such thing"),
        4: ("FAIL", f"it took longer than {seconds(1):.0f} s"),
        5: ("FAIL", "its process died: signal 9"),
        6: ("skip", "no such part in this version"),
        7: ("skip", "needs a GPU"),
        8: ("ok", ""),
        9: ("FAIL", "the check found no figure"),
        10: ("ok", ""),
        11: ("ok", ""),
        14: ("FAIL", "its process died: signal 9"),
        15: ("ok", ""),
    }
    assert toys.returncode == 1
    assert json.loads(toys.stdout.splitlines()[-1])["failed"] == [2, 3, 4, 5, 9, 14]


def test_the_json_has_every_figure_and_the_traceback(toys: "subprocess.CompletedProcess[str]") -> None:
    found = toy_outcomes(toys)
    assert found[2]["findings"] == [
        {"what": "apples", "figure": "3", "limit": ">= 2", "status": "ok"},
        {"what": "pears", "figure": "3", "limit": "<= 2", "status": "FAIL"},
    ]
    assert found[3]["traceback"].splitlines()[-2:] == ["ValueError: no such thing", "and a long story"]
    assert info(found[3], "before") == "1"  # what a check found before it failed
    assert found[4]["seconds"] >= 1
    assert [finding["status"] for finding in found[11]["findings"]] == ["ok", "slow", "info"]


def test_lines_and_table_show_figures_limits_and_reasons(toys: "subprocess.CompletedProcess[str]") -> None:
    lines, _, table = toys.stdout.partition("Acceptance checks")
    assert " 2 beyond its limit: FAIL" in lines
    assert "pears: 3, not <= 2" in lines
    assert "a library that writes" not in toys.stdout  # the last line is JSON whatever a library prints
    for text in ("pears: 3", "<= 2", "FAIL", "its process died: signal 9", "slow", "needs a GPU"):
        assert text in table


def test_a_check_has_a_fresh_process_after_an_error_and_one_of_its_own_if_it_asks(
    toys: "subprocess.CompletedProcess[str]",
) -> None:
    found = toy_outcomes(toys)
    first, alone, last = (info(found[number], "pid") for number in (1, 8, 11))
    assert len({first, alone, last}) == 3
    assert info(found[15], "pid") == last  # the end of another process does not matter to it
    assert gone(int(info(found[10], "pid")))  # what a check leaves is killed


def minutes(nominal: float) -> tuple[str, str]:
    """The option for so many seconds of a quiet machine."""
    return "--minutes", f"{seconds(nominal) / 60}"


def test_a_check_that_does_not_fit_into_the_time_is_skipped() -> None:
    done = accept(*TOYS, "--only", "12,1", *minutes(20))
    found = toy_outcomes(done)
    assert (found[1]["status"], found[12]["status"], done.returncode) == ("ok", "skip", 0)
    assert found[12]["reason"].startswith("it takes about 600 s, and ")
    assert found[12]["reason"].endswith(" s are left of --minutes")


def test_a_check_that_outlasts_the_time_is_cut_off() -> None:
    done = accept(*TOYS, "--only", "13", *minutes(3))
    assert toy_outcomes(done)[13]["reason"] == "cut off: the time of --minutes is over"
    assert (toy_outcomes(done)[13]["status"], done.returncode) == ("skip", 0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--only", "3,99"), "there is no check 99; use numbers from 1 to 15"),
        (("--only", "three"), "there is no check three"),
        (("--checks", "tests.gpu.none"), "No module named 'tests.gpu.none'; type pip install -e '.[dev]'"),
        (("--device", "cuda"), "accept: there is no GPU here"),
    ],
)
def test_what_cannot_be_done_is_one_line(words: tuple[str, ...], told: str) -> None:
    done = accept(*TOYS, *words)
    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]


def test_an_interrupt_ends_the_command_and_its_check() -> None:
    command = [sys.executable, str(ACCEPT), *TOYS, "--only", "1,13"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(" 1 good: ok")
        process.send_signal(signal.SIGINT)
        assert process.wait(seconds(30)) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch can use a GPU here")
def test_without_a_gpu_the_line_says_why_and_what_to_type() -> None:
    refused = checks.why_refused(Machine("cuda"))
    assert refused.startswith("torch cannot use a GPU here: torch ")
    assert refused.endswith("--device cpu --small")
    assert not checks.why_refused(SMALL)


def test_a_figure_that_is_no_number_keeps_no_limit() -> None:
    findings = Findings()
    findings.at_most("most", float("nan"), 1)
    findings.at_least("least", float("nan"), 1)
    findings.slow_below("speed", float("nan"), 1)
    assert [found.status for found in findings.found] == ["FAIL", "FAIL", "slow"]


def test_made_up_images_are_read_as_cifar(tmp_path: Path) -> None:
    arrays = open_arrays("cifar10", str(write_made_up_cifar(tmp_path, 60)))
    images, labels = made_up(60)
    np.testing.assert_array_equal(np.concatenate([arrays.train_images, arrays.test_images]), images)
    np.testing.assert_array_equal(np.concatenate([arrays.train_labels, arrays.test_labels]), labels)


def patched(target: str, replacement: Any) -> AbstractContextManager[Any]:
    return mock.patch(target, replacement)


def shifted(*arguments: Any) -> Tensor:
    return image_noise(*arguments) + 1e-6


def too_bright(pixels: Tensor) -> Tensor:
    return pixels.permute(0, 3, 1, 2).float().div_(254)


def uphill(original: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
    def turned(*arguments: Any, **options: Any) -> tuple[Tensor, Tensor]:
        gradient, losses = original(*arguments, **options)
        return -gradient, losses

    return turned


def waiting(original: Callable[..., Any]) -> Callable[..., Any]:
    def update(learner: Learner, x: Tensor, *arguments: Any, **options: Any) -> Any:
        float(x.sum())
        return original(learner, x, *arguments, **options)

    return update


def busy(original: Callable[..., Any]) -> Callable[..., Any]:
    def update(learner: Learner, x: Tensor, *arguments: Any, **options: Any) -> Any:
        for _ in range(200):
            x.sum()
        return original(learner, x, *arguments, **options)

    return update


def wrong_network(model: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    made = folded(model, dtype)
    with torch.no_grad():
        next(made.parameters()).mul_(1.5)
    return made


def weak_in_large_batches(original: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def step(threat: Threat, x: Tensor, delta: Tensor, gradient: Tensor, alpha: float) -> Tensor:
        return original(threat, x, delta, gradient if len(x) < 100 else -gradient, alpha)

    return step


FAULTS: dict[str, tuple[int, AbstractContextManager[Any]]] = {
    "noise": (2, patched("tests.gpu.checks_numbers.image_noise", shifted)),
    "pixels": (3, patched("engine.data.memory.batches.to_images", too_bright)),
    "gradient": (5, patched("engine.training.learner.Learner.input_grad", uphill(Learner.input_grad))),
    "no update": (6, patched("engine.training.learner.Learner.update", lambda *_, **__: None)),
    "no scaling": (7, patched("engine.training.loss_scaler.LossScaler.finish_update", lambda _, by: by.step())),
    "host wait": (8, patched("engine.training.learner.Learner.update", waiting(Learner.update))),
    "folding": (12, patched("tests.gpu.checks_evaluation.folded", wrong_network)),
    "weak attack": (14, patched("engine.attacks.threat.Threat.step", weak_in_large_batches(Threat.step))),
    "many launches": (16, patched("engine.training.learner.Learner.update", busy(Learner.update))),
    "full memory": (18, patched("engine.runtime.gpu_memory.is_full", lambda error: False)),
    "precision": (23, patched("engine.runtime.precision.choose", lambda asked, device: ("fp32", ""))),
}


@pytest.mark.parametrize("fault", [*FAULTS])
def test_a_fault_of_the_product_fails_its_check(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_training, "combinations", lambda machine: [("fgsm", "sgd", "fp32")])
    monkeypatch.setattr(checks_training, "methods", lambda: ["fgsm"])
    number, broken = FAULTS[fault]
    with broken:
        outcome = do(number, SMALL)
    assert outcome.status == "FAIL", outcome
    assert not outcome.traceback or fault == "no update", outcome.traceback
