"""The accuracy on corrupted images is what counting by hand gives, also after a stop in its middle."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.config.datasets import DatasetFacts
from engine.data.memory.corruptions import CORRUPTIONS, open_corruptions
from engine.evaluation.corruptions import CorruptionEvaluation
from engine.protocol.corruptions import mean_accuracy
from engine.protocol.stop import Stopped
from tests.support.own_data import write_corruptions

CPU = torch.device("cpu")
FACTS = DatasetFacts(1, 4, 4, 2, 10, (0.0,), (1.0,))
LEVELS = np.array([20, 30, 60, 80, 100, 120, 50], np.uint8)  # of grey
BORDER = 45  # darker images are of class 0 to the network
IMAGES = np.broadcast_to(LEVELS[:, None, None, None], (7, 4, 4, 1)).copy()
LABELS = (LEVELS > BORDER).astype(np.int64)


class Bright(nn.Module):
    """Answers class 1 for images that are brighter than BORDER, and counts the images that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += len(x)
        assert not self.training
        bright = x.mean((1, 2, 3)) - (BORDER + 0.5) / 255
        return torch.stack((-bright, bright), 1)


def by_hand(count: int) -> list[tuple[str, tuple[float, ...]]]:
    """An image of corruption c in severity s is darker by c + 10 s, down to 0."""

    def accuracy(darker: int) -> float:
        answers = [int(max(int(level) - darker, 0) > BORDER) for level in LEVELS[:count]]
        return sum(int(a == y) for a, y in zip(answers, LABELS, strict=False)) / count

    return [(name, tuple(accuracy(c + 10 * s) for s in range(1, 6))) for c, name in enumerate(CORRUPTIONS)]


def evaluation(folder: Path, model: nn.Module, limit: int = 0) -> CorruptionEvaluation:
    data = open_corruptions(folder / "data", FACTS)
    return CorruptionEvaluation(model, data, limit, 3, CPU, folder / "progress")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_corruptions(tmp_path / "data", IMAGES, LABELS)
    return tmp_path


@pytest.mark.parametrize(("limit", "count"), [(0, 7), (4, 4), (100, 7)])
def test_accuracies_are_those_of_counting_by_hand(folder: Path, limit: int, count: int) -> None:
    ticks: list[tuple[int, int]] = []
    found = evaluation(folder, Bright(), limit).run(lambda done, total: ticks.append((done, total)))
    assert [*found] == by_hand(count)
    assert 0 < mean_accuracy(found) < 1
    assert mean_accuracy(found) == pytest.approx(np.mean([by_severity for _, by_severity in by_hand(count)]))
    assert ticks[-1] == (75 * count, 75 * count)
    assert ticks == sorted(ticks)
    assert not (folder / "progress").exists()


def test_a_stopped_evaluation_goes_on_with_the_part_that_it_left(folder: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 40 * 7:
            raise Stopped

    first, second = Bright(), Bright()
    with pytest.raises(Stopped):
        evaluation(folder, first).run(stop)
    assert [*evaluation(folder, second).run(lambda done, total: None)] == by_hand(7)
    assert first.seen == 40 * 7
    assert second.seen == 35 * 7


def test_damaged_progress_counts_as_none(folder: Path) -> None:
    (folder / "progress").write_text('{"fog 1": "all"')
    model = Bright()
    assert [*evaluation(folder, model).run(lambda done, total: None)] == by_hand(7)
    assert model.seen == 75 * 7
