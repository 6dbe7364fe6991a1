"""The formats of `fastadv export`, and where each goes: to standard output, into a file, or into a folder."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.protocol.files import FOR_ALL, replacing
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.terminal.event_export import TEXT_FORMATS, TextFormat
from fastadv_tui.terminal.event_parquet import as_parquet
from fastadv_tui.terminal.event_tensorboard import as_tensorboard

FILE_FORMATS = {"parquet": as_parquet, "tensorboard": as_tensorboard}
EXAMPLES = {"parquet": "-o events.parquet", "tensorboard": "-o FOLDER"}
FORMATS = (*TEXT_FORMATS, *FILE_FORMATS)


def check_format(form: str, has_path: bool, others: Sequence[str] = ()) -> None:
    """others: formats of the same option that are no formats of events.

    Raises: UserError, if there is no such format, or if it needs a path.
    """
    if form not in FORMATS:
        *first, last = (*FORMATS, *others)
        raise UserError(f"--format {form!r}: use {', '.join(first)} or {last}")
    if form in FILE_FORMATS and not has_path:
        raise UserError(f"--format {form} is written to a path: add {EXAMPLES[form]}")


def export_events(runs: Sequence[RunDir], form: str, path: Path | None) -> None:
    """Write the events of runs in a format that `check_format` has passed. path: None for standard output.

    Raises: UserError; OSError.
    """
    if path is None:
        TEXT_FORMATS[form](runs, sys.stdout)
        return
    try:
        if form in TEXT_FORMATS:
            _write_text(TEXT_FORMATS[form], runs, path)
        else:
            FILE_FORMATS[form](runs, path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise UserError(f"cannot write {path} ({error.strerror}); type another path after -o") from None
    print(f"{path}: {len(runs)} run{'s' * (len(runs) != 1)}", file=sys.stderr)


def _write_text(write: TextFormat, runs: Sequence[RunDir], path: Path) -> None:
    with replacing(path, FOR_ALL) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        write(runs, text)
        text.detach()
