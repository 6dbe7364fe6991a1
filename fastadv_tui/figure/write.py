"""Writes a figure to a file. The drawing happens in a process of its own, which loads matplotlib."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from engine.config.typed import decode
from engine.protocol.files import FOR_ALL, write_atomic
from fastadv_tui.errors import FigureError
from fastadv_tui.figure.kinds import picture
from fastadv_tui.figure.picture import Font, Picture
from fastadv_tui.history.row import Row

FORMATS = ("pdf", "svg", "png")
DRAW_SECONDS = 120.0  # longest wait: matplotlib looks through all fonts of the machine when it first starts
WIDTH = 3.4  # inches: a column of a page with two


def write_figure(
    rows: Sequence[Row], kind: str, path: Path, group: bool = False, font: Font = "serif", width: float = WIDTH
) -> None:
    """Draw the runs into a file: `.pdf` and `.svg` are vectors, `.png` has 300 dots per inch.

    kind: as in `kinds.KINDS`. group: one line for the seeds of each recipe. width: in inches.
    Raises: FigureError, if matplotlib is missing, the runs do not have what the kind shows, or the file cannot be
    written.
    """
    form = path.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise FigureError(f"{path.name}: let the name end in .pdf, .svg or .png")
    asked = msgspec.structs.replace(_picture(rows, kind, group), font=font, width=width)
    _write(path, _drawn(asked, [form])[form])


def write_figures(rows: Sequence[Row], kind: str, stem: Path, group: bool = False) -> None:
    """As `write_figure`, one file for each format, from one process: matplotlib takes long to load."""
    for form, content in _drawn(_picture(rows, kind, group), FORMATS).items():
        _write(stem.with_suffix(f".{form}"), content)


def _picture(rows: Sequence[Row], kind: str, group: bool) -> Picture:
    if find_spec("matplotlib") is None:
        raise FigureError("figures need matplotlib: pip install 'fastadv[plot]'")
    return picture(rows, kind, group)


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomic(path, content, FOR_ALL)
    except OSError as error:
        raise FigureError(f"cannot write {path} ({error.strerror or error})") from None


def _drawn(asked: Picture, forms: Iterable[str]) -> dict[str, bytes]:
    """The content of a file for each format."""
    words = [sys.executable, "-P", "-m", "fastadv_tui.figure.draw", *forms]
    content, environment = msgspec.json.encode(asked), {**os.environ, "MPLBACKEND": "agg"}
    try:
        done = subprocess.run(words, input=content, capture_output=True, env=environment, timeout=DRAW_SECONDS)
    except subprocess.TimeoutExpired:
        raise FigureError(f"the figure was not drawn within {DRAW_SECONDS:.0f} s; try again") from None
    except OSError as error:
        raise FigureError(f"cannot start the process that draws ({error})") from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise FigureError(f"matplotlib cannot draw the figure: {last or f'exit code {done.returncode}'}")
    return decode(done.stdout, dict[str, bytes])
