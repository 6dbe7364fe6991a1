"""Does the alarm announce every collapse, and only collapses? Does a rollback save the run?

Trains small runs, some of which collapse, and prints a table for each question:

    OMP_NUM_THREADS=1 nice -n 10 python -m tests.benchmarks.collapse --folder FOLDER

The judge knows nothing of the alarm: PGD-50 on test images after each epoch. A run has collapsed if its last robust
accuracy is below a third of the best in its group, the runs on the same data with the same eps and learning rate. The
collapse begins with the epoch from which on robust accuracy stays below that, with clean accuracy above 50%. The alarm
is what the watchdog of the engine says to the overfitting signal and to the guard alone, which see no test image.

FOLDER keeps the runs: a second call continues what was stopped, and trains no finished run again. Real images come from
$FASTADV_TEST_DATA.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from engine.__main__ import train
from engine.config.presets import build
from engine.config.run import RunConfig
from engine.config.settings import settings
from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir
from engine.training.alarm import Watchdog
from tests.benchmarks.timing import machine
from tests.support.runs import make_run

THIRD = 1 / 3
LEARNED = 0.5  # clean accuracy below which a network has not learned enough to collapse
JUDGE: dict[str, Any] = {"watch.images": 300, "watch.steps": 50}
PLAIN = {"eval.attack": "none", "device": "cpu", "precision": "fp32"}
SMOOTH = {"optim.label_smoothing": 0.4}
MNIST = {"holdout": 48_000, "epochs": 8}  # trains on 12,000 images, and takes the others for tests
ZERO: dict[str, Any] = {"method.init": "zero"}
DOUBLE: dict[str, Any] = {"method.alpha": 0.6}
CLIPPED: dict[str, Any] = {"method.start_in_box": True}
DIGITS: dict[str, Any] = {"epochs": 20}
RESNET: dict[str, Any] = {"model.name": "preact-resnet18", "model.width": 8, "model.depth": 1, "optim.lr": 0.005}


@dataclass(frozen=True)
class Case:
    """A run. typed: its settings by dotted key."""

    name: str
    dataset: str
    typed: Mapping[str, Any]

    @property
    def config(self) -> RunConfig:
        data = os.environ.get("FASTADV_TEST_DATA", "")
        return build(self.dataset, {**JUDGE, **PLAIN, "data_dir": data, **self.typed})

    @property
    def group(self) -> tuple[str, float, float]:
        return self.dataset, round(self.config.eps, 4), self.config.optim.lr

    def later(self, seeds: int) -> "Case":
        """The case with another seed, under the same name."""
        return replace(self, typed={**self.typed, "seed": self.typed.get("seed", 0) + seeds})

    @property
    def known(self) -> bool:
        """Whether this version has all of its settings."""
        return {*self.typed} <= {*settings()}


def mnist(name: str, *parts: Mapping[str, Any], **more: Any) -> Case:
    return Case(f"mnist {name}", "mnist", _joined(MNIST, *parts, more))


def digits(name: str, *parts: Mapping[str, Any], **more: Any) -> Case:
    return Case(f"digits {name}", "digits", _joined(DIGITS, *parts, more))


def _joined(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("__", "."): value for part in parts for key, value in part.items()}


CASES = [
    # expected to collapse
    *(mnist(f"zero, seed {seed}", ZERO, seed=seed) for seed in range(3)),
    *(mnist(f"double step, seed {seed}", DOUBLE, seed=seed) for seed in range(2)),
    mnist("zero, eps 0.25", ZERO, eps=0.25),
    mnist("zero, 20 epochs", ZERO, epochs=20),
    mnist("zero, low rate", ZERO, optim__lr=1e-3),
    *(digits(f"zero, eps 0.4, seed {seed}", ZERO, eps=0.4, seed=seed) for seed in range(2)),
    digits("zero, eps 0.35, 40 epochs", ZERO, eps=0.35, epochs=40),
    mnist("zero, smoothed labels", ZERO, SMOOTH),
    mnist("double step, smoothed labels", DOUBLE, SMOOTH),
    mnist("clipped start, smoothed labels", CLIPPED, SMOOTH),
    digits("zero, eps 0.4, smoothed labels", ZERO, SMOOTH, eps=0.4),
    # expected not to collapse
    *(mnist(f"random, seed {seed}", seed=seed) for seed in range(2)),
    mnist("random, smoothed labels", SMOOTH),
    mnist("nfgsm, eps 0.2", method__name="nfgsm", eps=0.2),
    mnist("zero, eps 0.1", ZERO, eps=0.1),
    mnist("random, low rate", optim__lr=1e-3),
    mnist("random, eps 0.25", eps=0.25),
    digits("random"),
    digits("zero", ZERO),
    digits("zero, smoothed labels", ZERO, SMOOTH),
    digits("random, eps 0.35, 40 epochs", eps=0.35, epochs=40),
    digits("nfgsm", method__name="nfgsm"),
    digits("pgd", method__name="pgd"),
    digits("residual network, zero", RESNET, ZERO, eps=0.1),
]
ROLLBACK: dict[str, Any] = {"on_collapse": "rollback"}
# Runs that collapse, beside the case whose run on the same data with the same eps never collapsed.
ROLLBACKS: list[tuple[Case, str]] = [
    (mnist("zero, rollback", ZERO, ROLLBACK), "mnist random, seed 0"),
    (mnist("zero, low rate, rollback", ZERO, ROLLBACK, optim__lr=1e-3), "mnist random, low rate"),
    (digits("zero, eps 0.35, rollback", ZERO, ROLLBACK, eps=0.35, epochs=40), "digits random, eps 0.35, 40 epochs"),
]


@dataclass(frozen=True)
class Found:
    """What a run showed.

    robust, clean: after each epoch, by the judge; steps: at the end of each epoch. alarm: step and cause of the first
    alarm, None if there was none. gaps: of the guard after each epoch.
    """

    case: Case
    robust: list[float]
    clean: list[float]
    steps: list[int]
    gaps: list[float]
    signal: float
    alarm: tuple[int, str] | None
    rollbacks: list[str]
    seconds: float

    def collapse(self, best: float) -> int | None:
        """The step at the end of the first epoch of the collapse; None if the run has not collapsed.

        best: robust accuracy of the group.
        """
        first = None
        for step, robust, clean in zip(self.steps, self.robust, self.clean, strict=True):
            collapsed = clean >= LEARNED and robust < THIRD * best
            first = (first or step) if collapsed else None
        return first


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="keeps the runs")
    parser.add_argument("--only", default="", help="only the runs whose names contain this")
    parser.add_argument("--later", type=int, default=0, metavar="N", help="all seeds N later: runs never seen before")
    parser.add_argument("--judge", type=int, metavar="N", help="the judge attacks N test images, not 300; in new runs")
    parser.add_argument("--report", action="store_true", help="train nothing; report the runs that have ended")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(machine(torch.device("cpu")))
    print(f"python -m tests.benchmarks.collapse {' '.join(sys.argv[1:])}")
    if asked.judge:
        JUDGE["watch.images"] = asked.judge
    wanted = [case for case in CASES if case.known and asked.only in case.name]
    cases = [case.later(asked.later) for case in wanted]
    rolling = [(case, reference) for case, reference in ROLLBACKS if case.known and asked.only in case.name]
    rollbacks = [(case.later(asked.later), reference) for case, reference in rolling]
    if asked.report:
        cases = [case for case in cases if _ended(_rundir(case, asked.folder))]
        rollbacks = [(case, reference) for case, reference in rollbacks if _ended(_rundir(case, asked.folder))]
    found = [_found(case, asked.folder) for case in cases]
    _print_alarms(found)
    _print_rollbacks([(_found(case, asked.folder), reference) for case, reference in rollbacks], found)
    if left_out := [case.name for case in CASES if not case.known]:
        print(f"left out, as this version lacks a setting: {', '.join(left_out)}")
    return 0


def _rundir(case: Case, folder: Path) -> RunDir:
    return RunDir(folder / case.name.replace(" ", "-"))


def _found(case: Case, folder: Path) -> Found:
    rundir = _rundir(case, folder)
    if not rundir.config.exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_run(rundir.path, chosen=case.config)
    begun = time.monotonic()
    if _ended(rundir):
        return _read(case, rundir)
    if code := train(rundir):
        sys.exit(code)  # stopped: the next call continues
    found = _read(case, rundir)
    print(f"{case.name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return found


def _ended(rundir: RunDir) -> bool:
    last = next(reversed([*event_log.read(rundir.events)]), None) if rundir.events.exists() else None
    return isinstance(last, events.Finished) and last.status == "done"


def _read(case: Case, rundir: RunDir) -> Found:
    """The figures of a run that has ended, of its last attempt and rollback."""
    guards, watched, signals, rollbacks, seconds = {}, {}, {}, [], 0.0
    for event in event_log.read(rundir.events):
        if isinstance(event, events.Evaluated):
            (guards if event.stage == "guard" else watched)[event.step] = event
        elif isinstance(event, events.Step) and event.signal is not None:
            signals[event.step] = event.signal
        elif isinstance(event, events.RolledBack):
            rollbacks.append(f"from epoch {event.epoch:g} to {event.to_epoch:g}: {event.message}")
        seconds = max(seconds, event.elapsed)
    steps = sorted(watched)
    return Found(
        case=case,
        robust=[watched[step].robust for step in steps],
        clean=[watched[step].clean for step in steps],
        steps=steps,
        gaps=[(guards[step].fgsm or 0.0) - guards[step].robust for step in sorted(guards)],
        signal=max(signals.values(), default=0.0),
        alarm=_alarm(signals, guards),
        rollbacks=rollbacks,
        seconds=seconds,
    )


def _alarm(signals: Mapping[int, float], guards: Mapping[int, events.Evaluated]) -> tuple[int, str] | None:
    """The step and the cause of the first alarm that does not come from test images."""
    watchdog = Watchdog(10)
    for step in sorted({*signals, *guards}):
        if step in signals and watchdog.check_signal(step, signals[step]):
            return step, "signal"
        if guard := guards.get(step):
            said = watchdog.check_accuracy("guard", guard.clean, guard.robust, guard.images, guard.fgsm)
            if said:
                return step, "gap" if "FGSM" in said else "fall" if "fell" in said else "below chance"
    return None


def _best_by_group(found: Sequence[Found]) -> dict[tuple[str, float], float]:
    best: dict[tuple[str, float], float] = {}
    for run in found:
        best[run.case.group] = max(best.get(run.case.group, 0.0), *run.robust)
    return best


def _print_alarms(found: Sequence[Found]) -> None:
    print(
        "\n| run | best and last PGD-50 | clean | largest gap | signal | collapsed at step | alarm | delay in steps |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    best = _best_by_group(found)
    missed, false, collapsed, delays = 0, 0, 0, []
    for run in found:
        at = run.collapse(best[run.case.group])
        alarm = "none" if run.alarm is None else f"step {run.alarm[0]:,} ({run.alarm[1]})"
        collapsed += at is not None
        missed += at is not None and run.alarm is None
        false += at is None and run.alarm is not None
        delay = "-"
        if at is not None and run.alarm is not None:
            delays.append(run.alarm[0] - at)
            delay = f"{delays[-1]:+,}"
        print(
            f"| {run.case.name} | {max(run.robust):.1%}, {run.robust[-1]:.1%} | {run.clean[-1]:.1%} | "
            f"{max(run.gaps):.2f} | {run.signal:.2f} | {'-' if at is None else f'{at:,}'} | {alarm} | {delay} |",
            flush=True,
        )
    print(
        f"\n{collapsed} runs collapsed: {missed} without an alarm; {len(found) - collapsed} did not: {false} with an "
        f"alarm. Delays from {min(delays, default=0):+,} to {max(delays, default=0):+,} steps."
    )


def _print_rollbacks(found: Sequence[tuple[Found, str]], references: Sequence[Found]) -> None:
    print("\n| run | PGD-50 at the end | reference | its PGD-50 | rollbacks |")
    print("| --- | --- | --- | --- | --- |")
    known = {run.case.name: run for run in references}
    for run, name in found:
        other = f"{known[name].robust[-1]:.1%}" if name in known else "not run"
        print(
            f"| {run.case.name} | {run.robust[-1]:.1%} | {name} | {other} | {'; '.join(run.rollbacks) or 'none'} |",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
