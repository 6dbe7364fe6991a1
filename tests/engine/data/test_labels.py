"""Labels that make figures worthless are told before a run starts."""

import numpy as np
import pytest

from engine.data.labels import label_remarks

ALL = np.arange(10)


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        (ALL, ALL, []),
        (np.full(50, 3), ALL, ["all 50 training images have the label 3: a network that always answers 3 is right"]),
        (ALL, np.full(8, 0), ["all 8 test images have the label 0: a network that always answers 0 is right"]),
        (ALL[:8], ALL, ["2 of 10 classes have no training images: 8, 9"]),
        (ALL, ALL[:2], ["8 of 10 classes have no test images: 2, 3, 4, 5, 6 and 3 more"]),
        (ALL[:8], ALL[2:], ["2 of 10 classes have no training images: 8, 9", "2 of 10 classes have no test images"]),
    ],
)
def test_splits_without_all_classes_are_told(train: np.ndarray, test: np.ndarray, said: list[str]) -> None:  # type: ignore[type-arg]
    found = label_remarks(train, test, 10)
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))
