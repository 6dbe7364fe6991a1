"""The data sets: one DatasetSpec per data set, known before any file is read.

The spec gives the allowed names, the help text, the default preset, and the place of the files. The environment
variable FASTADV_PLUGINS names modules with further data sets. Each such module holds its DatasetSpec as `DATASET`.
"""

import re
from collections.abc import Mapping
from functools import cache

from msgspec import Struct

from engine.config.errors import ConfigError
from engine.config.plugins import found_in, plugins

FOLDER = "imagefolder:"  # followed by the path of a folder of images
NPZ = "npz:"  # followed by the path of an npz file
HF_DATA = "hf-data:"  # followed by the path of a folder that `datasets.save_to_disk` wrote
FUNCTION = re.compile(r"(?P<path>.+\.py):(?P<name>[^\W\d]\w*)", re.DOTALL)  # FILE.py:NAME, a function of the user
OWN_FORMS = f"FILE.py:NAME, {NPZ}FILE, {HF_DATA}PATH or {FOLDER}PATH"  # of data sets that the user names by a path


class DatasetFacts(Struct, frozen=True):
    """The facts about a data set that a network and its training depend on. Checkpoints store these fields.

    channels, height, width: of an image, sizes in pixels. train_images: number of training images in the release.
    mean, std: per channel, for pixels in [0,1]. padding: pixels added around a training image before a random crop.
    flip: whether training images are mirrored at random.
    """

    channels: int
    height: int
    width: int
    classes: int
    train_images: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    padding: int = 0
    flip: bool = False


class Download(Struct, frozen=True):
    """How to download the official files: the name of torchvision's class, and the folder that the class creates."""

    torchvision_class: str
    folder: str


class DatasetSpec(Struct, frozen=True, kw_only=True):
    """A data set.

    preset: the default preset. aliases: other allowed names. facts: None if they come from the files alone, as those of
    a folder of images. reader: "module:function", empty for a folder of images. The function takes the data folder (a
    Path) and returns `engine.data.memory.arrays.Arrays`, or None if the files are missing.
    own: whether the name of the data set holds a path of the user. The reader then takes this path as text.
    slow: whether to read the files takes a minute, so that `fastadv doctor` looks only whether they are there.
    pgd_step: step size of PGD for linf in training and evaluation, as a fraction in [0,1]; None means eps / 4.
    files: path of the official files in the data folder, empty if the data set needs no files.
    download: None if the files cannot be downloaded.
    """

    name: str
    summary: str
    preset: str
    aliases: tuple[str, ...] = ()
    facts: DatasetFacts | None = None
    reader: str = ""
    pgd_step: float | None = None
    files: str = ""
    download: Download | None = None
    own: bool = False
    slow: bool = False

    @property
    def in_folder(self) -> bool:
        """Whether each image is a file in a folder. Other data sets are arrays in memory."""
        return not self.reader


BUILT_IN = (
    DatasetSpec(
        name="digits",
        summary="scikit-learn's 1,797 handwritten digits of 8x8 pixels; no download",
        preset="digits",
        facts=DatasetFacts(1, 8, 8, 10, 1437, (0.0,), (1.0,)),
        reader="engine.data.memory.digits:read",
    ),
    DatasetSpec(
        name="cifar10",
        summary="CIFAR-10: 50,000 training and 10,000 test images of 32x32 pixels, 10 classes",
        preset="wong2020",
        aliases=("cifar",),
        facts=DatasetFacts(
            3, 32, 32, 10, 50_000, (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616), padding=4, flip=True
        ),
        reader="engine.data.memory.cifar:read10",
        files="cifar-10-batches-py",
        download=Download("CIFAR10", "cifar-10-batches-py"),
    ),
    DatasetSpec(
        name="cifar100",
        summary="CIFAR-100: 50,000 training and 10,000 test images of 32x32 pixels, 100 classes",
        preset="wong2020",
        facts=DatasetFacts(
            3, 32, 32, 100, 50_000, (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761), padding=4, flip=True
        ),
        reader="engine.data.memory.cifar:read100",
        files="cifar-100-python",
        download=Download("CIFAR100", "cifar-100-python"),
    ),
    DatasetSpec(
        name="mnist",
        summary="MNIST: 60,000 training and 10,000 test images of 28x28 pixels, 10 classes",
        preset="wong2020-mnist",
        facts=DatasetFacts(1, 28, 28, 10, 60_000, (0.0,), (1.0,)),
        reader="engine.data.memory.mnist:read",
        pgd_step=0.01,  # step size in the paper's MNIST runs; the other runs use eps/4
        files="MNIST/raw/*-ubyte.gz",
        download=Download("MNIST", "MNIST"),
    ),
    DatasetSpec(
        name="svhn",
        summary="SVHN: 73,257 training and 26,032 test images of 32x32 pixels, 10 digits; .mat files (cropped digits)",
        preset="wong2020",
        reader="engine.data.memory.svhn:read",
        files="svhn/*_32x32.mat",
    ),
    DatasetSpec(
        name="tiny-imagenet",
        summary="Tiny-ImageNet-200: 100,000 training and 10,000 validation images of 64x64 pixels, 200 classes",
        preset="wong2020",
        reader="engine.data.memory.tiny_imagenet:read",
        files="tiny-imagenet-200",
        slow=True,
    ),
    DatasetSpec(
        name="imagenet", summary="ImageNet, as prepared by `fastadv prepare imagenet`", preset="wong2020-imagenet"
    ),
)
IMAGE_FOLDER = DatasetSpec(
    name=FOLDER,
    summary="any folder of images with PATH/train/CLASS/FILE and PATH/val/CLASS/FILE",
    preset="wong2020-imagenet",
    own=True,
)
NPZ_FILE = DatasetSpec(
    name=NPZ,
    summary="an npz file with the arrays x_train, y_train, x_test and y_test",
    preset="wong2020",
    reader="engine.data.memory.npz:read",
    own=True,
)
SAVED_DATASET = DatasetSpec(
    name=HF_DATA,
    summary="a Hugging Face data set on the disk, with the splits train and test",
    preset="wong2020",
    reader="engine.data.memory.saved_dataset:read",
    own=True,
)
USER_FUNCTION = DatasetSpec(
    name="FILE.py:NAME",
    summary="a function in a Python file that returns the arrays",
    preset="wong2020",
    reader="engine.data.memory.user_function:read_function",
    own=True,
)
OWN_BY_PREFIX = {spec.name: spec for spec in (IMAGE_FOLDER, NPZ_FILE, SAVED_DATASET)}


