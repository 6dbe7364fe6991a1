"""Hundreds of mutated files of weights, images and data sets: each is read as what it is, or refused in one line.

`tests/benchmarks/fuzz_files.py` tries thousands, and whole commands.
"""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.fuzzing.trial import finding
from tests.support.fuzzing.trials import KINDS, ORDER, make

SEED = 16
TRIALS = 300


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_file_is_read_as_what_it_is_or_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(TRIALS):
        if ORDER[number % len(ORDER)] != kind:
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        trial = make(SEED, number, folder)
        outcome, wrong = finding(trial)
        assert not wrong, f"trial {number}, {trial.what}"
        outcomes[outcome] += 1
    assert outcomes["refused"] > 0
    assert capfd.readouterr() == ("", "")
