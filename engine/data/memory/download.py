"""Official downloads, through torchvision: checksums verified, a progress bar on standard error."""

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.error import URLError

from filelock import FileLock

from engine.config.errors import DataError
from engine.data.memory.cifar import FOLDER10, FOLDER100

FOLDERS = {"cifar10": FOLDER10, "cifar100": FOLDER100, "mnist": "MNIST"}
TORCHVISION = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "mnist": "MNIST"}


def download(dataset: str, folder: Path) -> None:
    """Put the official files of a data set into `folder`; they appear there whole or not at all.

    Raises: DataError, if they cannot be had or written.
    """
    try:
        with FileLock(folder / f".{dataset}.lock"):
            if not (folder / FOLDERS[dataset]).exists():  # another run may have fetched them meanwhile
                _fetch(dataset, folder)
    except OSError as error:  # URLError, TimeoutError and ConnectionError are OSErrors
        raise DataError(_failure(dataset, folder, error)) from None
    except RuntimeError as error:  # torchvision's word for a wrong checksum or no mirror that answers
        raise DataError(_failure(dataset, folder, error)) from None


def _fetch(dataset: str, folder: Path) -> None:
    from torchvision import datasets

    print(f"{dataset} is not in {folder}: downloading it", file=sys.stderr)
    staging = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output is for data
            getattr(datasets, TORCHVISION[dataset])(str(staging), download=True)
        (staging / FOLDERS[dataset]).rename(folder / FOLDERS[dataset])
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _failure(dataset: str, folder: Path, error: Exception) -> str:
    reason = str(error.reason if isinstance(error, URLError) else error).strip().partition("\n")[0]
    return (
        f"cannot download {dataset} ({reason}); put its official files into {folder / FOLDERS[dataset]},"
        " or try `fastadv run digits`, which needs no network"
    )
