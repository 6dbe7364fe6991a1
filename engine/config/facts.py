"""What is known of each data set before its files are read."""

from msgspec import Struct


class Facts(Struct, frozen=True):
    """Shape of an image, number of classes, training images of the release, per-channel mean and std in [0,1], and
    how training images vary.
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


DATASETS: dict[str, Facts] = {
    "digits": Facts(1, 8, 8, 10, 1437, (0.0,), (1.0,)),
    "mnist": Facts(1, 28, 28, 10, 60_000, (0.0,), (1.0,)),
    "cifar10": Facts(3, 32, 32, 10, 50_000, (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616), padding=4, flip=True),
    "cifar100": Facts(3, 32, 32, 100, 50_000, (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761), padding=4, flip=True),
}
