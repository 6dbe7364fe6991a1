"""Measures the accuracy of given weights on corrupted test images. A stop saves the progress."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch
from msgspec import structs

from engine.config.datasets import DatasetFacts, spec_of
from engine.config.typed import decode
from engine.data.dataset import open_dataset
from engine.data.memory.corruptions import open_corruptions
from engine.evaluation.corruptions import CorruptionEvaluation
from engine.evaluation.resumable import weights_hash
from engine.evaluation.run_checkpoint import RunCheckpoint
from engine.evaluation.settings import eval_batch
from engine.models import pretrained
from engine.models.build import build_network
from engine.protocol import corruptions, evaluations
from engine.protocol.corruptions import CorruptionRecord, mean_accuracy
from engine.protocol.files import write_atomic
from engine.protocol.requests import CorruptionsMeasured, EvalRequest, Understood
from engine.protocol.rundir import RunDir
from engine.runtime.device import pick
from engine.runtime.fp32 import check_fp32


class RequestedCorruptions:
    """The network with its weights, and the corrupted images of a request. Raises, when built: UserError, OSError."""

    def __init__(self, asked: EvalRequest) -> None:
        self._asked, config = asked, asked.config
        self._device = pick(config.device)
        check_fp32(self._device)
        weights = pretrained.read(Path(asked.weights))
        self._of_run = RunCheckpoint(asked, weights.content) if asked.run else None
        self._notes = self._of_run.notes() if self._of_run else []
        facts = self._facts()
        self._data = open_corruptions(Path(asked.corruptions), facts)
        model = build_network(config.model, facts)
        self._loaded = pretrained.load_into(model, weights, config.model, facts, asked.normalize, asked.key)
        self._model = model.to(self._device).to(memory_format=torch.channels_last).eval()
        self._weights = weights_hash(self._model)
        key = repr((msgspec.json.encode(config.model), self._weights, self._data.fingerprint, config.eval.images))
        name = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
        self._result = Path(asked.folder) / f"corruptions-{name}.json"
        self._evaluation = CorruptionEvaluation(
            self._model,
            self._data,
            config.eval.images,
            eval_batch(config, self._device),
            self._device,
            self._result.with_suffix(".progress"),
        )

    def understood(self) -> Understood:
        """The answer that says what will be measured."""
        return Understood(
            device=str(self._device),
            search="",
            matched=self._loaded.matched,
            normalize=self._loaded.normalize,
            attack="",
            images=self._evaluation.images,
            test_images=len(self._data),
            official_data=None,
            held_out=False,
            source=self._loaded.source,
            others=self._loaded.others,
            ignored=self._loaded.ignored,
            places=tuple(self._loaded.places.items()) if self._asked.explain else (),
            notes=tuple(self._notes),
            corruptions=len(self._data.arrays),
        )

    def measure(self, tick: Callable[[int, int], None]) -> CorruptionsMeasured:
        """The stored result, or that of the evaluation. tick: as in `CorruptionEvaluation.run`. Raises: OSError."""
        if not self._asked.again and (known := _read(self._result)):
            return known
        begun = time.monotonic()
        accuracies = self._evaluation.run(tick)
        return CorruptionsMeasured(
            accuracies=accuracies,
            mean=mean_accuracy(accuracies),
            images=self._evaluation.images,
            seconds=round(time.monotonic() - begun, 1),
        )

    def store(self, measured: CorruptionsMeasured) -> None:
        """Store the result, and record it in the run directory if a run was evaluated. Raises: OSError."""
        if self._of_run:
            self._record(measured)
        if not measured.stored:
            write_atomic(self._result, msgspec.json.encode(measured))

    def _record(self, measured: CorruptionsMeasured) -> None:
        assert self._of_run is not None
        path = RunDir(Path(self._asked.run)).corruptions
        record = CorruptionRecord(
            time=evaluations.iso_time(time.time()),
            checkpoint=self._of_run.name,
            step=self._of_run.step,
            weights=self._weights,
            dataset=self._asked.config.dataset,
            data=self._data.fingerprint,
            folder=self._asked.corruptions,
            images=measured.images,
            accuracies=measured.accuracies,
        )
        known = {record.question() for record in corruptions.read(path)} if measured.stored else set()
        if record.question() not in known:
            evaluations.append(path, [record])

    def _facts(self) -> DatasetFacts:
        """Those of the checkpoint, else of the data set. The files of the data set are opened only if nothing else
        tells.
        """
        if self._of_run and (facts := self._of_run.facts):
            return facts
        return spec_of(self._asked.config.dataset).facts or open_dataset(self._asked.config).facts


def _read(path: Path) -> CorruptionsMeasured | None:
    try:
        measured = decode(path.read_bytes(), CorruptionsMeasured)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return structs.replace(measured, stored=True)
