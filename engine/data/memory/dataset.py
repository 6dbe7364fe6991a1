"""A data set in memory as the data set of a run."""

import torch
from msgspec import structs

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.phases import Phase
from engine.data.labels import label_remarks
from engine.data.memory.arrays import Arrays
from engine.data.memory.batches import TestImages, TrainBatches
from engine.data.memory.datasets import arrays_fingerprint


class MemoryDataset:
    """A data set in memory. Its training images move to the device once. It is evaluated in its own image size."""

    def __init__(self, arrays: Arrays, facts: DatasetFacts, reflect: bool = False) -> None:
        """reflect: whether the padding of training images reflects them. Else it is black."""
        self.arrays, self.facts, self._reflect = arrays, facts, reflect
        self.official: bool | None = arrays.official
        self.train_images, self.test_images = len(arrays.train_labels), len(arrays.test_labels)
        self.shape = f"{self.train_images:,} training images"
        self._whole: TrainBatches | None = None

    @property
    def remarks(self) -> list[str]:
        """What a user should know before the start: classes without images."""
        return label_remarks(self.arrays.train_labels, self.arrays.test_labels, self.facts.classes)

    def fingerprint(self) -> str:
        return arrays_fingerprint(self.arrays)

    def filled(self, phase: Phase) -> Phase:
        if phase.batch_size > self.train_images:
            raise ConfigError(
                f"batch_size = {phase.batch_size}: the data has only {self.train_images} training images; "
                f"use at most {self.train_images}"
            )
        return structs.replace(phase, crop=phase.crop or self.facts.height)

    def batches(self, phase: Phase, seed: int, device: torch.device) -> TrainBatches:
        if self._whole is None:
            arrays = self.arrays
            self._whole = TrainBatches(
                arrays.train_images, arrays.train_labels, self.facts, phase.batch_size, seed, device, self._reflect
            )
        return self._whole.resized(phase.batch_size, phase.crop)

    def test(self, phase: Phase, device: torch.device) -> TestImages:
        return TestImages.load(self.arrays.test_images, self.arrays.test_labels, device)
