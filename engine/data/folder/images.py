"""Test images in files, decoded when they are needed."""

import os
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.folder.decode import GREY, DecodeError, eval_crop
from engine.data.folder.file_facts import KnownFiles, changed_remark
from engine.data.folder.workers import MAX_WORKERS
from engine.data.memory.batches import to_images
from engine.protocol.cores import cores_of_run, runs_on_host
from engine.runtime.host_memory import free_memory

UNREADABLE = -1  # label of a test image that cannot be decoded; no class has it, so it counts as wrong
TEST_ORDER_SEED = 0
KEPT_FRACTION = 0.25  # of the free memory, for decoded images; the runs that may share the host get equal shares
KEPT_BYTES = 2 * 10**9  # if the free memory is unknown


def kept_bytes() -> int:
    """The bytes of decoded test images that a run may keep."""
    free = free_memory()
    return KEPT_BYTES if free is None else int(KEPT_FRACTION * free) // runs_on_host()


class FolderImages:
    """Test images by index. Their order mixes the classes, and is always the same.

    The first images are kept in memory, as many as `kept_bytes` allows, because each restart of an attack needs those
    again that have survived.

    resize, crop: in pixels, see `eval_crop`. unreadable: the paths of files that could not be read.
    known, remarks: as those of `FolderBatches`.
    """

    def __init__(
        self,
        files: NDArray[np.bytes_],
        labels: NDArray[np.int64],
        resize: int,
        crop: int,
        device: torch.device,
        known: KnownFiles | None = None,
    ) -> None:
        order = np.random.default_rng(TEST_ORDER_SEED).permutation(len(labels))
        self.unreadable: set[str] = set()
        self.remarks: list[str] = []
        self._known = known and known.in_order(order)
        self._files, self.labels = files[order], torch.from_numpy(labels[order]).to(device)
        self._resize, self._crop = resize, crop
        self._kept: dict[int, NDArray[np.uint8]] = {}
        self._keeps = kept_bytes() // (3 * crop**2)  # images

    def first(self, count: int) -> "FolderImages":
        """The first `count` images, or all images if `count` is 0."""
        if not count or count >= len(self):
            return self
        part = copy(self)  # with the same images in memory, whose indices stay the same
        part._files, part.labels = self._files[:count], self.labels[:count]
        return part

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Images in [0,1], (B, C, H, W), and labels, (B,). An unreadable image is grey, and its label is UNREADABLE."""
        with ThreadPoolExecutor(min(MAX_WORKERS, cores_of_run())) as pool:
            found = list(pool.map(self._decoded, indices.tolist()))
        grey = np.full((self._crop, self._crop, 3), GREY, dtype=np.uint8)
        pixels = np.stack([grey if pixels is None else pixels for pixels in found])
        seen = torch.tensor([pixels is not None for pixels in found], device=self.labels.device)
        return to_images(torch.from_numpy(pixels).to(self.labels.device)), self.labels[indices].where(seen, UNREADABLE)

    def _decoded(self, index: int) -> NDArray[np.uint8] | None:
        """The pixels of an image, or None if its file cannot be read."""
        if (kept := self._kept.get(index)) is not None:
            return kept
        try:
            pixels = eval_crop(self._files[index], self._resize, self._crop)
        except DecodeError:
            self.unreadable.add(os.fsdecode(self._files[index]))
            return None
        if self._known and not self.remarks and self._known.differs(index, self._files[index]):
            self.remarks.append(changed_remark(self._files[index]))
            self._known.forget()
        if index < self._keeps:
            self._kept[index] = pixels
        return pixels
