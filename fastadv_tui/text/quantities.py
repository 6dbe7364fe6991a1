"""Formats numbers with their units for users, and reads ages that users type."""

import re
import time
from collections.abc import Sequence

from engine.config.phases import Phase
from engine.protocol.evaluations import iso_time

GLYPHS = {
    "queued": "◌", "running": "●", "done": "✓", "stopped": "■", "cancelled": "⊘", "collapsed": "▼", "failed": "✗",
    "lost": "?", "paper": "◇", "foreign": "⊡",
}  # fmt: skip
AGE = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(s|min|h|d|w)\s*")
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
MASKED_FRACTION = 0.002  # more images that only Square fools are a sign of masked gradients (AutoAttack's own limit)
FooledBy = Sequence[tuple[str, int]]  # stages of an attack with the number of images that each fooled
FLOP_UNITS = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"))
BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))


def format_percent(fraction: float | None) -> str:
    """A fraction in [0,1] as `45.3%`; `-` for None."""
    return "-" if fraction is None else f"{100 * fraction:.1f}%"


def format_progress(fraction: float) -> str:
    """Progress in [0,1] as `69%`, rounded down: 100% means that the work is over."""
    return f"{int(100 * fraction + 1e-9)}%"  # 0.29 * 100 is a little less than 29


def format_loss(loss: float) -> str:
    """A loss as `2.303`, a very large loss as `1.2e+30`."""
    return f"{loss:.3f}" if abs(loss) < 10_000 else f"{loss:.1e}"


def format_duration(seconds: float | None) -> str:
    """Seconds as `12 s`, `3 min 05 s`, `2 h 07 min` or `3 d 04 h`; `-` for None."""
    if seconds is None:
        return "-"
    whole = round(max(seconds, 0))
    for size, unit, smaller_size, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller_size:02d} {smaller}"
    return f"{whole} s"


def attack_name(name: str) -> str:
    """The name of an attack as papers spell it: `PGD-50-10`, `AA-quick`."""
    return name.upper().replace("QUICK", "quick")


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def first_images(images: int, total: int, held_out: bool = False) -> str:
    """The images that an accuracy was measured on: `the first 1,000 test images`."""
    return f"{'all' if images == total else 'the first'} {images:,} {kind_of_images(held_out)}"


def gradient_warning(count: int, images: int) -> str:
    """A warning about images that an attack could not move. Empty if there are none. images: number of all images."""
    if not count:
        return ""
    return f"{count:,} of {images:,} images have zero gradient under this attack: the figure may overstate robustness"


def answer_warning(answers: int) -> str:
    """A warning about a network that always answers the same. answers: number of classes that it answered."""
    return "the network gives every image the same class: the figures say nothing" if answers == 1 else ""


def stages_text(fooled_by: FooledBy) -> str:
    """The images that each stage of an attack fooled: `APGD-CE fooled 144 images, APGD-T 8`. Empty for one stage."""
    parts = [f"{attack_name(stage)} {count:,}" for stage, count in fooled_by]
    if parts:
        stage, count = fooled_by[0]
        parts[0] = f"{attack_name(stage)} fooled {count:,} images"
    return ", ".join(parts)


def masking_warning(fooled_by: FooledBy, images: int) -> str:
    """A warning about images that only Square fooled, which needs no gradients. images: number of all images."""
    count = dict(fooled_by[1:]).get("square", 0)
    if count <= MASKED_FRACTION * images:
        return ""
    return (
        f"Square, which needs no gradients, fooled {count:,} of {images:,} images that the attacks before it had left: "
        "a sign of masked gradients, and the figure may overstate robustness"
    )


def figure_warnings(without_gradient: int, images: int, answers: int, fooled_by: FooledBy = ()) -> list[str]:
    """What a reader must know beside the figures of an evaluation."""
    warnings = (answer_warning(answers), gradient_warning(without_gradient, images), masking_warning(fooled_by, images))
    return [*filter(None, warnings)]


def kind_of_images(held_out: bool) -> str:
    """The kind of images that a run is evaluated on."""
    return "held-out training images" if held_out else "test images"


def format_bytes(count: float) -> str:
    """Bytes as `44.8 MB`: units from kB to TB are powers of 1000, as on disks."""
    factor, unit = next((size for size in BYTES if count >= size[0]), (1e3, "kB"))
    return f"{count / factor:,.{0 if unit == 'kB' else 1}f} {unit}"


def format_flops(flops: float) -> str:
    """Floating-point operations as `4.2 PFLOP`."""
    for factor, unit in FLOP_UNITS:
        if flops >= factor:
            return f"{flops / factor:.3g} {unit}FLOP"
    return f"{flops:,.0f} FLOP"


def format_part_of_flops(done: float, planned: float) -> str:
    """Work done of the planned one as `394 of 685 GFLOP`; `685 GFLOP` if all is done."""
    if done >= planned:
        return format_flops(planned)
    factor = next((factor for factor, _ in FLOP_UNITS if planned >= factor), 1.0)
    return f"{done / factor:.3g} of {format_flops(planned)}"


def format_time(unix: float) -> str:
    """A unix time as a local date and time; `-` for 0."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix)) if unix else "-"


def known_iso_time(unix: float) -> str | None:
    """A unix time in ISO 8601, local with its offset: `2026-11-26T14:22:39.123+01:00`; None for 0, which is unknown."""
    return iso_time(unix, "milliseconds") if unix else None


def format_age(unix: float) -> str:
    """A unix time as an age, `3 min ago`; as a date if more than a week has passed."""
    seconds = time.time() - unix
    if seconds > 7 * 86400:
        return time.strftime("%Y-%m-%d", time.localtime(unix))
    for unit_seconds, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_seconds:
            return f"{int(seconds // unit_seconds)} {unit} ago"
    return "just now"


def parse_age(text: str) -> float | None:
    """The seconds of a typed age: `90s`, `30min`, `12h`, `30d` or `1.5w`; None if the text is no age."""
    match = AGE.fullmatch(text)
    return float(match[1]) * SECONDS[match[2]] if match else None


def phase_words(phase: Phase) -> str:
    """A phase of training: `epochs 1-6: 128 of 160 px, minibatch 512, lr 0.4 to 0.04`."""
    pixels = (
        f"{phase.crop} of {phase.size or 'full'} px, " if phase.size else f"{phase.crop} px, " if phase.crop else ""
    )
    lr = f", lr {phase.lr[0]:g} to {phase.lr[1]:g}" if phase.lr else ""
    return f"epochs {phase.begin}-{phase.end}: {pixels}minibatch {phase.batch_size}{lr}"
