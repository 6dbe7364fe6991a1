"""The requests to the engine's commands, and their answers.

A request is one JSON object on standard input. Answers are one JSON object per line on standard output. `--check` and
`--flops` take a RunConfig; `--check gpu` is for a run that will have the slot of a GPU, `--check
code-of=FOLDER` for the repetition of a run whose copy of the user's code counts. `--doctor` takes the folder of
the data sets as its argument. The other commands take a request from this file. Every command but `--doctor` may answer
Refused instead. `--serve` takes many requests, one Question per line, and answers each with several lines.
"""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from engine.config.norms import LINF, Norm
from engine.config.plain_file import not_plain
from engine.config.run import RunConfig
from engine.config.typed import decode
from engine.plan.cost import Passes
from engine.protocol.corruptions import ByCorruption

ON_GPU = "gpu"  # the argument of `--check` for a run that will have the slot of a GPU
CODE_OF = "code-of="  # how the argument of `--check` begins that names the folder of a run that is repeated


class Answer(Struct, tag_field="type", kw_only=True):
    """One line of an answer. Never rename a tag: tags are part of the protocol."""


class Refused(Answer, tag="Refused"):
    """The request was refused. message: one line with a cause that the user can fix."""

    message: str


# -- check --------------------------------------------------------------------------------------------------------


class Checked(Answer, tag="Checked"):
    """The run can start on this data. train_images, test_images: numbers of images.

    official_data: whether the data is the official release, None if there is no release to compare with.
    data_fingerprint: a hash of the data, 12 hexadecimal digits.
    """

    train_images: int
    test_images: int
    official_data: bool | None
    data_fingerprint: str


# -- doctor -------------------------------------------------------------------------------------------------------


class MachineReport(Answer, tag="MachineReport"):
    """The hardware, software and data on this machine. python, torch, platform: versions; cpu: cores and threads.

    cuda: the version that torch is built for, empty for a build without CUDA. gpus: names of the usable GPUs. no_gpu:
    why torch can use no GPU, and what helps; empty if it can use one. device: the device that trains. precision,
    precision_reason: the arithmetic that `auto` chooses on this device, and why. data: the files found of each data
    set, in words.
    """

    python: str
    torch: str
    cuda: str
    platform: str
    cpu: str
    gpus: list[str]
    no_gpu: str
    device: str
    precision: str
    precision_reason: str
    data: dict[str, str]


# -- flops --------------------------------------------------------------------------------------------------------


class Counted(Answer, tag="Counted"):
    """The cost of a run. passes: cost of one image by the crop of a phase (side in pixels, 0 for the data set's own).

    train_images: number of images in an epoch.
    """

    passes: dict[int, Passes]
    train_images: int


# -- serve --------------------------------------------------------------------------------------------------------


class Question(Struct, frozen=True, kw_only=True):
    """One line to `--serve`. number: higher than that of every earlier question. command: what to do with `config`.

    on_gpu: whether the run will have the slot of a GPU.
    """

    number: int
    command: Literal["check", "flops"]
    config: RunConfig
    on_gpu: bool = False


class Ready(Answer, tag="Ready"):
    """The server has loaded what it needs, and can begin. Its number is 0."""


class Begun(Answer, tag="Begun"):
    """The server works on the question."""


class Superseded(Answer, tag="Superseded"):
    """The server has left the question for a newer one."""


class Reply(Struct, kw_only=True):
    """One line from `--serve`. number: of the question."""

    number: int
    answer: Ready | Begun | Superseded | Checked | Counted | Refused


# -- eval ---------------------------------------------------------------------------------------------------------


class EvalRequest(Struct, frozen=True, kw_only=True):
    """A request to evaluate weights. config: data set, network, attack, images, seed and device of the evaluation.

    weights: path of the file. eps: fractions in [0,1], plain numbers for norm l2. folder: where progress and results
    are stored. normalize: the normalisation of the training images, `dataset` (its mean and std), `none` (images in
    [0,1]) or MEAN/STD; empty: as in the file, else `dataset`. again: whether to measure again where a result is stored
    already. key: the set of weights in the file, or the module in the set; empty: the preferred one that fits. explain:
    whether to answer which tensor of the file went where. run: the run directory whose checkpoint the file is, "" for
    any other file. The run directory then gets a record of the result. corruptions: the folder of corrupted images to
    measure the accuracy on, in place of an attack; "" for an attack.
    """

    config: RunConfig
    weights: str
    eps: tuple[float, ...]
    folder: str
    normalize: str = ""
    again: bool = False
    key: str = ""
    explain: bool = False
    run: str = ""
    corruptions: str = ""


class Understood(Answer, tag="Understood"):
    """The evaluation that will be done. matched: how the tensors of the file were assigned to the network.

    source: the set of weights that was taken, "" if the file has one only. others: further sets that fit. ignored: the
    tensors that are not the network's. places: pairs of a tensor of the network and one of the file, if asked for.
    notes: harmless differences between the checkpoint and its run, and remarks on the attack, one line each.
    corruptions: number of corruptions that are measured, in five severities with `images` each, in place of an attack.
    """

    device: str
    search: str
    matched: str
    normalize: str
    attack: str
    images: int
    test_images: int
    official_data: bool | None
    held_out: bool
    source: str = ""
    others: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    corruptions: int = 0


