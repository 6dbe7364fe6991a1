"""Accuracies on corrupted images in words and as a table."""

from collections.abc import Iterator

from engine.protocol.corruptions import ByCorruption, CorruptionRecord, mean_accuracy
from fastadv_tui.text.quantities import format_percent
from fastadv_tui.text.sanitize import one_line


def summary(record: CorruptionRecord) -> list[str]:
    """A record of a run in one line for all, and one line with the mean of each corruption."""
    number, severities = len(record.accuracies), max(len(by_severity) for _, by_severity in record.accuracies)
    means = (f"{one_line(name)} {format_percent(mean)}" for name, mean in _means(record.accuracies))
    return [
        f"{format_percent(mean_accuracy(record.accuracies))} mean over {number} corruptions in {severities} severities "
        f"of {record.images:,} images, {one_line(record.checkpoint)} checkpoint, {one_line(record.time)}",
        ", ".join(means),
    ]


def table(accuracies: ByCorruption) -> list[str]:
    """A line for each corruption: its mean, and its accuracies from severity 1 to 5."""
    width = max(len(name) for name, _ in accuracies)
    severities = max(len(by_severity) for _, by_severity in accuracies)
    head = f"{'corruption':{width}}    mean" + "".join(f"{f'sev. {number}':>9}" for number in range(1, severities + 1))
    return [head, *_lines(accuracies, width)]


def _lines(accuracies: ByCorruption, width: int) -> Iterator[str]:
    for (name, by_severity), (_, mean) in zip(accuracies, _means(accuracies), strict=True):
        cells = "".join(f"{format_percent(accuracy):>9}" for accuracy in by_severity)
        yield f"{one_line(name):{width}}  {format_percent(mean):>6}{cells}"


def _means(accuracies: ByCorruption) -> list[tuple[str, float]]:
    return [(name, sum(by_severity) / len(by_severity)) for name, by_severity in accuracies]
