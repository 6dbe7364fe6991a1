"""The words of a plan: what will run, how much work it is, how long it takes, and when it starts and ends."""

import time
from collections.abc import Sequence

from msgspec import Struct

from fastadv_tui.history.row import Row
from fastadv_tui.launch.form import LaunchPlan
from fastadv_tui.launch.line import Place
from fastadv_tui.launch.submission import scaled_phases, understood
from fastadv_tui.text.quantities import format_bytes, format_duration, format_flops, phase_words
from fastadv_tui.text.sanitize import one_line

SOON = 1.0  # seconds; a run that starts within them starts now
DAY = 86400.0
MAX_KINDS = 4  # of runs with other perturbation sizes, of which a plan shows the sizes
NO_RUN = "unknown, no similar run yet"


class Estimates(Struct, frozen=True):
    """Estimates for a plan. flops: of each variant, None if unknown. counting: whether the engine still counts.

    seconds, memory: of each variant, in seconds and bytes; None without a similar past run. memory_total: of this
    machine, in bytes. place: None while it is unknown. problem: why there is no place, such as a missing device.
    same: the runs that live or are done with the same settings as a run of the plan. uncountable: why the work is
    unknown, such as a network that cannot be built.
    """

    flops: Sequence[int | None] = ()
    counting: bool = False
    seconds: Sequence[float | None] = ()
    memory: Sequence[float | None] = ()
    memory_total: int | None = None
    place: Place | None = None
    problem: str = ""
    same: Sequence[Row] = ()
    uncountable: str = ""


def plan_lines(plan: LaunchPlan, found: Estimates, now: float) -> list[tuple[str, str]]:
    """Pairs of a label and a text. now: unix time."""
    lines = [
        ("runs", _runs(plan)),
        ("same as", _same(found.same)),
        ("work", _work(plan, found)),
        ("time", _times(plan, found.seconds)),
        ("memory", _memory(found)),
        ("start", _start(found, now)),
        ("end", _clock(found.place.end, now) if found.place and found.place.end else "unknown"),
    ]
    return [(label, text) for label, text in lines if text]


def plan_details(plan: LaunchPlan) -> list[str]:
    """The sizes of the perturbation in both units, of each kind of run; and the phases of the first run."""
    first, kinds = plan.variants[0], _kinds(plan)
    lines = kinds[0].split(" · ") if len(kinds) == 1 else kinds[:MAX_KINDS]
    lines += [f"... and {len(kinds) - MAX_KINDS:,} more"] if len(kinds) > MAX_KINDS else []
    lines += [*filter(None, [scaled_phases(first)])]
    return lines + ([phase_words(phase) for phase in first.phase_list] if first.phases else [])


def plan_sizes(plan: LaunchPlan) -> list[str]:
    """The sizes of the training attack in few words: of the only kind of run, or of the first and the last kind."""
    kinds = list(dict.fromkeys(kind.partition(" · evaluation")[0] for kind in _kinds(plan)))
    return [kinds[0]] if len(kinds) == 1 else [f"{kinds[0]} ... {kinds[-1]}"]


def _kinds(plan: LaunchPlan) -> list[str]:
    """The sizes of each kind of run, each kind once."""
    several = len({config.method.name for config in plan.variants}) > 1
    return list(dict.fromkeys(f"{c.method.name}: " * several + understood(c) for c in plan.variants))


def _runs(plan: LaunchPlan) -> str:
    if plan.count == 1:
        return "1 run"
    variants, seeds = len(plan.variants), len(plan.seeds)
    if variants == 1:
        return f"{plan.count:,} runs, one for each seed"
    return f"{plan.count:,} runs" + (f": {variants:,} settings x {seeds:,} seeds" if seeds > 1 else "")


def _same(rows: Sequence[Row]) -> str:
    """The first of the runs that the plan would repeat: two equal runs give the same network."""
    more = f", and {len(rows) - 1:,} more" if len(rows) > 1 else ""
    return f"{rows[0].id}, {rows[0].status}{more}" if rows else ""


def _work(plan: LaunchPlan, found: Estimates) -> str:
    if found.counting:
        return "counting ..."
    known = [flops for flops in found.flops if flops is not None]
    if not known or len(known) < len(found.flops):
        return f"unknown: {one_line(found.uncountable)}" if found.uncountable else "unknown"
    total = sum(known) * plan.count / len(known)
    each = f"{format_flops(known[0])} each, " if plan.count > 1 and len({*known}) == 1 else ""
    return f"{each}{format_flops(total)}{' in all' if plan.count > 1 else ''} of training"


def _times(plan: LaunchPlan, seconds: Sequence[float | None]) -> str:
    known = [second for second in seconds if second is not None]
    if not known or len(known) < len(seconds):
        return NO_RUN
    total = sum(known) * plan.count / len(known)
    return f"about {format_duration(total)}{' in all' if plan.count > 1 else ''}, as past runs here"


def _memory(found: Estimates) -> str:
    known = [memory for memory in found.memory if memory is not None]
    if not known:
        return NO_RUN
    total = f" of {format_bytes(found.memory_total)}" if found.memory_total else ""
    return f"about {format_bytes(max(known))}{total} main memory"


def _start(found: Estimates, now: float) -> str:
    if found.place is None:
        return found.problem or "..."
    before = f"{found.place.before:,} waiting run{'s' * (found.place.before != 1)} before it"
    if found.place.paused:
        return f"the queue is paused, {before}; `fastadv queue continue` lets runs start"
    if not found.place.before:
        before = "after the run that trains now"
    if found.place.start is None:
        return f"unknown, {before}"
    if found.place.start - now < SOON:
        return "now"
    return f"in about {format_duration(found.place.start - now)}, {before}"


def _clock(unix: float, now: float) -> str:
    pattern = "%H:%M" if unix - now < DAY / 2 else "%a %H:%M" if unix - now < 6 * DAY else "%Y-%m-%d %H:%M"
    return f"about {time.strftime(pattern, time.localtime(unix))}"