class Working(Answer, tag="Working"):
    """Progress: images evaluated plus gradients computed so far, and an estimate of the total."""

    done: int
    total: int


class Measured(Answer, tag="Measured"):
    """The result. Accuracies are in [0,1], with one robust accuracy for each eps. eps: as in the request, in `norm`.

    seconds: duration.

    stored: whether this is the stored result of an earlier evaluation. unreadable: images that could not be read; they
    count as wrong. The result is stored as JSON, in which `stored` keeps its old name `before`.

    without_gradient: for each eps, the number of images that count as robust although their gradient was exactly zero,
    so that the attack could not move them. fooled_by: for each eps, as in the event Evaluated; answers: as there.
    measured: Unix time of the end, 0 if unknown.
    """

    attack: str
    eps: tuple[float, ...]
    clean: float
    robust: tuple[float, ...]
    images: int
    seconds: float
    stored: bool = field(default=False, name="before")
    unreadable: int = 0
    without_gradient: tuple[int, ...] = ()
    answers: int = 0
    measured: float = 0.0
    norm: Norm = LINF
    fooled_by: tuple[tuple[tuple[str, int], ...], ...] = ()


class CorruptionsMeasured(Answer, tag="CorruptionsMeasured"):
    """The result on corrupted images. accuracies: in [0,1], by corruption, from severity 1 to 5; mean: of all of them.

    images: number of each corruption and severity. seconds, stored: as in Measured.
    """

    accuracies: ByCorruption
    mean: float
    images: int
    seconds: float
    stored: bool = False


class Unsaved(Answer, tag="Unsaved"):
    """A file could not be written: the result, its record or the progress. message: the cause in one line."""

    message: str


EvalAnswer = Understood | Working | Measured | CorruptionsMeasured | Unsaved | Refused


# -- export -------------------------------------------------------------------------------------------------------

ExportForm = Literal["weights", "onnx", "robustbench"]
ExportDtype = Literal["fp32", "fp16", "bf16"]


class ExportRequest(Struct, frozen=True, kw_only=True):
    """A request to write the network of a run. run: its directory. which: the checkpoint, last or best.

    out: path of the file; for robustbench, of a folder that exists, which gets `model.py` and `weights.pt`. dtype: of
    the weights in a file of weights. title, about: for the docstring of `model.py`.
    """

    run: str
    form: ExportForm
    out: str
    which: Literal["last", "best"] = "last"
    dtype: ExportDtype = "fp32"
    title: str = ""
    about: str = ""


class Exported(Answer, tag="Exported"):
    """The network is written. own: whether it is a network of ours. tensors: their number. step: weight updates."""

    network: str
    own: bool
    parameters: int
    tensors: int
    step: int


# -- prepare ------------------------------------------------------------------------------------------------------

PREPARED = "prepared.json"
SMALLEST, LARGEST = 16, 1024  # limits of a size: pixels of the shorter side


class PrepareRequest(Struct, frozen=True, kw_only=True):
    """source, out: absolute paths of folders. sizes: pixels of the shorter side. workers: processes; 0 means one
    per core.
    """

    source: str
    out: str
    sizes: tuple[int, ...]
    quality: int = 90
    workers: int = 0


class Prepared(Struct, frozen=True, kw_only=True):
    """The content of `prepared.json`: every copy in these sizes exists, and has been checked.

    counts: number of images with copies, by split. Each size has as many files. broken: "train/CLASS/FILE" of images
    that could not be copied. quality, subsampling: of the JPEGs that were re-encoded instead of copied byte for byte.
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
    """The `prepared.json` of a folder, None if there is no such file. Raises: OSError, msgspec.DecodeError."""
    try:
        if instead := not_plain(out / PREPARED):
            raise msgspec.DecodeError(f"{PREPARED} is {instead}")
        return decode((out / PREPARED).read_bytes(), Prepared)
    except FileNotFoundError:
        return None
    except RecursionError:
        raise msgspec.DecodeError("too many brackets") from None


class Planned(Answer, tag="Planned"):
    """The preparation that will be done. images: number per split. existing: number of images whose
    copies all exist already. JSON keeps its old name `there`.

    needed, free: disk space in bytes. remarks: notes on the source for the user.
    """

    kind: str
    source: str
    out: str
    classes: int
    images: dict[str, int]
    sizes: tuple[int, ...]
    quality: int
    workers: int
    existing: int = field(name="there")
    needed: int
    free: int
    remarks: list[str] = []


class Progress(Answer, tag="Progress"):
    """`stage` is "reading the tar files" (done and total in bytes), "looking" (classes) or "preparing" (images)."""

    stage: str
    done: int
    total: int


class Completed(Answer, tag="Completed"):
    """The preparation is complete. resized, copied: files written now. broken: the problem of each broken image."""

    out: str
    counts: dict[str, int]
    sizes: tuple[int, ...]
    images: int
    resized: int
    copied: int
    seconds: float
    broken: dict[str, str] = field(default_factory=dict)


class Failed(Answer, tag="Failed"):
    """The preparation failed. message: the cause in one line. Finished copies are kept."""

    message: str


PrepareAnswer = Planned | Progress | Completed | Refused | Failed
