"""The checkpoint of a run under evaluation: the comparison with what the run says, and the record of the result."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.attacks.stage import Attack
from engine.attacks.threat import Threat
from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.trained_with import check_settings, notes_on_data, notes_on_settings
from engine.config.typed import decode
from engine.protocol import evaluations
from engine.protocol.evaluations import EvaluationRecord
from engine.protocol.requests import EvalRequest, Measured
from engine.protocol.rundir import RunDir


class RunCheckpoint:
    """A checkpoint of the run directory `asked.run`. content: of the file `asked.weights`.

    Raises: ConfigError, if the file is no checkpoint of a run; SubmissionError.
    """

    def __init__(self, asked: EvalRequest, content: object) -> None:
        self._asked, self._rundir, self._path = asked, RunDir(Path(asked.run)), Path(asked.weights)
        self._run = self._rundir.submission().config
        if not isinstance(content, dict) or "config" not in content:
            raise ConfigError(
                f"{self._path} is no checkpoint of a run; to evaluate it as a file of weights, type its path and "
                "--dataset NAME"
            )
        self._state: dict[str, Any] = content

    @property
    def name(self) -> str:
        """`last` or `best`."""
        return self._path.stem

    @property
    def step(self) -> int:
        """Weight updates of the checkpoint, 0 if unknown."""
        step: int = self._state.get("step", 0)
        return step

    @property
    def facts(self) -> DatasetFacts | None:
        """The facts of the training data; None in a checkpoint of version 0.1."""
        return decode(self._state["facts"], DatasetFacts) if "facts" in self._state else None

    def notes(self, data: tuple[str, str] | None = None) -> list[str]:
        """Compare the checkpoint with the run and with the data. Returns harmless differences, one line each.

        data: shape and fingerprint of the data of the evaluation, None if it is not that of a training.

        Raises: ConfigError, if a setting or the data differs so that the result would not be one of this run.
        """
        trained = self._trained()
        try:
            check_settings(trained, self._run)
        except ConfigError as error:
            raise ConfigError(f"{self._path.name}: {error}; restore config.json or the checkpoint") from None
        notes = notes_on_settings(trained, self._run)
        if data and "data" in self._state and self._on_own_data():
            notes += notes_on_data(self._state["data"], data)
        return notes

    def record(self, measured: Measured, weights: str, attacks: Sequence[tuple[Threat, Attack]], data: str) -> None:
        """Append the result to the run's evaluations, a record for each attack. A stored result may be there already.

        weights: hash of the evaluated weights; data: fingerprint of the data. Raises: OSError.
        """
        path, records = self._rundir.evaluations, self._records(measured, weights, attacks, data)
        if measured.stored:
            known = {record.question() for record in evaluations.read(path)}
            records = [record for record in records if record.question() not in known]
        if records:
            evaluations.append(path, records)

    def _records(
        self, measured: Measured, weights: str, attacks: Sequence[tuple[Threat, Attack]], data: str
    ) -> list[EvaluationRecord]:
        asked, unmoved = self._asked, measured.without_gradient or (0,) * len(attacks)
        fooled = measured.fooled_by or ((),) * len(attacks)
        return [
            EvaluationRecord(
                time=evaluations.iso_time(measured.measured or time.time()),
                checkpoint=self.name,
                step=self.step,
                weights=weights,
                dataset=asked.config.dataset,
                data=data,
                held_out=bool(asked.config.holdout),
                attack=measured.attack,
                norm=threat.norm,
                eps=threat.eps,
                step_size=attack.step_size,
                seed=asked.config.seed,
                images=measured.images,
                clean=measured.clean,
                robust=robust,
                without_gradient=without_gradient,
                answers=measured.answers,
                fooled_by=fooled_by,
            )
            for (threat, attack), robust, without_gradient, fooled_by in zip(
                attacks, measured.robust, unmoved, fooled, strict=True
            )
        ]

    def _trained(self) -> RunConfig:
        try:
            return decode(self._state["config"], RunConfig)
        except (msgspec.DecodeError, TypeError) as error:
            raise ConfigError(
                f"{self._path} was trained with settings that this version cannot read ({error}); use that version"
            ) from None

    def _on_own_data(self) -> bool:
        """Whether the evaluation uses the data set of the run."""
        config = self._asked.config
        return (config.dataset, config.holdout) == (self._run.dataset, self._run.holdout)