@cache
def datasets() -> Mapping[str, DatasetSpec]:
    """All data sets by name, without folders of images. Raises: ConfigError, if two share a name or an alias."""
    found: dict[str, DatasetSpec] = {}
    taken: set[str] = set()
    for spec in (*BUILT_IN, *found_in(plugins(), "DATASET")):
        if doubled := taken & {spec.name, *spec.aliases}:
            raise ConfigError(f"two data sets are called {doubled.pop()}: rename the one in FASTADV_PLUGINS")
        taken |= {spec.name, *spec.aliases}
        found[spec.name] = spec
    return found


def own_spec(dataset: str) -> DatasetSpec | None:
    """The spec of a data set whose name holds a path of the user; None for other names."""
    for prefix, spec in OWN_BY_PREFIX.items():
        if dataset.startswith(prefix):
            return spec
    return USER_FUNCTION if FUNCTION.fullmatch(dataset) else None


def path_of(dataset: str) -> str:
    """The path in the name of a data set of the user, without the name of a function; "" for other data sets."""
    spec = own_spec(dataset)
    if spec is None:
        return ""
    found = FUNCTION.fullmatch(dataset) if spec is USER_FUNCTION else None
    return found["path"] if found else dataset.removeprefix(spec.name)


def with_path(dataset: str, path: str) -> str:
    """The name of a data set of the user with another path in it. Raises: ValueError, for other data sets."""
    spec = own_spec(dataset)
    if spec is None:
        raise ValueError(f"{dataset} names no path")
    found = FUNCTION.fullmatch(dataset) if spec is USER_FUNCTION else None
    return f"{path}:{found['name']}" if found else f"{spec.name}{path}"


def own_prefix(dataset: str) -> str:
    """`imagefolder:`, `npz:` or `hf-data:` if the name of a data set begins with it, else ""."""
    return next((prefix for prefix in OWN_BY_PREFIX if dataset.startswith(prefix)), "")


def spec_of(dataset: str) -> DatasetSpec:
    """The spec of a data set. dataset: its full name, or in one of the forms of OWN_FORMS.

    Raises: ConfigError, if it is unknown.
    """
    spec = own_spec(dataset) or datasets().get(dataset)
    if spec is None:
        raise ConfigError(f"unknown data set {dataset!r}; use {', '.join(datasets())}, {OWN_FORMS}")
    return spec


def facts_of(dataset: str) -> DatasetFacts:
    """The facts of a data set that are known without its files. Raises: ConfigError, if only its files tell."""
    facts = spec_of(dataset).facts
    if facts is None:
        raise ConfigError(f"{dataset}: only its files tell the image size and the classes")
    return facts


def full_name(name: str) -> str:
    """The full name for an alias. Any other name is returned unchanged."""
    return next((spec.name for spec in datasets().values() if name in spec.aliases), name)


def dataset_names() -> str:
    """The names that a user can type, for help texts: `digits, cifar (cifar10), ...`."""
    names = [f"{spec.aliases[0]} ({spec.name})" if spec.aliases else spec.name for spec in datasets().values()]
    return f"{', '.join(names)}, {OWN_FORMS}"
