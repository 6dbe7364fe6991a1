"""What is asked of `engine --prepare`, its answers, and the file that it leaves: nothing here is slow to load."""

from pathlib import Path

import msgspec
from msgspec import Struct, field

from engine.request import Answer, Refused

PREPARED = "prepared.json"
SMALLEST, LARGEST = 16, 1024  # pixels of a shorter side


class PrepareRequest(Struct, frozen=True, kw_only=True):
    """source, out: absolute folders; sizes: pixels of the shorter side; workers: processes, 0 for one a core."""

    source: str
    out: str
    sizes: tuple[int, ...]
    quality: int = 90
    workers: int = 0


class Prepared(Struct, frozen=True, kw_only=True):
    """`prepared.json`: says that every copy of these sizes is there, whole and checked.

    counts: sound images of a split, and so the files of each size; broken: "train/CLASS/FILE", of which there are no
    copies. quality and subsampling are those of the JPEGs that were not copied byte for byte.
    """

    source: str
    quality: int
    classes: tuple[str, ...]
    counts: dict[str, int]
    sizes: tuple[int, ...]
    broken: tuple[str, ...] = ()
    subsampling: str = "4:2:0"
    resampling: str = "lanczos"
    version: int = 1


def read_prepared(out: Path) -> Prepared | None:
    """The `prepared.json` of a folder, None if there is none. Raises: OSError, msgspec.DecodeError."""
    try:
        return msgspec.json.decode((out / PREPARED).read_bytes(), type=Prepared)
    except FileNotFoundError:
        return None


class Planned(Answer, tag="Planned"):
    """What will be done. images: of each split; there: images whose copies are all there; needed, free: bytes;
    remarks: what a user should know of the source.
    """

    kind: str
    source: str
    out: str
    classes: int
    images: dict[str, int]
    sizes: tuple[int, ...]
    quality: int
    workers: int
    there: int
    needed: int
    free: int
    remarks: list[str] = []


class Progress(Answer, tag="Progress"):
    """`stage` is "reading the tar files" (done and total in bytes), "looking" (classes) or "preparing" (images)."""

    stage: str
    done: int
    total: int


class Completed(Answer, tag="Completed"):
    """Everything is there. resized, copied: files written now; broken: what is wrong with each broken image."""

    out: str
    counts: dict[str, int]
    sizes: tuple[int, ...]
    images: int
    resized: int
    copied: int
    seconds: float
    broken: dict[str, str] = field(default_factory=dict)


class Failed(Answer, tag="Failed"):
    """What went wrong on the way, in one line; what is done so far is kept."""

    message: str


PrepareAnswer = Planned | Progress | Completed | Refused | Failed
