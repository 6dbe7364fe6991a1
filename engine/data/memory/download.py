"""Download official files with torchvision, which verifies checksums. The progress bar goes to standard error."""

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.error import URLError

from filelock import FileLock

from engine.config.datasets import DatasetSpec
from engine.config.errors import DataError


def download(spec: DatasetSpec, folder: Path) -> None:
    """Download the official files of a data set into `folder`. They appear there complete or not at all.

    spec: must have a download. Raises: DataError, if the files cannot be downloaded or written.
    """
    assert spec.download is not None
    target = folder / spec.download.folder
    try:
        with FileLock(folder / f".{spec.name}.lock"):
            if not target.exists():  # another run may have downloaded the files meanwhile
                print(f"{spec.name} is not in {folder}: downloading it", file=sys.stderr)
                _fetch(spec.download.torchvision_class, target)
    except OSError as error:  # URLError, TimeoutError and ConnectionError are OSErrors
        raise DataError(_failure(spec.name, target, error)) from None
    except RuntimeError as error:  # torchvision raises it for a wrong checksum, or if no mirror answers
        raise DataError(_failure(spec.name, target, error)) from None


def _fetch(torchvision_class: str, target: Path) -> None:
    from torchvision import datasets

    staging = Path(tempfile.mkdtemp(prefix=".download-", dir=target.parent))
    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output is for results
            getattr(datasets, torchvision_class)(str(staging), download=True)
        (staging / target.name).rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _failure(dataset: str, target: Path, error: Exception) -> str:
    reason = str(error.reason if isinstance(error, URLError) else error).strip().partition("\n")[0]
    return (
        f"cannot download {dataset} ({reason}); put its official files into {target},"
        " or try `fastadv run digits`, which needs no network"
    )
