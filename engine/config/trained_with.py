"""Compares what a checkpoint was trained with to what its run says now: the settings, and the data."""

from collections.abc import Sequence

from engine.config.errors import ConfigError
from engine.config.keys import flatten
from engine.config.run import RunConfig

# Settings that may change after a checkpoint: they do not decide the weights that the run was started to train.
CHANGEABLE = (
    "name", "preset", "precision", "compile", "capture", "deterministic", "device", "data_dir", "extra_data",
    "checkpoint_minutes", "grace_seconds", "on_collapse",
)  # fmt: skip
CHANGEABLE_SECTIONS = ("eval.", "watch.", "early_stop.", "log.")


def check_settings(trained: RunConfig, now: RunConfig) -> None:
    """Check that no setting has changed that decides the weights. The record of the run would then be false.

    Raises: ConfigError. Its message begins with "trained with" and names no way out.
    """
    before, after = flatten(trained), flatten(now)
    for key in _changed(trained, now):
        if key not in CHANGEABLE and not key.startswith(CHANGEABLE_SECTIONS):
            raise ConfigError(f"trained with {key} = {before[key]}, but config.json now has {after[key]}")


def notes_on_settings(trained: RunConfig, now: RunConfig) -> list[str]:
    """A line for each setting that has changed. A change of precision has a message of its own elsewhere."""
    before, after = flatten(trained), flatten(now)
    keys = [key for key in _changed(trained, now) if key not in ("name", "precision")]
    return [f"{key} has changed since the checkpoint: it was {before[key]} and is now {after[key]}" for key in keys]


def notes_on_data(before: tuple[str, str], now: tuple[str, str]) -> list[str]:
    """A line if the data has changed. before, now: shape (see `Dataset`) and fingerprint of the data.

    Raises: ConfigError, if the shape has changed. If the number of images or classes has changed, the shuffled order
    changes, and a resumed run would differ.
    """
    (old_shape, old), (shape, fingerprint) = before, now
    if old_shape != shape:
        raise ConfigError(
            f"this run was trained on {old_shape}, but the data now has {shape}; restore the data or start a new run"
        )
    if old == fingerprint:
        return []
    return [f"the data has changed since the checkpoint: its fingerprint was {old} and is now {fingerprint}"]


def check_extra_images(before: Sequence[int | str] | None, now: Sequence[int | str] | None) -> None:
    """Check that the extra images are the same. before, now: their number and fingerprint, None without any.

    Raises: ConfigError. Other images, or another number of them, would make a resumed run differ.
    """
    if (before and [*before]) != (now and [*now]):
        was, is_now = (
            f"{found[0]:,} extra images ({found[1]})" if found else "no extra images" for found in (before, now)
        )
        raise ConfigError(
            f"this run was trained with {was}, but extra_data now has {is_now}; restore the file or start a new run"
        )


def _changed(trained: RunConfig, now: RunConfig) -> list[str]:
    """The keys of the settings that differ. A setting that the checkpoint does not know has not changed."""
    before, after = flatten(trained), flatten(now)
    return [key for key in after if after[key] != before.get(key, after[key])]
