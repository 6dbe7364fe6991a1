"""One frame of `fastadv top` as lines: the devices, a count of the runs, and the runs."""

import time
from collections import Counter
from collections.abc import Sequence

from fastadv_tui.hardware.gpus import listed
from fastadv_tui.hardware.nvml import Gpu
from fastadv_tui.hardware.sampler import Host, Sample
from fastadv_tui.history.columns import COLUMNS, ended_text, status_word
from fastadv_tui.history.row import Row
from fastadv_tui.terminal import colours
from fastadv_tui.terminal.fitted_table import TableColumn, table_lines
from fastadv_tui.terminal.top_runs import SeenRun
from fastadv_tui.text.quantities import GLYPHS, format_bytes, format_duration, format_progress
from fastadv_tui.text.sanitize import one_line


def frame(sample: Sample, runs: Sequence[SeenRun], paused: bool, width: int | None, coloured: bool) -> list[str]:
    """The lines of a frame. paused: whether the queue of this host is held. width: in columns; None for no limit."""
    devices = [_gpu(gpu) for gpu in sample.gpus] + [_host(sample.host)]
    lines = [*devices, "", _counts([run.row for run in runs], sample.t, paused)]
    if runs:
        lines += _table(runs, _gpu_numbers(sample), width, coloured)
    else:
        lines.append("no run to show; `fastadv run digits` starts one")
    return lines


def _gpu(gpu: Gpu) -> str:
    parts = [
        f"GPU {gpu.index}",
        one_line(gpu.name or "", 30),
        "is lost" if gpu.lost else "",
        "" if gpu.utilisation is None else f"{gpu.utilisation:4.0%}",
        _memory(gpu.memory_used, gpu.memory_total),
        "" if gpu.temperature is None else f"{gpu.temperature} °C",
        "" if gpu.power is None else f"{gpu.power:.0f} W",
    ]
    return "  ".join(part for part in parts if part)


def _host(host: Host) -> str:
    use = "" if host.cpu is None else f"{host.cpu:4.0%}"
    parts = "CPU", f"{host.cores} cores", use, _memory(host.memory_used, host.memory_total)
    return "  ".join(part for part in parts if part)


def _memory(used: int | None, total: int | None) -> str:
    return "" if used is None or not total else f"{format_bytes(used)} of {format_bytes(total)}"


def _counts(rows: Sequence[Row], now: float, paused: bool) -> str:
    """The time, and how many of the runs are live."""
    counts = Counter(row.status for row in rows)
    said = f"{counts['running']} running, {counts['queued']} queued{', queue paused' if paused else ''}"
    return f"{time.strftime('%H:%M:%S', time.localtime(now))}  {said}"


def _table(runs: Sequence[SeenRun], gpu_numbers: dict[str, str], width: int | None, coloured: bool) -> list[str]:
    rows = [run.row for run in runs]
    paint = (lambda number, cell: colours.of_state(rows[number].state, cell)) if coloured else None
    columns = [
        TableColumn("", [GLYPHS[row.state] for row in rows], paint=paint),
        TableColumn("id", [row.id for row in rows]),
        TableColumn("name", [row.name for row in rows], cuttable=True),
        TableColumn("state", [_state(run) for run in runs], paint=paint),
        TableColumn("clean", [COLUMNS["clean"].text(row) for row in rows], importance=5),
        TableColumn("robust", [COLUMNS["robust"].text(row) for row in rows]),
        TableColumn("epochs", [COLUMNS["epochs"].text(row) for row in rows], importance=4),
        TableColumn("left", [_left(run) for run in runs], importance=6),
        TableColumn("images/s", [_speed(row) for row in rows], importance=1),
        TableColumn("device", [_device(run, gpu_numbers) for run in runs], importance=2),
        TableColumn("ended", [ended_text(row) for row in rows], importance=3),
    ]
    return table_lines([column for column in columns if column.title == "" or any(column.cells)], width)


def _state(run: SeenRun) -> str:
    row = run.row
    if row.status == "running" and run.evaluated is not None and not row.stopping:
        return f"evaluating {format_progress(run.evaluated)}"
    word = status_word(row) if row.live else row.state
    return f"{word} ({row.outcome})" if row.outcome and row.outcome != word else word


def _left(run: SeenRun) -> str:
    return format_duration(run.seconds_left) if run.seconds_left is not None else ""


def _speed(row: Row) -> str:
    return COLUMNS["images_per_second"].text(row) if row.status == "running" and row.images_per_second else ""


def _gpu_numbers(sample: Sample) -> dict[str, str]:
    """By UUID of a GPU or MIG instance: its number, such as `2`, or `2:0` for an instance."""
    return {device.uuid: device.number for device in listed(sample.gpus) if device.uuid}


def _device(run: SeenRun, gpu_numbers: dict[str, str]) -> str:
    return f"GPU {gpu_numbers[run.device]}" if run.device in gpu_numbers else one_line(run.device, 12)
