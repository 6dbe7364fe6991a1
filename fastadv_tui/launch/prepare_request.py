"""Builds the request of `fastadv prepare` to the engine."""

from engine.config.errors import ConfigError
from engine.protocol.requests import PrepareRequest
from fastadv_tui.errors import UserError
from fastadv_tui.paths import data_dir, ensure_home, typed_path


def request(name: str, source: str, sizes: str, out: str | None, quality: int, workers: int | None) -> PrepareRequest:
    """The request to prepare a data set, with absolute paths. Raises: ConfigError, UserError."""
    if not name or "/" in name or name.startswith("."):
        raise UserError(f"{name!r} is no name for a data set; type a name such as imagenet, and any folder as --out")
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers {workers}: type at least 1")
    if not out:
        ensure_home()
    folder = typed_path(out) if out else data_dir() / name
    return PrepareRequest(
        source=str(typed_path(source).resolve()),
        out=str(folder.resolve()),
        sizes=_sizes(sizes),
        quality=quality,
        workers=workers or 0,
    )


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError:
        raise ConfigError(f"--sizes {text!r}: write numbers of pixels, such as --sizes 160,352") from None
