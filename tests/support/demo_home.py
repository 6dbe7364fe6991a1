"""Homes to look at: runs with invented figures in every state, and a machine whose figures never change."""

import math
import os
import random
import time
from typing import Any

import msgspec

from engine.config.presets import build
from engine.config.run import RunConfig
from engine.protocol.events import Alarm, AnyEvent, Finished
from engine.protocol.rundir import RunDir
from engine.protocol.submission import Submission
from fastadv_tui.hardware.nvml import Gpu
from fastadv_tui.hardware.process_usage import Usage
from fastadv_tui.hardware.sampler import Host, Sample
from fastadv_tui.history.derive_row import thinned
from fastadv_tui.history.index import History
from fastadv_tui.history.notes import Notes, write_notes
from fastadv_tui.history.row import Row
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.records import ProcessRecord
from tests.support.evaluations import evaluation
from tests.support.events import evaluated, started, step, write_events

NOW = 1_795_000_000.0  # unix time at which the demonstration stands still
EPOCHS, STEPS_PER_EPOCH = 15, 390
GPU_UUIDS = ("GPU-aaaa", "GPU-bbbb")
GB = 10**9


class StillSampler:
    """A stand-in for the sampler: `count` GPUs with figures that never change."""

    count = 2

    def sample(self, pids: Any = ()) -> Sample:
        """The sample is the same before and after the runs are known."""
        pids = [os.getpid()] if any(runs_dir().glob("*/process.json")) else []
        gpus = tuple(
            Gpu(
                index=number,
                name="NVIDIA H100 80GB HBM3",
                uuid=GPU_UUIDS[number] if number < len(GPU_UUIDS) else f"GPU-{number}",
                utilisation=0.97 - 0.08 * number,
                memory_used=(21 + 5 * number) * GB,
                memory_total=80 * GB,
                temperature=61 + 4 * number,
                power=412.0 + 30 * number,
                power_limit=700.0,
                pids=(1,),
            )
            for number in range(self.count)
        )
        reason = "" if gpus else "no GPU: runs train on the CPU"
        host = Host(cores=32, cpu=0.12, memory_used=30 * GB, memory_total=256 * GB)
        usage = {pid: Usage(cpu=1.4, rss=3 * GB, processes=1) for pid in pids}
        return Sample(t=NOW, host=host, gpus=gpus, no_gpus=reason, usage=usage)


