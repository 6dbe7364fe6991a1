"""Writes the network of a run in the forms that other programs read. The engine does the work with torch."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.protocol.requests import Exported, ExportForm, ExportRequest
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.history.row import Row
from fastadv_tui.publish.model_info import model_info, model_info_path
from fastadv_tui.publish.results import threat_words
from fastadv_tui.runs import engine_client

WHICH, DTYPES = ("last", "best"), ("fp32", "fp16", "bf16")


def export_file(rundir: RunDir, form: ExportForm, out: Path, which: str, dtype: str = "fp32") -> Exported:
    """Write a file of weights or of ONNX. Raises: UserError, if an option is wrong or the file cannot be written."""
    check_options(which, dtype)
    _check_folder(out)
    if out.is_dir():
        raise UserError(f"{out} is a folder; type the name of a file")
    return _ask(rundir, form, out, which, dtype)


def export_robustbench(rundir: RunDir, row: Row, out: Path, which: str) -> Exported:
    """Write a folder, whole or not at all: `model.py`, `weights.pt` and the JSON of RobustBench's `model_info`.

    Raises: UserError, if the folder exists, or as `export_file`.
    """
    check_options(which, "fp32")
    _check_folder(out)
    if os.path.lexists(out):
        raise UserError(f"{out} exists already; remove it, or choose another name with -o")
    with _folder_in_steps(out) as folder:
        title = f"{row.name}: {row.dataset}, trained with {row.method}, {threat_words(row)}"
        about = f"Run {rundir.id} of fastadv, checkpoint {which}."
        written = _ask(rundir, "robustbench", folder, which, title=title, about=about)
        info = folder / model_info_path(row)
        info.parent.mkdir(parents=True)
        info.write_bytes(model_info(row, rundir, which))
    return written


def check_options(which: str, dtype: str) -> None:
    """Raises: UserError, if there is no such checkpoint or number format."""
    if which not in WHICH:
        raise UserError(f"--which {which!r}: use {' or '.join(WHICH)}")
    if dtype not in DTYPES:
        raise UserError(f"--dtype {dtype!r}: use {', '.join(DTYPES)}")


def _check_folder(out: Path) -> None:
    if not out.parent.is_dir():
        raise UserError(f"{out.parent} is no folder; create it, or choose another name with -o")


def _ask(
    rundir: RunDir, form: ExportForm, out: Path, which: str, dtype: str = "fp32", title: str = "", about: str = ""
) -> Exported:
    request = ExportRequest(
        run=str(rundir.path),
        form=form,
        out=str(out.absolute()),
        which="best" if which == "best" else "last",
        dtype="fp16" if dtype == "fp16" else "bf16" if dtype == "bf16" else "fp32",
        title=title,
        about=about,
    )
    return engine_client.export(request)


@contextmanager
def _folder_in_steps(out: Path) -> Iterator[Path]:
    """A hidden folder that gets its name at the end of the block, or goes if the block raises. Raises: UserError."""
    try:
        staged = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            yield staged
            staged.chmod(0o755)
            staged.rename(out)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
    except OSError as error:
        raise UserError(f"cannot write {out} ({error.strerror or error})") from None
