"""Follows the evaluations that wait in the queue or are under way. Only one thread may use it."""

from collections import Counter

from engine.config.attacks import DEFAULT
from engine.config.units import threat_text
from engine.protocol.requests import EvalRequest
from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.snapshot import Evaluation
from fastadv_tui.paths import evaluation_jobs_dir
from fastadv_tui.runs.evaluation_jobs import evaluation_ids, read_request, run_of
from fastadv_tui.runs.observe import RunObserver
from fastadv_tui.text.quantities import attack_name

ORDER = {"running": 0, "queued": 1}  # places in the list of a run's evaluations; all others come after


class EvaluationMonitor:
    """Reads the folders of evaluations. A look at an evaluation that has ended is cheap: nothing is read again."""

    def __init__(self) -> None:
        self._followed: dict[str, _Followed] = {}
        self._done: Counter[str] = Counter()

    def look(self) -> dict[str, list[Evaluation]]:
        """By run id: the evaluations of each run as they are now, those under way first."""
        ids = set(evaluation_ids())
        for gone in self._followed.keys() - ids:  # the history has taken its result, or the user has deleted the run
            followed = self._followed.pop(gone)
            if followed.live:
                self._done[followed.run] += followed.results
        for new in ids - self._followed.keys():
            rundir = RunDir(evaluation_jobs_dir() / new)
            if request := read_request(rundir):
                self._followed[new] = _Followed(rundir, request)
        found: dict[str, list[Evaluation]] = {}
        for followed in self._followed.values():
            was_live = followed.live
            evaluation = followed.look()
            if was_live and evaluation.status.status == "done":
                self._done[followed.run] += followed.results
            found.setdefault(followed.run, []).append(evaluation)
        for evaluations in found.values():
            evaluations.sort(key=lambda each: (ORDER.get(each.status.status, len(ORDER)), each.rundir.id))
        return found

    def take_done(self) -> Counter[str]:
        """By run id: the number of results of the evaluations that are done since the last call, one for each eps."""
        found, self._done = self._done, Counter()
        return found


class _Followed:
    def __init__(self, rundir: RunDir, request: EvalRequest) -> None:
        self._observer, self.run = RunObserver(rundir), run_of(request)
        self._what, self.results = in_words(request), len(request.eps)
        self._last: Evaluation | None = None

    @property
    def live(self) -> bool:
        return self._last is None or self._last.status.live

    def look(self) -> Evaluation:
        if self._last is None or self._last.status.live:
            seen = self._observer.look()
            done = seen.state.evaluated_fraction
            phase = "ending" if seen.state.finished else seen.state.starting
            self._last = Evaluation(self._observer.rundir, self._what, seen.status, done, phase)
        return self._last


def in_words(request: EvalRequest) -> str:
    """What a request measures: `PGD-50-10, eps 2, 4/255`, `PGD-50-10, l2 eps 0.5`."""
    attack = request.config.eval.attack
    name = attack_name(DEFAULT if attack in ("auto", "none") else attack)
    return f"{name}, {threat_text(request.config.norm, *request.eps)}"
