"""`fastadv export` of a network: writes the file or the folder, and says what it is and what is missing."""

import sys
from collections.abc import Sequence
from pathlib import Path

from engine.protocol.files import FOR_ALL, write_atomic
from engine.protocol.requests import Exported
from fastadv_tui.errors import UserError
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.history.selection import run_folder
from fastadv_tui.publish.card import card_text
from fastadv_tui.publish.model_info import what_is_missing
from fastadv_tui.publish.network import check_options, export_file, export_robustbench
from fastadv_tui.text.sanitize import one_line


def export_network(ids: Sequence[str], form: str, out: Path | None, which: str, dtype: str, license_: str) -> None:
    """Write the network of one run. form: weights, onnx, robustbench or card. out: None for the default of the form.

    Raises: UserError.
    """
    if len(ids) != 1:
        raise UserError(f"--{'weights' if form == 'weights' else f'format {form}'} takes one run, not {len(ids)}")
    check_options(which, dtype)
    rundir = run_folder(ids[0])
    row = History().find(ids[0])
    out = out.expanduser() if out else None
    if form == "card":
        _card(card_text(row, rundir, license_, which), out)
    elif form == "robustbench":
        target = out or Path(f"{row.id}-robustbench")
        _tell(export_robustbench(rundir, row, target, which), target)
        for text in what_is_missing(row, rundir, which):
            print(one_line(text), file=sys.stderr)
    elif form == "onnx":
        target = out or Path(f"{row.id}.onnx")
        _tell(export_file(rundir, "onnx", target, which), target)
    else:
        assert out is not None
        _tell(export_file(rundir, "weights", out, which, dtype), out)
        _say_collapsed(row, which)


def _card(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    try:
        write_atomic(out, text.encode(), FOR_ALL)
    except OSError as error:
        raise UserError(f"cannot write {out} ({error.strerror or error})") from None
    print(out)


def _tell(written: Exported, out: Path) -> None:
    words = f"{written.network}, {written.parameters:,} parameters, {written.tensors} tensors"
    print(f"{words}, after {written.step:,} updates; takes images in [0,1]", file=sys.stderr)
    print(out)


def _say_collapsed(row: Row, which: str) -> None:
    if row.outcome == "collapsed" and which == "last":
        print(
            f"warning: {row.id} collapsed; --which best has the weights of the last epoch without a collapse",
            file=sys.stderr,
        )
