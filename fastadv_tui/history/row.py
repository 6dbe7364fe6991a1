"""A row of the history: a summary of one run, small enough for a history of ten thousand runs."""

from typing import Any

from msgspec import Struct

from engine.config.norms import LINF, Norm
from engine.protocol.evaluations import EvaluationRecord
from fastadv_tui.runs import status


class Row(Struct, kw_only=True):
    """One run.

    Accuracies are fractions in [0,1]; so are eps and alpha, but plain numbers for norm l2. submitted, started and ended
    are unix times, 0.0 if unknown. duration is in seconds of training, memory in bytes. flops counts the
    floating-point operations of the whole training.

    peak_memory: most main memory that an attempt has held, 0 if unknown.
    gpu_memory: most memory of its GPU, 0 if unknown; None if the run was not on a GPU.

    origin: the id under which the run was created. It differs from `id` if the folder was copied or renamed. Empty in
    rows of version 0.1.
    stopping: whether the run is running and was asked to stop.
    clean, robust, attack, images: of the final evaluation if `final`, else of the last evaluation during training.
    answers: number of classes among the network's answers in that evaluation; 0 if unknown.
    without_gradient: the robust ones among the images whose gradient was zero, so that the attack could not move them.
    curve: at most MAX_CURVE_POINTS points (epoch, clean, robust).
    alarms: their kinds, since the last rollback.
    rollbacks: the epoch of each collapse after which training was rolled back, and the methods that trained from there.
    settings: by dotted key, the settings that differ from the preset.
    evaluations: results of `fastadv eval` on this run, in order of time.
    replaced: the epoch and the result of evaluations of earlier weights, which training has replaced since.
    """

    id: str
    origin: str = ""
    name: str = ""
    dataset: str = ""
    method: str = ""
    norm: Norm = LINF
    eps: float = 0.0
    alpha: float = 0.0
    preset: str = ""
    settings: dict[str, Any] = {}
    seed: int = 0
    status: str = "queued"
    stopping: bool = False
    reason: str = ""
    host: str = ""
    submitted: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    duration: float = 0.0
    training_time: float = 0.0
    epochs: float = 0.0
    total_epochs: float = 0.0
    clean: float | None = None
    robust: float | None = None
    attack: str = ""
    images: int = 0
    without_gradient: int = 0
    answers: int = 0
    final: bool = False
    curve: list[tuple[float, float, float]] = []
    alarms: list[str] = []
    rollbacks: list[tuple[float, str]] = []
    evaluations: list[EvaluationRecord] = []
    replaced: list[tuple[float, EvaluationRecord]] = []
    peak_memory: int = 0
    gpu_memory: int | None = None
    images_per_second: float = 0.0
    flops: int = 0
    data_fingerprint: str = ""
    code_fingerprint: str = ""
    tags: list[str] = []
    note: str = ""
    pinned: bool = False

    @property
    def outcome(self) -> str:
        """What went wrong in training: `diverged` (the loss was not finite), `collapsed`, or empty."""
        if "diverged" in self.alarms:
            return "diverged"
        return "collapsed" if self.alarms else ""

    @property
    def state(self) -> str:
        """The status; `collapsed` in place of `done` or `stopped` if training collapsed."""
        return "collapsed" if self.outcome == "collapsed" and self.status in ("done", "stopped") else self.status

    @property
    def best_robust(self) -> float | None:
        """The best robust accuracy while training, a fraction in [0,1]."""
        return max((robust for _, _, robust in self.curve), default=None)

    @property
    def best_epoch(self) -> float | None:
        """The first epoch with the best robust accuracy while training."""
        best = self.best_robust
        return next((epoch for epoch, _, robust in self.curve if robust == best), None)

    @property
    def live(self) -> bool:
        return self.status in status.LIVE
