"""Submits runs once more: runs that failed, and runs of a sweep that are missing."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.config.datasets import path_of, with_path
from engine.config.run import RunConfig
from engine.config.user_code import parse
from engine.protocol.rundir import RunDir
from engine.protocol.submission import Submission
from fastadv_tui.errors import UserError
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import as_stored, changed_settings
from fastadv_tui.history.selection import run_folder
from fastadv_tui.launch.group import submit_group

SWEEP_TAG = re.compile(r"sweep-[0-9a-f]{4}")


class RunAgain(Struct, frozen=True):
    """A run to submit once more. command: the command line that is on record for the run that is repeated, so that a
    run of a sweep stays one. tags: of the new run. code_of: the run that is repeated if it has a copy of the user's
    code, which the new run takes, too.
    """

    config: RunConfig
    command: tuple[str, ...]
    tags: tuple[str, ...]
    slots: int
    code_of: Path | None = None


def again(row: Row) -> RunAgain:
    """The same run once more.

    Raises: UserError, if the run lives; RunNotFoundError, if its folder is gone; SubmissionError.
    """
    if row.live:
        raise UserError(f"{row.id} is {row.status}; wait for its end, or stop it first with `fastadv stop {row.id}`")
    rundir = run_folder(row.id)
    submission = rundir.submission()
    return RunAgain(
        submission.config, tuple(submission.command), tuple(row.tags), submission.slots, _code_of(rundir, submission)
    )


def to_repeat(rows: Iterable[Row], everything: Iterable[Row]) -> list[Row]:
    """Those of the rows that a filter found which make sense to repeat.

    Left out are runs that are done or live, and runs of which there is a later one with the same settings and a tag in
    common: the same command twice must not submit everything twice. everything: all rows of the history.
    """
    latest: dict[str, list[Row]] = {}
    for row in everything:
        latest.setdefault(_likeness_of_row(row), []).append(row)

    def superseded(row: Row) -> bool:
        others = latest.get(_likeness_of_row(row), ())
        return any(other.submitted > row.submitted and _share_a_tag(row, other) for other in others)

    return [row for row in rows if not (row.live or row.status == "done" or superseded(row))]


def missing(
    rows: Iterable[Row], everything: Sequence[Row], configs_of: Callable[[Sequence[str]], list[RunConfig]]
) -> list[RunAgain]:
    """The combinations that no run has, of the sweeps that the rows belong to.

    A combination counts as missing if no run with the tag of the sweep has it, or only runs that were never started,
    or that were not done when their folders were removed. The sweep's own command line, which each of its runs has on
    record, tells the combinations.

    everything: all rows of the history. configs_of: the configurations of a sweep, from the words after `sweep`.
    Raises: UserError, if no row belongs to a sweep.
    """
    sweeps: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Submission, Path | None]] = {}
    for row in rows:
        submission = _sweep_of(row)
        if submission is not None:
            place = tuple(submission.command), _sweep_tags(row, submission.command)
            sweeps.setdefault(place, (submission, _code_of(run_folder(row.id), submission)))
    if not sweeps:
        raise UserError("none of these runs is of a sweep; --missing needs one that is left, since it has the command")
    found = []
    for (command, tags), (submission, code_of) in sweeps.items():
        placed = [
            _placed(config, submission.config)
            for config in configs_of(_with_paths(command[2:], submission.config.dataset))
        ]
        found += [
            RunAgain(config, command, tags, submission.slots, code_of) for config in lacking(placed, tags, everything)
        ]
    return found


def _placed(config: RunConfig, then: RunConfig) -> RunConfig:
    """A configuration of a sweep with the paths that were typed relative to the folder of that time, and the user's
    code of that time. then: of a run of the sweep.
    """
    own, others = config.model.user_code, then.model.user_code
    model = config.model
    if own is not None and others is not None and (own.short, own.name) == (others.short, others.name):
        model = msgspec.structs.replace(model, name=then.model.name, code=then.model.code)
    data = {"dataset": then.dataset, "data_dir": then.data_dir, "data_code": then.data_code}
    return msgspec.structs.replace(config, **data, model=model)


def _with_paths(words: Sequence[str], dataset: str) -> list[str]:
    """The words of a command with the absolute path of the user's data set, whose file is read for its fingerprint."""
    return [dataset if path_of(word) and with_path(word, path_of(dataset)) == dataset else word for word in words]


