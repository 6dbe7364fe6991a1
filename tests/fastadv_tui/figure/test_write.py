"""`fastadv plot` writes a figure, and the process that was asked for it never loads matplotlib."""

import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from fastadv_tui.errors import FigureError
from fastadv_tui.figure import write
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.paths import ensure_home
from tests.support.shell import fastadv

CURVE = [(1.0, 0.5, 0.2), (2.0, 0.6, 0.4), (3.0, 0.7, 0.5)]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def _runs(home: Path) -> None:
    ensure_home()
    History().upsert([
        Row(id="a1", name="$\\frac{", dataset="cifar10", method="fgsm", preset="wong2020", status="done", curve=CURVE),
        Row(id="b2", dataset="imagefolder:/$x_1", method="pgd", preset="wong2020", status="done", curve=CURVE),
    ])  # fmt: skip


def test_a_vector_figure_has_outlined_letters_and_is_the_same_each_time(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.svg" for number in range(2)]
    for path in paths:
        done = fastadv("plot", "a1", "b2", "-o", str(path))
        assert (done.returncode, done.stderr) == (0, f"{path}: 2 runs\n")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    tree = ElementTree.parse(paths[0])
    assert not [*tree.iter(f"{SVG}text")], "letters are outlines, or the figure would need our fonts"
    assert len([line for line in tree.iter(f"{SVG}g") if line.get("id", "").startswith("line2d")]) >= 4


@pytest.mark.parametrize(("name", "begin"), [("a.pdf", b"%PDF"), ("a.PNG", b"\x89PNG")])
def test_the_name_of_the_file_chooses_its_format(name: str, begin: bytes, tmp_path: Path) -> None:
    write.write_figure(History().rows(), "accuracy", tmp_path / name, font="sans")
    assert (tmp_path / name).read_bytes().startswith(begin)


@pytest.mark.parametrize("runs", [1, 9])
def test_a_figure_has_the_width_that_was_asked_for_however_many_runs_it_shows(runs: int, tmp_path: Path) -> None:
    rows = [
        Row(id=f"r{number}", dataset="cifar10", settings={"optim.lr": 0.0123 + number}, curve=CURVE)
        for number in range(runs)
    ]
    write.write_figure(rows, "accuracy", tmp_path / "a.png", width=3.0)
    width, height = struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24])
    assert width == 900  # 300 dots per inch
    assert height > 0.7 * width + (40 if runs == 1 else 160)  # the legend below the axes, where no line can cross it


def test_the_process_that_asks_loads_no_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fastadv_tui.figure.write import write_figure\n"
        "from fastadv_tui.history.index import History\n"
        f"write_figure(History().rows(), 'accuracy', Path({str(tmp_path / 'a.png')!r}))\n"
        "print([name for name in ('matplotlib', 'numpy', 'torch') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_without_matplotlib_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "find_spec", lambda name: None)
    with pytest.raises(FigureError, match=r"pip install 'fastadv\[plot\]'"):
        write.write_figure(History().rows(), "accuracy", tmp_path / "a.pdf")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "a.gif"], "let the name end in .pdf, .svg or .png"),
        (["-o", "/no/such/folder/a.pdf"], "cannot write /no/such/folder/a.pdf"),
        (["--font", "comic"], "use serif or sans"),
        (["--kind", "pie"], "use accuracy, loss, time, work, eps"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line(words: list[str], said: str) -> None:
    done = fastadv("plot", "a1", *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert said in done.stderr


def test_a_process_that_cannot_draw_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("raise ImportError('half installed')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(FigureError, match="cannot draw the figure: ImportError: half installed"):
        write.write_figure(History().rows(), "accuracy", tmp_path / "a.pdf")
