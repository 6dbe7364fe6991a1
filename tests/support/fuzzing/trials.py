"""The trials by number. A trial is a function of (seed, number), but for names of storages that torch makes anew."""

import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.support.fuzzing.array_trials import cifar_trial, mnist_trial
from tests.support.fuzzing.folder_trials import folder_trial
from tests.support.fuzzing.image_trials import image_trial
from tests.support.fuzzing.own_trials import own_trial
from tests.support.fuzzing.trial import Trial
from tests.support.fuzzing.weight_trials import weight_trial

KINDS: dict[str, tuple[Callable[[Random, Path], Trial], int]] = {  # with their shares of twelve trials
    "weights": (weight_trial, 4),
    "images": (image_trial, 3),
    "folders": (folder_trial, 1),
    "CIFAR": (cifar_trial, 1),
    "MNIST": (mnist_trial, 1),
    "own data": (own_trial, 2),
}
ORDER = [kind for kind, (_, share) in KINDS.items() for _ in range(share)]


def kind_of(number: int) -> str:
    return ORDER[number % len(ORDER)]


def make(seed: int, number: int, folder: Path) -> Trial:
    """Write the file or the folder of a trial into an empty folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that write the file
        return KINDS[kind_of(number)][0](Random(f"{seed}/{number}"), folder)
