"""Text of `fastadv eval`: the lines for each answer of the engine."""

from engine.config.units import units
from engine.protocol.requests import Measured, Understood
from fastadv_tui.text.quantities import attack_name, first_images, format_percent, gradient_warning
from fastadv_tui.text.sanitize import one_line

KILLED = (
    "the engine was killed (signal {}), perhaps for lack of memory; run the same command again to continue from "
    "its last save"
)


def understood(answer: Understood) -> str:
    """What the engine will measure and how, in one line."""
    images = first_images(answer.images, answer.test_images, answer.held_out)
    official = " (not the official files)" if answer.official_data is False else ""
    return one_line(
        f"{attack_name(answer.attack)} on {images}{official} · {answer.device}, attack in {answer.search} · weights "
        f"matched {answer.matched} · normalised: {answer.normalize}"
    )


def measured(answer: Measured) -> list[str]:
    """The result: a line with the clean accuracy, and a line with the robust accuracy for each eps."""
    when = ", measured before (--again measures it again)" if answer.stored else f", {answer.seconds:,.0f} s"
    wrong = f", {answer.unreadable} of them unreadable and counted as wrong" if answer.unreadable else ""
    head = f"clean {format_percent(answer.clean)} on {answer.images:,} images{wrong}{when}"
    return [head, *(line for number in range(len(answer.eps)) for line in _robust(answer, number))]


def _robust(answer: Measured, number: int) -> list[str]:
    """The lines of one eps."""
    robust = format_percent(answer.robust[number])
    line = f"eps {units(answer.eps[number]):>5}/255  {attack_name(answer.attack)} {robust}"
    unmoved = answer.without_gradient[number] if answer.without_gradient else 0
    return [line, f"warning: {gradient_warning(unmoved, answer.images)}"] if unmoved else [line]
