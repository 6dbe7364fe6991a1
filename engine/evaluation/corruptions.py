"""Clean accuracy on corrupted test images, for each corruption and severity. A file keeps the progress."""

import time
from pathlib import Path

import msgspec
import torch
from torch import nn

from engine.config.typed import decode
from engine.data.memory.batches import to_images
from engine.data.memory.corruptions import CORRUPTIONS, SEVERITIES, Corruptions
from engine.evaluation.evaluation import Tick
from engine.protocol.corruptions import ByCorruption
from engine.protocol.files import write_atomic
from engine.protocol.stop import Stopped
from engine.runtime.eval_mode import evaluating

SAVE_EVERY = 30.0  # seconds between two saves of the progress


class CorruptionEvaluation:
    """The accuracy of a network on each corruption in each severity, in fp32 and without attack.

    limit: number of images of each corruption and severity, from the first; 0: all. batch: images at once.
    progress: the file that keeps the counts of the finished parts; its name must hold all that decides the result.
    """

    def __init__(
        self, model: nn.Module, data: Corruptions, limit: int, batch: int, device: torch.device, progress: Path
    ) -> None:
        self._model, self._data, self._batch, self._device, self._progress = model, data, batch, device, progress
        self.images = min(limit, len(data)) if limit else len(data)
        self._labels = torch.from_numpy(data.labels).to(device)
        self._right: dict[str, int] = {}  # by part, such as "fog 3": images that the network classifies correctly
        self._saved = time.monotonic()

    def run(self, tick: Tick) -> ByCorruption:
        """Evaluate what is left. tick: called with the images done and all images; its exception ends the evaluation
        after a save.

        Returns: for each corruption its name and the accuracies in [0,1], from severity 1 to 5. Raises: OSError, if the
        progress cannot be written.
        """
        self._right = _read(self._progress)
        parts = [(name, severity) for name in CORRUPTIONS for severity in range(1, SEVERITIES + 1)]
        total = len(parts) * self.images
        try:
            with evaluating(self._model), torch.no_grad():
                for number, (name, severity) in enumerate(parts):
                    if _part(name, severity) not in self._right:
                        self._right[_part(name, severity)] = self._count(name, severity, tick, number, total)
                        self._save_sometimes()
        except Stopped:
            self._save()
            raise
        tick(total, total)
        self._progress.unlink(missing_ok=True)
        return tuple(
            (name, tuple(self._right[_part(name, severity)] / self.images for severity in range(1, SEVERITIES + 1)))
            for name in CORRUPTIONS
        )

    def _count(self, name: str, severity: int, tick: Tick, number: int, total: int) -> int:
        """The number of images of a part that the network classifies correctly. number: of the parts before."""
        pixels, right = self._data.images(name, severity)[: self.images], 0
        for begin in range(0, self.images, self._batch):
            tick(number * self.images + begin, total)
            part = torch.from_numpy(pixels[begin : begin + self._batch].copy()).to(self._device)
            answers = self._model(to_images(part)).argmax(1)
            right += int((answers == self._labels[begin : begin + len(part)]).sum())
        return right

    def _save_sometimes(self) -> None:
        if time.monotonic() - self._saved > SAVE_EVERY:
            self._save()

    def _save(self) -> None:
        write_atomic(self._progress, msgspec.json.encode(self._right))
        self._saved = time.monotonic()


def _part(name: str, severity: int) -> str:
    return f"{name} {severity}"


def _read(path: Path) -> dict[str, int]:
    """The counts of the finished parts. Empty if there is no progress, or if the file is damaged."""
    try:
        return decode(path.read_bytes(), dict[str, int])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
