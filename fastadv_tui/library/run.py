"""One run as a Python object."""

from datetime import datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.config.norms import Norm
from engine.protocol.events import Step
from engine.protocol.rundir import RunDir
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import settings_of
from fastadv_tui.library.curve import Curve, check_name, curve_of_events, curve_of_row
from fastadv_tui.library.result import Result, results_of
from fastadv_tui.runs.foreign import FOREIGN, read_foreign
from fastadv_tui.runs.standing import Standing, standing_of

if TYPE_CHECKING:
    from torch import nn


class Run:
    """One run: what the history knows, and on demand its curves, its steps and its network.

    Accuracies are fractions in [0,1]; so are eps and alpha, but plain numbers for norm l2. Times have a time zone.
    Figures are those of the moment at which `find_runs` was called.
    """

    def __init__(self, row: Row, path: Path) -> None:
        self.row, self.path = row, path

    def __repr__(self) -> str:
        robust = "" if self.robust is None else f", robust {self.robust:.1%}"
        return f"<Run {self.id} {self.name}, {self.status}{robust}>"

    # -- what the history knows -------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def status(self) -> str:
        """`queued`, `running`, `done`, `stopped`, `cancelled`, `failed`, `lost`; `foreign` if imported."""
        return self.row.status

    @property
    def collapsed(self) -> bool:
        """Whether the alarm reported catastrophic overfitting, or the loss was not finite."""
        return bool(self.row.outcome)

    @property
    def dataset(self) -> str:
        return self.row.dataset

    @property
    def method(self) -> str:
        return self.row.method

    @property
    def norm(self) -> Norm:
        return self.row.norm

    @property
    def eps(self) -> float:
        return self.row.eps

    @property
    def seed(self) -> int:
        return self.row.seed

    @property
    def epochs(self) -> float:
        """Epochs trained so far."""
        return self.row.epochs

    @property
    def clean(self) -> float | None:
        """Clean accuracy of the newest evaluation of the run itself; None before the first one."""
        return self.row.clean

    @property
    def robust(self) -> float | None:
        """Robust accuracy of the same evaluation."""
        return self.row.robust

    @property
    def tags(self) -> list[str]:
        return [*self.row.tags]

    @property
    def note(self) -> str:
        return self.row.note

    @property
    def submitted(self) -> datetime | None:
        """When the run was submitted; None if unknown."""
        return datetime.fromtimestamp(self.row.submitted).astimezone() if self.row.submitted else None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All settings by dotted key, such as `model.width`; those that the user left alone, too."""
        return settings_of(self.row)

    @cached_property
    def results(self) -> list[Result]:
        """The run's own newest evaluation first, then the results of `fastadv eval` in order of time."""
        return results_of(self.row)

    # -- what the run folder has ------------------------------------------------------------------------------

    def curve(self, name: str) -> Curve:
        """A figure over training: `robust`, `clean`, `loss`, `accuracy`, `lr`, `signal`, `alignment` and others.

        Steps and evaluations that a resume or a rollback has replaced are left out. Of a run whose folder is gone, the
        history has at most 50 points of `robust` and `clean`, and nothing of the other figures.

        Raises: CurveError, if no figure has this name. Its message lists all names.
        """
        check_name(name)
        if not self.path.is_dir():
            return curve_of_row(name, self.row)
        foreign = read_foreign(RunDir(self.path)) if self.status == FOREIGN else None
        absent = foreign is not None and name in (*foreign.unknown, "images_per_second")
        return curve_of_events(name, Standing() if absent else self._standing)

    def steps(self) -> list[Step]:
        """The state after each weight update that was reported, about two a second (engine/protocol/events.py)."""
        return [*self._standing.steps]

    @cached_property
    def _standing(self) -> Standing:
        """The events are read once: a new `find_runs` sees new ones."""
        return standing_of(RunDir(self.path))

    def load_model(self, which: Literal["last", "best"] = "last") -> "nn.Module":
        """The trained network, in eval mode on the CPU. It takes images in [0,1], (B, C, H, W), and returns logits.

        which: `last` for the weights at the end of training; `best` for those at the end of the last epoch that had not
        collapsed. Loads torch, which nothing else here does.

        Raises: CheckpointError, if the run has no readable checkpoint of that kind.
        """
        model: nn.Module = import_module("engine").load_model(self.path, which)
        return model