def _code_of(rundir: RunDir, submission: Submission) -> Path | None:
    """The folder of a run that keeps copies of the user's code, None if it needs none."""
    config = submission.config
    used = (config.model.user_code, parse(config.dataset) if config.data_code else None)
    return rundir.path if any(code is not None and code.in_file for code in used) else None


def lacking(configs: Iterable[RunConfig], tags: Iterable[str], everything: Iterable[Row]) -> list[RunConfig]:
    """The configurations that no run with one of the tags stands for. everything: all rows of the history."""
    there = {_likeness_of_row(row) for row in everything if {*tags} & {*row.tags} and _is_there(row)}
    return [config for config in configs if _likeness(config) not in there]


def ended_early(configs: Iterable[RunConfig], tags: Iterable[str], everything: Iterable[Row]) -> list[Row]:
    """The runs with one of the tags and one of the configurations that began to train, and have ended before the end.

    Of runs with the same configuration the last one is meant. A configuration that another run has finished, or works
    on, needs none of them.
    """
    wanted = {_likeness(config) for config in configs}
    tagged = [row for row in everything if {*tags} & {*row.tags} and _likeness_of_row(row) in wanted]
    served = {_likeness_of_row(row) for row in tagged if row.live or row.status == "done"}
    latest = {_likeness_of_row(row): row for row in sorted(tagged, key=lambda row: row.submitted) if _is_there(row)}
    return [row for likeness, row in latest.items() if likeness not in served]


def alike(configs: Iterable[RunConfig], rows: Iterable[Row]) -> list[Row]:
    """The rows of runs that live or are done, and have all settings of one of the configurations, the seed included."""
    configs = list(configs)
    wanted = {_likeness(config) for config in configs}
    few = {(config.dataset, config.seed) for config in configs}  # quick to compare: a history may have 10,000 rows
    kept = (row for row in rows if (row.dataset, row.seed) in few and (row.live or row.status == "done"))
    return [row for row in kept if _likeness_of_row(row) in wanted]


def submit_again(runs: Iterable[RunAgain], queued: Callable[[RunDir], None]) -> list[str]:
    """Submit the runs. Returns: warnings, as `submit_group`. Raises: HomeError, RunError."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...], int, Path | None], list[RunConfig]] = {}
    for run in runs:
        groups.setdefault((run.command, run.tags, run.slots, run.code_of), []).append(run.config)
    warnings = []
    for (command, tags, slots, code_of), configs in groups.items():
        warnings += submit_group(configs, command, tags, slots, queued, code_of)
    return warnings


def _sweep_of(row: Row) -> Submission | None:
    """The submission of a run that belongs to a sweep; None for other runs, and for those that cannot be read."""
    try:
        submission = run_folder(row.id).submission()
    except UserError:
        return None
    return submission if submission.command[1:2] == ["sweep"] else None


def _sweep_tags(row: Row, command: Sequence[str]) -> tuple[str, ...]:
    """The tags that all runs of the sweep have: the typed one, else the random one, else those of the run."""
    typed = [after for word, after in pairwise(command) if word == "--tag"]
    typed += [word.removeprefix("--tag=") for word in command if word.startswith("--tag=")]
    return tuple(typed or [tag for tag in row.tags if SWEEP_TAG.fullmatch(tag)] or row.tags)


def _share_a_tag(one: Row, other: Row) -> bool:
    return bool({*one.tags} & {*other.tags}) or not (one.tags or other.tags)


def _is_there(row: Row) -> bool:
    """Whether a run stands for its combination: it lives, it is done, or its folder holds what it trained."""
    if row.live or row.status == "done":
        return True
    try:
        return bool(run_folder(row.id) and row.started)
    except UserError:
        return False


def _likeness(config: RunConfig) -> str:
    settings = {key: as_stored(value) for key, value in changed_settings(config).items()}
    return _key(config.dataset, config.preset, config.method.name, config.seed, settings)


def _likeness_of_row(row: Row) -> str:
    settings = {key: as_stored(value) for key, value in row.settings.items()}
    return _key(row.dataset, row.preset, row.method, row.seed, settings)


def _key(*parts: Any) -> str:
    return msgspec.json.encode(parts, order="sorted").decode()
