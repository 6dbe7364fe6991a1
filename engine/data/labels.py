"""What the labels of a data set tell before a run starts: a split with one class, and classes without images."""

import numpy as np
from numpy.typing import NDArray

MAX_NAMED = 5  # classes that a remark names


def label_remarks(train: NDArray[np.int64], test: NDArray[np.int64], classes: int) -> list[str]:
    """Lines for the user about splits that lack classes. train, test: labels, (N,). classes: the number of classes."""
    return [*_of_split(train, classes, "training"), *_of_split(test, classes, "test")]


def _of_split(labels: NDArray[np.int64], classes: int, kind: str) -> list[str]:
    known = np.flatnonzero(np.bincount(labels, minlength=classes))
    if len(known) == 1:
        return [
            f"all {len(labels):,} {kind} images have the label {known[0]}: a network that always answers "
            f"{known[0]} is right, so the figures say nothing"
        ]
    lacking = sorted(set(range(classes)) - set(known.tolist()))
    if not lacking:
        return []
    named, more = ", ".join(map(str, lacking[:MAX_NAMED])), len(lacking) - MAX_NAMED
    return [f"{len(lacking)} of {classes} classes have no {kind} images: {named}{f' and {more} more' * (more > 0)}"]
