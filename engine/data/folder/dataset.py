"""A folder of images as the data set of a run."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from msgspec import structs
from numpy.typing import NDArray

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.phases import Phase
from engine.data.folder.batches import FolderBatches
from engine.data.folder.image_folder import ImageFolder
from engine.data.folder.images import FolderImages
from engine.data.folder.layout import ignored_remark
from engine.data.labels import label_remarks

Files = tuple[NDArray[np.bytes_], NDArray[np.int64]]

CROP = 224  # pixels, if the phase sets no crop
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels, of pixels in [0,1]
RESIZE_OVER_CROP = 8 / 7  # in an evaluation: the shorter side is resized to 256 for a crop of 224, as is usual


class FolderDataset:
    """A folder of images, decoded when needed. Evaluation uses the val split, in the crop of the last phase."""

    official: bool | None = None  # there are no published checksums for a folder of any images
    extra_images: tuple[int, str] | None = None  # not supported for folders

    def __init__(self, root: Path) -> None:
        self.folder = ImageFolder(root)
        self._listed: dict[tuple[str, int], Files] = {}
        self.train_images = len(self._files("train", 0)[1])
        self.test_images = len(self._files("val", 0)[1])
        names = hashlib.blake2b(
            "/".join(self.folder.classes).encode(errors="surrogateescape"), digest_size=3
        ).hexdigest()
        self.shape = f"{self.train_images:,} training images of {len(self.folder.classes):,} classes (names {names})"
        self.facts = DatasetFacts(3, CROP, CROP, len(self.folder.classes), self.train_images, MEAN, STD)

    @property
    def remarks(self) -> list[str]:
        """What a user should know: classes without images, and files that lie among the images and are ignored."""
        ignored = [ignored_remark(places) for places in self.folder.ignored.values() if places]
        return label_remarks(self._files("train", 0)[1], self._files("val", 0)[1], self.facts.classes) + ignored

    def fingerprint(self) -> str:
        return self.folder.fingerprint()

    def filled(self, phase: Phase) -> Phase:
        """The phase with its crop filled in.

        Raises: ConfigError, if copies in the phase's size are missing, or its minibatch is larger than the data.
        """
        if phase.batch_size > self.train_images:
            raise ConfigError(f"batch_size = {phase.batch_size}: the data has only {self.train_images} training images")
        for split, count in (("train", self.train_images), ("val", self.test_images)):
            if (found := len(self._files(split, phase.size)[1])) != count:
                raise ConfigError(
                    f"{self.folder.root} has {found:,} {split} images in size {phase.size} but {count:,} in full size; "
                    "run `fastadv prepare` again"
                )
        return structs.replace(phase, crop=phase.crop or CROP)

    def batches(self, phase: Phase, seed: int, device: torch.device) -> FolderBatches:
        files = self._files("train", phase.size)
        known = self.folder.known_files("train", phase.size)
        return FolderBatches(*files, phase.crop, phase.batch_size, seed, device, end=phase.end, known=known)

    def test(self, phase: Phase, device: torch.device) -> FolderImages:
        files, known = self._files("val", phase.size), self.folder.known_files("val", phase.size)
        return FolderImages(*files, round(RESIZE_OVER_CROP * phase.crop), phase.crop, device, known)

    def _files(self, split: str, size: int) -> Files:
        """The result of `ImageFolder.files`. It is cached, because listing a million files takes seconds."""
        if (split, size) not in self._listed:
            self._listed[split, size] = self.folder.files(split, size)
        return self._listed[split, size]
