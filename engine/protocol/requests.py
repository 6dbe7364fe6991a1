"""What the face asks of the engine's commands, and what they answer.

A request is one JSON object on standard input, answers are one JSON object a line on standard output. `--check` and
`--flops` are asked with a RunConfig, `--doctor` with a folder of data sets as its argument, the others with a request
from this file. Every command but `--doctor` may answer Refused instead.
"""

from pathlib import Path

import msgspec
from msgspec import Struct, field

from engine.config.run import RunConfig
from engine.plan.cost import Passes


class Answer(Struct, tag_field="type", kw_only=True):
    """One line of the engine's answer. Tags are the protocol: a class may be renamed, its tag not."""


class Refused(Answer, tag="Refused"):
    """What a user can put right, in one line."""

    message: str


# -- check --------------------------------------------------------------------------------------------------------


class Checked(Answer, tag="Checked"):
    """The run can start on this data. train_images, test_images: how many images there are.

    official_data: whether the data is the official release, None if there is none to compare with.
    data_fingerprint: a hash of the data, 12 hexadecimal digits.
    """

    train_images: int
    test_images: int
    official_data: bool | None
    data_fingerprint: str


# -- doctor -------------------------------------------------------------------------------------------------------


class MachineReport(Answer, tag="MachineReport"):
    """What this machine has for training. python, torch, platform: versions; cpu: cores and threads, in words.

    gpus: the names of the usable ones; device: which one trains; precision: the arithmetic that `auto` chooses on this
    device, and why; data: what was found of each data set, in words.
    """

    python: str
    torch: str
    platform: str
    cpu: str
    gpus: list[str]
    device: str
    precision: str
    precision_reason: str
    data: dict[str, str]


# -- flops --------------------------------------------------------------------------------------------------------


class Counted(Answer, tag="Counted"):
    """passes: what one image costs the network, by the crop of a phase (side in pixels, 0 for the data set's own).

    train_images: how many images an epoch has.
    """

    passes: dict[int, Passes]
    train_images: int


# -- eval ---------------------------------------------------------------------------------------------------------


class EvalRequest(Struct, frozen=True, kw_only=True):
    """`config` says data set, network, attack, images, seed and device; eps are in [0,1].

    normalize: what the weights were trained on: `dataset` (its mean and std), `none` (images in [0,1]), or
    MEAN/STD; empty is what the file says, else `dataset`. folder: where progress and results are kept.
    """

    config: RunConfig
    weights: str
    eps: tuple[float, ...]
    folder: str
    normalize: str = ""
    again: bool = False


class Understood(Answer, tag="Understood"):
    """What will be done: `matched` says how the tensors of the file found their places."""

    device: str
    search: str
    matched: str
    normalize: str
    attack: str
    images: int
    test_images: int
    official_data: bool | None
    held_out: bool


class Working(Answer, tag="Working"):
    """Images looked at and gradients computed so far, and an estimate of how many it will be in all."""

    done: int
    total: int


class Measured(Answer, tag="Measured"):
    """Accuracies and eps in [0,1], one robust accuracy for each eps; seconds: how long it took.

    before: it was measured at another time. unreadable: images among them that could not be read, and count as wrong.
    """

    attack: str
    eps: tuple[float, ...]
    clean: float
    robust: tuple[float, ...]
    images: int
    seconds: float
    before: bool = False
    unreadable: int = 0


EvalAnswer = Understood | Working | Measured | Refused


# -- prepare ------------------------------------------------------------------------------------------------------

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
