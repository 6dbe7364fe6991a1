"""Text of `fastadv eval`: the lines for each answer of the engine."""

from collections.abc import Iterator

from engine.config.norms import LINF
from engine.config.units import with_unit
from engine.protocol.requests import Measured, Understood
from fastadv_tui.text.quantities import (
    answer_warning,
    attack_name,
    first_images,
    format_percent,
    gradient_warning,
    masking_warning,
    stages_text,
)
from fastadv_tui.text.sanitize import one_line

KILLED = (
    "the engine was killed (signal {}), perhaps for lack of memory; run the same command again to continue from "
    "its last save"
)


SEVERITIES = 5  # of a corruption
MAX_NAMES = 4  # of sets or tensors that a line names


def understood(answer: Understood) -> list[str]:
    """What the engine will measure and how in one line, and a line for each further fact about the file."""
    images = first_images(answer.images, answer.test_images, answer.held_out)
    if answer.corruptions:
        what = f"{answer.corruptions} corruptions in {SEVERITIES} severities of {images}"
        how = f"{answer.device} · weights matched {answer.matched} · normalised: {answer.normalize}"
        return [one_line(f"{what} · {how}"), *map(one_line, _about_the_file(answer))]
    official = " (not the official files)" if answer.official_data is False else ""
    head = one_line(
        f"{attack_name(answer.attack)} on {images}{official} · {answer.device}, attack in {answer.search} · weights "
        f"matched {answer.matched} · normalised: {answer.normalize}"
    )
    return [head, *map(one_line, _about_the_file(answer))]


def _about_the_file(answer: Understood) -> Iterator[str]:
    yield from (f"note: {note}" for note in answer.notes)
    if answer.others:
        source, choice = answer.source or "the top level", f"--key {answer.others[0]}"
        yield f"weights: {source}; the file also has {_few(answer.others)} ({choice} takes it)"
    elif answer.source:
        yield f"weights: {answer.source}"
    if answer.ignored:
        yield f"not the network's, and ignored: {_few(answer.ignored)}"
    if answer.places:
        width = max(len(ours) for ours, _ in answer.places)
        yield from (f"{ours:{width}}  <- {theirs}" for ours, theirs in answer.places)


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


def measured(answer: Measured) -> list[str]:
    """The result: a line with the clean accuracy, and a line with the robust accuracy for each eps."""
    when = ", measured before (--again measures it again)" if answer.stored else f", {answer.seconds:,.0f} s"
    wrong = f", {answer.unreadable} of them unreadable and counted as wrong" if answer.unreadable else ""
    head = f"clean {format_percent(answer.clean)} on {answer.images:,} images{wrong}{when}"
    warning = answer_warning(answer.answers)
    robust = [line for number in range(len(answer.eps)) for line in _robust(answer, number)]
    return [head, *([f"warning: {warning}"] * bool(warning)), *robust]


def _robust(answer: Measured, number: int) -> list[str]:
    """The lines of one eps."""
    robust = format_percent(answer.robust[number])
    eps = "eps" if answer.norm == LINF else f"{answer.norm} eps"
    size = with_unit(answer.eps[number], answer.norm)
    line = f"{eps} {size:>9}  {attack_name(answer.attack)} {robust}"
    unmoved = answer.without_gradient[number] if answer.without_gradient else 0
    fooled_by = answer.fooled_by[number] if answer.fooled_by else ()
    warnings = gradient_warning(unmoved, answer.images), masking_warning(fooled_by, answer.images)
    if fooled_by:
        line += f"  ({stages_text(fooled_by)})"
    return [line, *(f"warning: {text}" for text in warnings if text)]
