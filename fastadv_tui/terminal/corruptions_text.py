"""Text of `fastadv eval --corruptions`."""

from engine.protocol.requests import CorruptionsMeasured
from fastadv_tui.text.corruptions import table
from fastadv_tui.text.quantities import format_percent


def measured(answer: CorruptionsMeasured) -> list[str]:
    """The result: a line for each corruption, and the mean of all."""
    when = ", measured before (--again measures it again)" if answer.stored else f", {answer.seconds:,.0f} s"
    mean = f"mean corruption accuracy {format_percent(answer.mean)} on {answer.images:,} images of each kind{when}"
    return [*table(answer.accuracies), mean]
