"""What is known of each data set before its files are read: one DatasetSpec a data set.

From the spec come the allowed names, the help, the default recipe, and where the files belong. FASTADV_PLUGINS names
modules with others: each holds its DatasetSpec as `DATASET`.
"""

from collections.abc import Mapping
from functools import cache

from msgspec import Struct

from engine.config.errors import ConfigError
from engine.config.plugins import found_in, plugins

FOLDER = "imagefolder:"  # and a path: any folder of images


class DatasetFacts(Struct, frozen=True):
    """What a network and a training need to know of a data set. Checkpoints store these fields.

    channels, height, width: of an image; train_images: of the release; mean, std: of each channel, of pixels in [0,1];
    padding: pixels around a training image before a random crop; flip: whether training images are mirrored at random.
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
    """How official files are fetched: the name of torchvision's class, and the folder that it makes."""

    torchvision_class: str
    folder: str


class DatasetSpec(Struct, frozen=True, kw_only=True):
    """A data set.

    preset: its default recipe; aliases: other names that are understood.
    facts: None for a folder of images, which has its own. reader: "module:function" that takes the data folder (a Path)
    and returns `engine.data.memory.arrays.Arrays`, or None where the files are not there; empty for folders of images.
    pgd_step: step size of PGD in training and evaluation, as a fraction in [0,1]; None is a quarter of eps.
    files: where the official files belong in the data folder, empty for data that needs none.
    download: None where nothing can be fetched.
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

    @property
    def in_folder(self) -> bool:
        """Whether the images lie in a folder, one file each, and not in memory."""
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
        pgd_step=0.01,  # of the paper's MNIST runs; its others use eps/4
        files="MNIST/raw/*-ubyte.gz",
        download=Download("MNIST", "MNIST"),
    ),
    DatasetSpec(
        name="imagenet", summary="ImageNet, as `fastadv prepare imagenet` leaves it", preset="wong2020-imagenet"
    ),
)
IMAGE_FOLDER = DatasetSpec(
    name=FOLDER,
    summary="any folder of images, PATH/train/CLASS/FILE and PATH/val/CLASS/FILE",
    preset="wong2020-imagenet",
)


@cache
def datasets() -> Mapping[str, DatasetSpec]:
    """Every data set that has a name, by it. Raises: ConfigError, if two have the same name or alias."""
    found: dict[str, DatasetSpec] = {}
    taken: set[str] = set()
    for spec in (*BUILT_IN, *found_in(plugins(), "DATASET")):
        if doubled := taken & {spec.name, *spec.aliases}:
            raise ConfigError(f"two data sets are called {doubled.pop()}")
        taken |= {spec.name, *spec.aliases}
        found[spec.name] = spec
    return found


def spec_of(dataset: str) -> DatasetSpec:
    """What is known of a data set by its full name, `imagefolder:PATH` among them. Raises: ConfigError."""
    if dataset.startswith(FOLDER):
        return IMAGE_FOLDER
    if dataset not in datasets():
        raise ConfigError(f"unknown data set {dataset!r}; use {', '.join(datasets())} or {FOLDER}PATH")
    return datasets()[dataset]


def facts_of(dataset: str) -> DatasetFacts:
    """What is known of the images of a data set in memory. Raises: ConfigError, for a folder of images."""
    facts = spec_of(dataset).facts
    if facts is None:
        raise ConfigError(f"{dataset} is a folder of images; only its files say what it holds")
    return facts


def full_name(name: str) -> str:
    """The name that an alias stands for; any other name as it is."""
    return next((spec.name for spec in datasets().values() if name in spec.aliases), name)


def dataset_names() -> str:
    """The names that can be typed, for help texts: `digits, cifar (cifar10), ...`."""
    names = [f"{spec.aliases[0]} ({spec.name})" if spec.aliases else spec.name for spec in datasets().values()]
    return f"{', '.join(names)} or {FOLDER}PATH"
