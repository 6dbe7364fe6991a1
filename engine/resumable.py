"""Evaluations that survive a stop or a kill: their progress in a file, for whoever asks the same question again."""

import contextlib
import hashlib
import time
from pathlib import Path

import torch
from torch import nn

from engine.atomic import replacing
from engine.evaluate import Accuracy, Evaluation, Tick
from engine.sections import ModelConfig

SAVE_EVERY = 60.0  # seconds


def question(model: nn.Module, config: ModelConfig, data: str, *details: object) -> str:
    """A hash of what an evaluation asks: weights and what computes with them, as an activation has none; fingerprint of
    the data, image sizes, attacks, seed, arithmetic.
    """
    digest = hashlib.blake2b(repr((config, data, details)).encode(), digest_size=8)
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


class Resumable:
    """An evaluation with its progress in `path`; what is there of another question is of no use, and overwritten."""

    def __init__(self, evaluation: Evaluation, path: Path, asked: str) -> None:
        self.evaluation, self.path, self.asked = evaluation, path, asked
        self._saved = time.monotonic()

    def run(self, tick: Tick) -> list[Accuracy]:
        """Evaluate from where it was left. What `tick` raises ends it for now, after a save.

        Raises: OSError, if the progress cannot be written.
        """
        self._restore()
        try:
            accuracies = self.evaluation.run(lambda done, total: self._look(tick, done, total))
        except Exception:  # a stop, or whatever broke: it was right up to here
            self._save()
            raise
        self.path.unlink(missing_ok=True)
        return accuracies

    def _look(self, tick: Tick, done: int, total: int) -> None:
        tick(done, total)
        if time.monotonic() - self._saved > SAVE_EVERY:
            self._save()

    def _save(self) -> None:
        with replacing(self.path) as file:
            torch.save({"asked": self.asked, **self.evaluation.state_dict()}, file)
        self._saved = time.monotonic()

    def _restore(self) -> None:
        with contextlib.suppress(Exception):  # a damaged file can raise nearly anything, and costs only its minutes
            state = torch.load(self.path, map_location=self.evaluation.data.labels.device, weights_only=True)
            if state.pop("asked") == self.asked:
                self.evaluation.load_state_dict(state)
