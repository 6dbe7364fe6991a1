"""Results of `fastadv eval RUN --corruptions`, as lines of JSON in `corruptions.jsonl` of the run directory."""

from pathlib import Path
from statistics import mean

import msgspec
from msgspec import Struct

from engine.config.typed import decoder

ByCorruption = tuple[tuple[str, tuple[float, ...]], ...]  # accuracies in [0,1] by corruption, from severity 1 to 5


class CorruptionRecord(Struct, frozen=True, kw_only=True):
    """The accuracies of one checkpoint of a run on corrupted images. Readers ignore unknown fields.

    time, checkpoint, step, weights: as in EvaluationRecord. dataset: of the network; data: fingerprint of the corrupted
    images; folder: where they were. images: number of each corruption and severity.
    """

    time: str
    checkpoint: str
    step: int = 0
    weights: str
    dataset: str
    data: str
    folder: str = ""
    images: int
    accuracies: ByCorruption

    def question(self) -> tuple[object, ...]:
        """Everything that decides the result."""
        return self.checkpoint, self.step, self.weights, self.dataset, self.data, self.images


_DECODER = decoder(CorruptionRecord)


def mean_accuracy(accuracies: ByCorruption) -> float:
    """The plain mean over all corruptions and severities, as results on CIFAR-10-C are reported."""
    return mean(accuracy for _, by_severity in accuracies for accuracy in by_severity)


def read(path: Path) -> list[CorruptionRecord]:
    """The records of a file in their order. Lines that are torn or of an unknown form are left out."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    found = (_decode(line) for line in lines)
    return [record for record in found if record is not None and _is_whole(record)]


def _is_whole(record: CorruptionRecord) -> bool:
    return bool(record.accuracies) and all(by_severity for _, by_severity in record.accuracies)


def _decode(line: bytes) -> CorruptionRecord | None:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
