"""A data set in memory as the data set of a run. Opening and checking it loads no torch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.phases import Phase
from engine.data.labels import label_remarks
from engine.data.memory.arrays import Arrays
from engine.data.memory.datasets import arrays_fingerprint
from engine.data.memory.extra import ExtraImages

if TYPE_CHECKING:
    import torch

    from engine.data.memory.batches import TestImages, TrainBatches
    from engine.data.memory.mixed import MixedBatches


class MemoryDataset:
    """A data set in memory. Its training images move to the device once. It is evaluated in its own image size."""

    def __init__(self, arrays: Arrays, facts: DatasetFacts, reflect: bool = False, changes: Sequence[str] = ()) -> None:
        """reflect: whether the padding of training images reflects them. Else it is black. changes: remarks on what
        has changed since the submission.
        """
        self._changes = list(changes)
        self.arrays, self.facts, self._reflect = arrays, facts, reflect
        self.official = arrays.official
        self.train_images, self.test_images = len(arrays.train_labels), len(arrays.test_labels)
        self.shape = f"{self.train_images:,} training images"
        self.extra_images: tuple[int, str] | None = None
        self._extra: tuple[ExtraImages, float] | None = None
        self._whole: TrainBatches | MixedBatches | None = None

    def add_extra(self, extra: ExtraImages, fraction: float) -> None:
        """Mix extra images into the training minibatches. fraction: of a minibatch, in [0,1)."""
        self._extra, self.extra_images = (extra, fraction), (len(extra), extra.fingerprint)

    @property
    def remarks(self) -> list[str]:
        """What a user should know before the start: a changed file, classes without images, and the extra images."""
        found = self._changes + label_remarks(self.arrays.train_labels, self.arrays.test_labels, self.facts.classes)
        if self._extra:
            extra, fraction = self._extra
            found.append(
                f"{fraction:.0%} of each minibatch are from the {len(extra):,} images of {extra.path} "
                f"(fingerprint {extra.fingerprint})"
            )
        return found

    def fingerprint(self) -> str:
        return arrays_fingerprint(self.arrays)

    def filled(self, phase: Phase) -> Phase:
        if phase.batch_size > self.train_images:
            raise ConfigError(
                f"batch_size = {phase.batch_size}: the data has only {self.train_images} training images; "
                f"use at most {self.train_images}"
            )
        return structs.replace(phase, crop=phase.crop or self.facts.height)

    def batches(self, phase: Phase, seed: int, device: "torch.device") -> "TrainBatches | MixedBatches":
        from engine.data.memory.batches import TrainBatches  # imported late, as below: loads torch
        from engine.data.memory.mixed import MixedBatches

        if self._whole is None:
            arrays = self.arrays
            own = TrainBatches(
                arrays.train_images, arrays.train_labels, self.facts, phase.batch_size, seed, device, self._reflect
            )
            self._whole = MixedBatches(own, *self._extra) if self._extra else own
        return self._whole.resized(phase.batch_size, phase.crop)

    def test(self, phase: Phase, device: "torch.device") -> "TestImages":
        from engine.data.memory.batches import TestImages

        return TestImages.load(self.arrays.test_images, self.arrays.test_labels, device)