def stand_still(monkeypatch: Any) -> None:
    """Time, time zone, telemetry and the counting of work are the same in every run of a test."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr("fastadv_tui.dashboard.workers.Sampler", StillSampler)
    monkeypatch.setattr("fastadv_tui.dashboard.workers.SAMPLE", 1e6)
    monkeypatch.setattr("fastadv_tui.dashboard.workers.SAMPLE_IDLE", 1e6)
    monkeypatch.setattr("fastadv_tui.launch.cost.FlopCounter.missing", lambda *_: [])
    monkeypatch.setattr("fastadv_tui.launch.cost.FlopCounter.total", lambda *_: 4_163_016_192_000_000)
    monkeypatch.setattr("textual.widgets.Input.cursor_blink", False)


def fill(what: str) -> None:
    """Fill the present home: empty, live, failed, eight, thousand, seeds."""
    ensure_home()
    if what == "live":
        past()
        live("k3f9aa", "nfgsm-w64", epochs=9.3, device=GPU_UUIDS[0])
    elif what == "failed":
        past()
        failed("m0dh11")
    elif what == "eight":
        for number in range(8):
            live(
                f"e{number}ght0", f"sweep-{number}", epochs=2 + 1.3 * number, device=GPU_UUIDS[number % 2], seed=number
            )
    elif what == "seeds":
        History().upsert(recipes())
    elif what == "thousand":
        History().upsert(many(1000))
    History().rows()  # otherwise the first look would say that it created the history file


def past() -> None:
    """Three finished runs: two seeds of one recipe, and one that collapsed."""
    for number, seed in enumerate((0, 1)):
        rundir = make(f"p{number}st00", NOW - 7200 - 60 * number, name=f"fgsm-eps8 s{seed}", seed=seed)
        write_events(rundir, *training(seed, EPOCHS), final(0.794 + seed / 500, 0.451 - seed / 300), done(NOW - 6000))
    rundir = make("c0llap", NOW - 9000, name="fgsm-zero", **{"method.init": "zero", "eps": 16 / 255})
    write_events(rundir, *training(2, EPOCHS, collapse=4.0), final(0.81, 0.0), done(NOW - 8000))
    write_notes(rundir, Notes(name="fgsm-zero", tags=["paper"], note="what the alarm is for"))


def live(run_id: str, name: str, epochs: float, device: str, seed: int = 0) -> RunDir:
    """A run that seems to train: the process of the test stands for its engine."""
    rundir = make(run_id, NOW - 60 * epochs - 60 * seed, name=name, seed=seed)
    write_events(rundir, *training(seed, epochs))
    me = process_identity.of(os.getpid())
    assert me is not None
    records.write(rundir.process, ProcessRecord(attempt=1, supervisor=me, engine=me, device=device))
    return rundir


def failed(run_id: str) -> RunDir:
    rundir = make(run_id, NOW - 600, name="fgsm-lr2", **{"optim.lr": 2.0})
    error = "DivergedError: the loss is nan at step 612; lower the learning rate (--set optim.lr=...)"
    write_events(rundir, *training(3, 1.5), Finished(status="failed", step=612, error=error, t=NOW - 500, elapsed=90.0))
    rundir.log.write_text(
        "Traceback (most recent call last):\n"
        '  File "engine/train.py", line 88, in _train_epoch\n'
        "    self.reporter.updated(len(y))\n"
        "engine.reporter.DivergedError: the loss is nan at step 612\n"
    )
    return rundir


def make(run_id: str, submitted: float, **typed: Any) -> RunDir:
    rundir = RunDir(runs_dir() / run_id)
    rundir.path.mkdir(parents=True)
    submission = Submission(id=run_id, submitted=submitted, config=config(**typed), code_fingerprint="c0de")
    rundir.config.write_bytes(msgspec.json.encode(submission))
    return rundir


def config(**typed: Any) -> RunConfig:
    return build("cifar", typed)


def training(seed: int, epochs: float, collapse: float = math.inf) -> list[AnyEvent]:
    """The events of a run on its way."""
    noise = random.Random(seed)
    begun = NOW - 60 * epochs - 10
    written: list[AnyEvent] = [
        started(
            t=begun,
            total_steps=EPOCHS * STEPS_PER_EPOCH,
            steps_per_epoch=STEPS_PER_EPOCH,
            device="NVIDIA H100 80GB HBM3",
            precision="bf16",
            parameters=11_171_146,
            train_images=50_000,
            test_images=10_000,
            data_fingerprint="49f851515346",
            flops=4_163_016_192_000_000,
            signal_threshold=0.35,
        )
    ]
    for number in range(10, round(epochs * STEPS_PER_EPOCH) + 1, 10):
        epoch = number / STEPS_PER_EPOCH
        fell = epoch > collapse
        signal = 0.55 if fell else 0.05 + 0.006 * epoch + noise.gauss(0, 0.008)
        figures = {"loss": 1.25 + math.exp(-epoch / 3) + noise.gauss(0, 0.02), "accuracy": 0.5, "signal": signal}
        peak = EPOCHS / 2
        rate = 0.2 * (epoch / peak if epoch < peak else 2 - epoch / peak)
        times = {"elapsed": 60 * epoch, "t": begun + 60 * epoch, "epoch": epoch}
        written.append(step(number, lr=rate, images_per_second=12_340.0, **figures, **times))  # type: ignore[arg-type]
        if fell and number % STEPS_PER_EPOCH < 10 and not any(isinstance(event, Alarm) for event in written):
            said = "the attack lowers the loss of 55% of the images: catastrophic overfitting"
            written.append(Alarm(kind="overfitting", step=number, epoch=epoch, message=said, t=begun + 60 * epoch))
        if number % STEPS_PER_EPOCH == 0:
            clean = 0.80 * (1 - math.exp(-epoch / 3.5)) + noise.gauss(0, 0.006)
            robust = 0.003 if fell else 0.47 * (1 - math.exp(-epoch / 2.5)) + noise.gauss(0, 0.006)
            when = begun + 60 * epoch + 1
            written.append(evaluated(number, clean=clean, robust=robust, epoch=epoch, images=1000, t=when))
    return written


def final(clean: float, robust: float) -> AnyEvent:
    last = EPOCHS * STEPS_PER_EPOCH
    figures = {"clean": clean, "robust": robust, "attack": "pgd-50-10", "images": 10_000}
    return evaluated(last, "final", epoch=float(EPOCHS), t=NOW - 6000, **figures)


def done(t: float) -> Finished:
    return Finished(status="done", step=EPOCHS * STEPS_PER_EPOCH, t=t, elapsed=60.0 * EPOCHS)


def recipes() -> list[Row]:
    """Rows of five recipes with three seeds each: one collapsed, one at another eps, one without a final evaluation."""
    told: tuple[tuple[str, str, float, float, float, dict[str, Any]], ...] = (
        ("nfgsm", "nfgsm", 8, 0.803, 0.486, {}),
        ("fgsm", "fgsm", 8, 0.795, 0.450, {"pinned": True, "note": "baseline of the rebuttal"}),
        ("pgd", "pgd", 8, 0.781, 0.501, {"attack": "pgd-10", "images": 1000, "final": False}),
        ("fgsm-zero", "fgsm", 8, 0.81, 0.004, {"alarms": ["overfitting"], "tags": ["paper"]}),
        ("nfgsm-eps4", "nfgsm", 4, 0.862, 0.641, {}),
    )
    chance = random.Random(11)
    return [
        _of_recipe(6 * place + seed, name, method, eps, clean + chance.gauss(0, 0.002),
                   robust + min(robust, 0.002) * chance.gauss(0, 1), seed, fields)
        for place, (name, method, eps, clean, robust, fields) in enumerate(told)
        for seed in range(3)
    ]  # fmt: skip


def _of_recipe(
    number: int, name: str, method: str, eps: float, clean: float, robust: float, seed: int, fields: dict[str, Any]
) -> Row:
    begun = NOW - 3600 * (number + 1)
    rise = [1 - math.exp(-epoch / 3) for epoch in range(1, EPOCHS + 1)]
    curve = [(float(n + 1), round(clean * r, 4), round((robust + 0.01) * r, 4)) for n, r in enumerate(rise)]
    settings = {"method.name": method, "eps": eps / 255} | ({"method.init": "zero"} if "zero" in name else {})
    row = Row(
        id=f"{name.replace('-', '')[:4]}{number:02d}", name=name, dataset="cifar10", method=method, eps=eps / 255,
        alpha=1.25 * eps / 255, preset="wong2020", settings=settings, seed=seed, status="done", submitted=begun,
        started=begun, ended=begun + 900, duration=95.0 + 7 * number, epochs=15.0, total_epochs=15.0, clean=clean,
        robust=robust, attack="pgd-50-10", images=10_000, final=True, curve=curve, images_per_second=21_400.0,
        flops=4_163_016_192_000_000, data_fingerprint="49f851515346", code_fingerprint="c0de",
    )  # fmt: skip
    if name == "nfgsm":
        row.evaluations = [
            evaluation(eps=e / 255, images=10_000, clean=clean, robust=0.8 - 0.04 * e) for e in (2, 4, 8, 12)
        ]
    return msgspec.structs.replace(row, **fields)


def many(count: int) -> list[Row]:
    """Rows of runs whose folders are gone, which the history keeps."""
    chance, methods = random.Random(7), ("fgsm", "pgd", "free", "standard")
    curve = [event for event in training(1, EPOCHS) if event.__class__.__name__ == "Evaluated"]
    rows = []
    for number in range(count):
        method, eps = methods[number % 4], (2, 4, 8, 16)[number // 4 % 4]
        settings = {"model.width": 16} if number % 3 else {}
        rows.append(
            Row(
                id=f"r{number:05d}",
                name=f"{method}-eps{eps}",
                dataset="cifar10",
                method=method,
                eps=eps / 255,
                alpha=1.25 * eps / 255,
                preset="wong2020",
                settings={**settings, "method.name": method, "eps": eps / 255},
                seed=number % 5,
                status="done" if number % 11 else "failed",
                submitted=NOW - 3600 * (number + 1),
                started=NOW - 3600 * (number + 1),
                duration=900.0 + number % 300,
                epochs=15.0,
                total_epochs=15.0,
                clean=0.6 + 0.2 * chance.random(),
                robust=0.3 + 0.2 * chance.random(),
                attack="pgd-50-10",
                images=10_000,
                final=True,
                curve=thinned(curve),  # type: ignore[arg-type]
                images_per_second=12_000.0,
                data_fingerprint="49f851515346",
                code_fingerprint="c0de",
                tags=["paper"] if number % 7 == 0 else [],
            )
        )
    return rows
