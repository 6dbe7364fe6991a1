"""Mutated data folders: names, links, pipes and broken files, read as for training and as `fastadv prepare` reads."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random

import torch

from engine.config.errors import UserError
from engine.config.phases import Phase
from engine.data.folder.dataset import FolderDataset
from engine.data.prepare import preparation
from engine.data.prepare.copy import CopyError, cannot_write, perform
from engine.data.prepare.inventory import check_copies, folders_of, missing_copies
from engine.data.prepare.source import image_folder, is_image_folder
from engine.protocol.requests import PrepareRequest
from tests.support.fuzzing.byte_mutations import mutated
from tests.support.fuzzing.image_trials import pictures
from tests.support.fuzzing.trial import Trial, WrongError, inside

CPU = torch.device("cpu")
NAMES = (
    *("Thumbs.db", ".DS_Store", "@eaDir", "lost+found", "__MACOSX", ".ipynb_checkpoints", "desktop.ini"),
    *("a\nb.png", "\x1b[31m.png", "-x.png", " .png", "x.PNG", "x", "x.gif", "[b].png", "é.png", "\udcff.png"),
    *("y" * 250 + ".png", "16", "0", "٣", "prepared.json", ".preparing.json", "full", "train", "val", ".png"),
)


def folder_trial(rng: Random, folder: Path) -> Trial:
    """A data set of two classes after one to three mutations."""
    root = folder / "data"
    for split in ("train", "val"):
        for label in ("a", "b"):
            (root / split / label).mkdir(parents=True)
            for number, kind in enumerate(("PNG RGB", "JPEG RGB 90")):
                (root / split / label / f"{number}.png").write_bytes(pictures()[kind])
    done = [rng.choice([*MUTATIONS]) for _ in range(rng.choice((1, 1, 2, 3)))]
    for name in done:
        MUTATIONS[name](rng, root)
    out = folder / "out"
    return Trial(
        f"folder: {' and '.join(done)}",
        lambda: _read(root, out),
        ("prepare", "imagenet", str(root), "--out", str(out), "--sizes", "16", "--workers", "1"),
        (CopyError,),
    )


def _read(root: Path, out: Path) -> None:
    """Read in both ways. Raises the error that is no refusal, if there is one."""
    errors: list[Exception] = []
    for read in (_train, lambda root: _prepare(root, out)):
        try:
            read(root)
        except Exception as error:
            errors.append(error)
    if errors:
        raise min(errors, key=lambda error: isinstance(error, (UserError, CopyError)))


def _train(root: Path) -> None:
    """Everything that `--check` and a training do with the folder, without worker processes."""
    dataset = FolderDataset(root)
    dataset.fingerprint()
    "\n".join(dataset.remarks).encode()  # as they are sent to the other process
    phase = dataset.filled(Phase(begin=0, end=1, crop=16, batch_size=1))
    batch = dataset.batches(phase, 0, CPU).batch(0, 0)
    images, labels = dataset.test(phase, CPU)[torch.arange(dataset.test_images)]
    if not (len(batch) and len(images) == len(labels) == dataset.test_images):
        raise WrongError(f"{len(images)} images, {len(labels)} labels, {dataset.test_images} in the data set")


def _prepare(root: Path, out: Path) -> None:
    """What `fastadv prepare` does, without worker processes."""
    asked = PrepareRequest(source=str(root), out=str(out), sizes=(16,), workers=1)
    preparation.check_request(asked)
    if not is_image_folder(root):
        return
    try:
        _copy(root, out)
    except OSError as error:  # which the command answers in this way
        raise CopyError(cannot_write(Path(error.filename or out), error)) from None


def _copy(root: Path, out: Path) -> None:
    source = image_folder(root)
    "\n".join(source.ignored()).encode(errors="backslashreplace")
    folders = folders_of(source, (16,))
    (out / "16").mkdir(parents=True, exist_ok=True)
    tasks = missing_copies(source, out, folders, 90, lambda done, total: None)
    preparation._estimate(tasks)
    broken: dict[str, str] = {}
    for task in tasks:
        broken |= perform(task, lambda: False).broken
    json.dumps(broken).encode()
    counts = check_copies(source, out, folders, broken, lambda done, total: None)
    if sum(counts.values()) + len(broken) != sum(source.counts().values()):
        raise WrongError(f"{counts} and {len(broken)} broken of {source.counts()}")


# -- mutations ----------------------------------------------------------------------------------------------------


def _some(rng: Random, root: Path, files: bool) -> Path:
    """A file, or a folder."""
    found = [path for path in sorted(root.rglob("*")) if path.is_symlink() or path.is_file() == files]
    return rng.choice(found or [root / "train"])


def _name(rng: Random, folder: Path) -> Path:
    return folder / os.fsdecode(rng.choice(NAMES).encode(errors="surrogateescape"))


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _bytes(rng: Random, root: Path) -> None:
    path = _some(rng, root, files=True)
    if path.is_file() and not path.is_symlink():
        path.write_bytes(mutated(rng, path.read_bytes())[0])


def _delete(rng: Random, root: Path) -> None:
    _gone(_some(rng, root, files=rng.random() < 0.5))


def _rename(rng: Random, root: Path) -> None:
    path = _some(rng, root, files=rng.random() < 0.7)
    new = _name(rng, path.parent)
    if path.exists() and not new.exists():
        path.rename(new)


def _litter(rng: Random, root: Path) -> None:
    """A file or a folder of images, with any name, anywhere."""
    new = _name(rng, rng.choice((root, _some(rng, root, files=False))))
    if new.exists() or not new.parent.is_dir():
        return
    if rng.random() < 0.5:
        new.write_bytes(pictures()["PNG RGB"])
    else:
        new.mkdir()
        (new / "inside.png").write_bytes(pictures()["PNG RGB"])


def _special(rng: Random, root: Path) -> None:
    """A file is no plain file any more."""
    path = _some(rng, root, files=True)
    _gone(path)
    if path.parent.is_dir():
        KINDS[rng.choice([*KINDS])](path)


def _socket(path: Path) -> None:
    with inside(path.parent), socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name[:50])


KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": lambda path: os.mkfifo(path),
    "socket": _socket,
    "folder": lambda path: path.mkdir(),
    "circle": lambda path: path.symlink_to(path.name),
    "nowhere": lambda path: path.symlink_to("nothing"),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "empty": lambda path: path.write_bytes(b"") and None,
}


def _link(rng: Random, root: Path) -> None:
    """A folder becomes a link to another one, to itself, or to nowhere."""
    path = _some(rng, root, files=False)
    if path.is_dir() and not path.is_symlink():
        moved = root.parent / f"moved {rng.random()}"
        path.rename(moved)
        path.symlink_to(rng.choice((str(moved), path.name, "nothing", "..")))


def _file_instead(rng: Random, root: Path) -> None:
    path = _some(rng, root, files=False)
    _gone(path)
    if path.parent.is_dir():
        path.write_bytes(b"text")


def _manifest(rng: Random, root: Path) -> None:
    """The files that `fastadv prepare` leaves, in many states."""
    whole = json.dumps({"broken": ["train/a/0.png"], "sizes": [16], "counts": {}, "classes": ["a", "b"]}).encode()
    choices = (
        mutated(rng, whole)[0],
        b'{"broken": %s}' % rng.choice((b"3", b"null", b'"a"', b"[[]]", b"{}", b"[1]", b'["\\ud800"]')),
        b"[" * 100_000,
        b"",
    )
    path = root / rng.choice(("prepared.json", ".preparing.json"))
    if path.exists() or path.is_symlink():
        return
    if rng.random() < 0.15:
        KINDS[rng.choice([*KINDS])](path)
    else:
        path.write_bytes(rng.choice(choices))


def _sizes(rng: Random, root: Path) -> None:
    """A folder that is called like a size."""
    new = root / rng.choice(("16", "0", "٣", "9" * 200, "full", "-1", "016"))
    if not new.exists() and (root / "train").is_dir():
        shutil.copytree(root / "train", new / "train", symlinks=True, ignore=_only_plain)


def _only_plain(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not (Path(folder) / name).is_dir() and not (Path(folder) / name).is_file()]


MUTATIONS: dict[str, Callable[[Random, Path], None]] = {
    "bytes": _bytes,
    "deleted": _delete,
    "renamed": _rename,
    "litter": _litter,
    "no plain file": _special,
    "link of a folder": _link,
    "a file instead of a folder": _file_instead,
    "manifest": _manifest,
    "sizes": _sizes,
}
