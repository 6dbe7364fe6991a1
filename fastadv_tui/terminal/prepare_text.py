"""What `fastadv prepare` says of the engine's answers."""

import shlex
from pathlib import Path

from engine.protocol.requests import Completed, Planned
from fastadv_tui.paths import data_dir
from fastadv_tui.text.quantities import format_bytes
from fastadv_tui.text.sanitize import one_line

KILLED = "the engine was killed (signal {}); the same command goes on from here"
NAMED = 20  # broken images on the screen


def planned(answer: Planned) -> list[str]:
    """What will be done, and a warning if there may be no room for it."""
    train, val = answer.images["train"], answer.images["val"]
    sizes = ", ".join(map(str, answer.sizes))
    lines = [
        f"{answer.kind}: {answer.source}",
        f"{train:,} training and {val:,} validation images of {answer.classes:,} classes → {answer.out}",
        f"shorter sides {sizes} · JPEG quality {answer.quality} · workers {answer.workers} · about "
        f"{format_bytes(answer.needed)} to write, {format_bytes(answer.free)} free",
    ]
    lines += answer.remarks
    if answer.there:
        lines.append(f"{answer.there:,} images are done already")
    if answer.needed > answer.free:
        lines.append(
            f"WARNING: the disk will be full before the end: about {format_bytes(answer.needed)} needed, "
            f"{format_bytes(answer.free)} free; make room meanwhile, or choose another --out"
        )
    return [one_line(text) for text in lines]


def completed(answer: Completed) -> list[str]:
    """The summary."""
    rate = f" ({answer.images / answer.seconds:,.0f} a second)" if answer.images and answer.seconds else ""
    lines = [
        f"prepared {answer.out}: {answer.counts['train']:,} training and {answer.counts['val']:,} validation images, "
        f"full and shorter sides {', '.join(map(str, answer.sizes))}",
        f"{answer.images:,} images now in {answer.seconds:,.1f} s{rate}: {answer.resized:,} files resized, "
        f"{answer.copied:,} copied as they are",
    ]
    usual = Path(answer.out) == (data_dir() / "imagenet").resolve()
    lines.append(f"train on it: fastadv run {'imagenet' if usual else f'imagefolder:{shlex.quote(answer.out)}'}")
    if answer.broken:
        lines.append(f"{len(answer.broken):,} broken images were left out, all named in prepared.json:")
        lines += [f"  {place}: {why}" for place, why in [*answer.broken.items()][:NAMED]]
    if len(answer.broken) > NAMED:
        lines.append(f"  and {len(answer.broken) - NAMED:,} more")
    return [one_line(text) for text in lines]
