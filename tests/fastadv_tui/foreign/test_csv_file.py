"""CSV that cannot be imported is refused by its fault."""

import re
from pathlib import Path

import pytest

from fastadv_tui.api import find_runs
from fastadv_tui.foreign import found as limits
from fastadv_tui.foreign.import_runs import import_runs
from fastadv_tui.paths import ensure_home
from tests.support.foreign import (
    EIGHT,
    refused,
    written,
)


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n", "no run"),
        ("step,foo\n1,2\n", "no figure with a known name.* it has foo"),
        ("step,clean,robust\n1,0.5,-0.1\n", "no accuracy"),
        ("step,clean,robust\nx,0.5,0.1\n", "'x' as step in line 2"),
        ("step,clean,robust\n1,2,3,4\n", "4 cells in line 2"),
        ("step,clean,robust\n-1,0.5,0.1\n", "step -1"),
        ("step,clean,robust\n1e300,0.5,0.1\n", "which no training reaches"),
        ("step,clean\n1,0.5\n", "neither a loss nor clean and robust"),
        ("step,clean,robust\n1,0.5," + "9" * 20_000 + "\n", "no CSV that can be read"),
        (",".join(f"c{number}" for number in range(3000)) + "\n", "more than 2,000 columns"),
        ("name,robust,eps\na,0.4,many\n", "the eps 'many'"),
        ("name,robust,seed\na,0.4,1.5\n", "'1.5' as seed"),
        ("name,robust,norm\na,0.4,l7\n", "the norm 'l7'"),
        ("name,robust\n" + "a,0.4\n" * 1001, "more than 1,000 runs"),
        ("step,run,loss\n" + "".join(f"1,{number},2\n" for number in range(1001)), "more than 1,000 runs"),
    ],
)
def test_a_csv_that_cannot_be_is_refused_by_its_fault(content: str, said: str, tmp_path: Path) -> None:
    assert re.search(said, refused("csv", written(tmp_path / "c.csv", content)))


def test_a_csv_with_endless_lines_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_POINTS", 10)
    assert "more than 10 points" in refused("csv", written(tmp_path / "c.csv", "step,loss\n" + "1,2\n" * 11))


def test_a_csv_with_a_line_that_does_not_end_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of zeros, which takes no room
    assert "a line of more than 1,000,000 characters" in refused("csv", path)


def test_values_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    content = "step,loss,clean,robust\n1,nan,0.5,0.25\n2,inf,0.5,0.25\n3,1.5,0.6,0.3\n"
    import_runs("csv", written(tmp_path / "c.csv", content), EIGHT)
    (run,) = find_runs("status=foreign")
    assert run.curve("loss").values == [1.5]
    assert run.curve("robust").values == [0.25, 0.25, 0.3]
