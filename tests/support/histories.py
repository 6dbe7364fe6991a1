"""Runs for the history."""

from engine.config.presets import build
from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.paths import runs_dir
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import make_run


def done_run(name: str = "k3f9") -> RunDir:
    """The run directory of a finished run."""
    rundir = make_run(runs_dir() / name, chosen=build("cifar", {"eps": 4 / 255, "model.width": 16, "seed": 3}))
    write_events(
        rundir, started(), step(50), evaluated(50, clean=0.5, robust=0.3), step(100), evaluated(100, clean=0.6),
        evaluated(100, "final", attack="pgd-50-10", clean=0.6, robust=0.35, images=1000),
        Finished(status="done", step=100, elapsed=120.0),
    )  # fmt: skip
    return rundir
