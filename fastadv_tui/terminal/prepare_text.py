"""Text of `fastadv prepare`: the lines for each answer of the engine."""

import shlex
from pathlib import Path

from engine.protocol.requests import Completed, Planned
from fastadv_tui.paths import data_dir
from fastadv_tui.text.quantities import format_bytes
from fastadv_tui.text.sanitize import one_line

KILLED = "the engine was killed (signal {}); run the same command again to continue"
MAX_BROKEN_SHOWN = 20  # broken images to list on the screen


def planned(answer: Planned) -> list[str]:
    """What the engine will do, and a warning if the free disk space may not suffice."""
    train, val = answer.images["train"], answer.images["val"]
    sizes = ", ".join(map(str, answer.sizes))
    lines = [
        f"{answer.kind}: {answer.source}",
        f"{train:,} training and {val:,} validation images of {answer.classes:,} classes → {answer.out}",
        f"shorter sides {sizes} · JPEG quality {answer.quality} · workers {answer.workers} · about "
        f"{format_bytes(answer.needed)} to write, {format_bytes(answer.free)} free",
    ]
    lines += answer.remarks
    if answer.existing:
        lines.append(f"{answer.existing:,} images are already prepared")
    if answer.needed > answer.free:
        lines.append(
            f"WARNING: the disk will be full before the end: about {format_bytes(answer.needed)} needed, "
            f"{format_bytes(answer.free)} free; free some space meanwhile, or choose another --out"
        )
    return [one_line(text) for text in lines]


def completed(answer: Completed) -> list[str]:
    """The summary of a preparation, with the images that were left out."""
    rate = f" ({answer.images / answer.seconds:,.0f} a second)" if answer.images and answer.seconds else ""
    lines = [
        f"prepared {answer.out}: {answer.counts['train']:,} training and {answer.counts['val']:,} validation images, "
        f"full and shorter sides {', '.join(map(str, answer.sizes))}",
        f"this call: {answer.images:,} images in {answer.seconds:,.1f} s{rate}; {answer.resized:,} files resized, "
        f"{answer.copied:,} copied unchanged",
    ]
    usual = Path(answer.out) == (data_dir() / "imagenet").resolve()
    lines.append(f"train on it: fastadv run {'imagenet' if usual else f'imagefolder:{shlex.quote(answer.out)}'}")
    if answer.broken:
        lines.append(f"{len(answer.broken):,} broken images were left out; prepared.json lists all of them:")
        lines += [f"  {place}: {why}" for place, why in [*answer.broken.items()][:MAX_BROKEN_SHOWN]]
    if len(answer.broken) > MAX_BROKEN_SHOWN:
        lines.append(f"  and {len(answer.broken) - MAX_BROKEN_SHOWN:,} more")
    return [one_line(text) for text in lines]
