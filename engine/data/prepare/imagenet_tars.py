"""Read the official tar files of ImageNet: the place of each image in them, and the classes of validation images."""

import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

from engine.config.typed import decode
from engine.data.prepare.source import File, ImageClass, Source, SourceError, checked, plain_name
from engine.protocol.files import write_atomic

TRAIN, VAL, DEVKIT = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"
LABELS = "val_labels.txt"
LABEL_LINE = re.compile(r"(\S+\.\w+)[\s,]+(n\d{8})")

Tick = Callable[[int, int], None]  # called with the bytes that are done and all bytes; may raise to stop


class Index(Struct):
    """The contents of the tar files, stored for the next start, because reading them takes minutes.

    stamps: size (bytes) and modification time (ns) of the training and the validation tar.
    """

    stamps: list[tuple[int, int]]
    train: dict[str, list[File]]
    val: list[File]


def official(source: Path, index: Path, tick: Tick) -> Source | None:
    """The official tar files in a folder, or None if there are none. index: the file that stores their contents.

    Raises: SourceError, if a tar file is missing or damaged, or a label is missing.
    """
    if not (source / TRAIN).is_file():
        return None
    if not (source / VAL).is_file():
        raise SourceError(f"{source} holds {TRAIN} but no {VAL}; add it")
    labels = _labels_of_text(source)
    if labels is None and not (source / DEVKIT).is_file():
        raise SourceError(f"no classes for {VAL}: add {DEVKIT} or {LABELS} (lines: FILENAME WNID) to {source}")
    found = _index(source, index, tick)
    named = labels if labels is not None else _labels_of_devkit(source / DEVKIT, found.val)
    val: dict[str, list[File]] = {}
    for file in found.val:
        if file.name not in named:
            raise SourceError(f"no class is known for {file.name} of {VAL}; add its line to {LABELS}")
        val.setdefault(named[file.name], []).append(file)
    train = [ImageClass("train", label, source / TRAIN, files) for label, files in sorted(found.train.items())]
    held_out = [ImageClass("val", label, source / VAL, files) for label, files in sorted(val.items())]
    return Source("the official tar files", checked(train + held_out), {})


def _index(source: Path, path: Path, tick: Tick) -> Index:
    stamps = [(stat.st_size, stat.st_mtime_ns) for stat in ((source / name).stat() for name in (TRAIN, VAL))]
    try:
        known = decode(path.read_bytes(), Index)
    except (OSError, msgspec.DecodeError):
        known = None
    if known and known.stamps == stamps:
        return known
    total = sum(size for size, _ in stamps)
    train = dict(_classes(source / TRAIN, lambda done: tick(done, total)))
    val = list(_images(source / VAL, lambda done: tick(stamps[0][0] + done, total)))
    _check_names(val, source / VAL)
    index = Index(stamps, train, sorted(val))
    write_atomic(path, msgspec.json.encode(index))
    return index


def _classes(path: Path, tick: Callable[[int], None]) -> Iterator[tuple[str, list[File]]]:
    """The classes in a tar file of tar files, and their images with offsets in the outer file."""
    with _TarReader(path) as outer:
        for member in outer:
            if not member.isfile():
                continue
            tick(member.offset_data)
            label = plain_name(PurePosixPath(member.name).stem, path)
            inner = outer.extractfile(member)
            assert inner is not None
            try:
                with tarfile.open(fileobj=inner, mode="r:") as images:
                    files = sorted(_file(image, member.offset_data, path) for image in images if image.isfile())
            except tarfile.TarError as error:
                raise SourceError(
                    f"{member.name} in {path} is damaged ({_first_line(error)}); download it again"
                ) from None
            _check_names(files, path)
            yield label, files


def _images(path: Path, tick: Callable[[int], None]) -> Iterator[File]:
    with _TarReader(path) as tar:
        for number, member in enumerate(tar):
            if number % 100 == 0:
                tick(member.offset_data)
            if member.isfile():
                yield _file(member, 0, path)


class _TarReader:
    """Opens a tar file. Raises: SourceError, for any damage that is found while the file is open."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> tarfile.TarFile:
        try:
            self._tar = tarfile.open(self._path, mode="r:")
        except tarfile.TarError as error:
            raise self._damaged(error) from None
        return self._tar

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._tar:
            if isinstance(error, tarfile.TarError):
                raise self._damaged(error) from None
            if error is None and not self._has_end():
                raise SourceError(f"{self._path} is cut short; download it again")

    def _has_end(self) -> bool:
        """Whether an empty block follows the last member. `tarfile` does not notice a file cut between two members."""
        last = next(reversed(self._tar.getmembers()), None)
        if last is None:
            return True
        end = last.offset_data + -(-last.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        with self._path.open("rb") as file:
            file.seek(end)
            return file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)

    def _damaged(self, error: BaseException) -> SourceError:
        return SourceError(f"{self._path} is damaged or cut short ({_first_line(error)}); download it again")


def _file(member: tarfile.TarInfo, start: int, path: Path) -> File:
    if start + member.offset_data + member.size > path.stat().st_size:
        raise SourceError(f"{path} is cut short in {member.name}; download it again")
    return File(plain_name(PurePosixPath(member.name).name, path), start + member.offset_data, member.size)


def _check_names(files: Iterable[File], path: Path) -> None:
    names = [file.name for file in files]
    if len(set(names)) < len(names):
        raise SourceError(f"{path} holds two images of the same name: {max(names, key=names.count)}; download it again")


def _labels_of_text(source: Path) -> dict[str, str] | None:
    """The classes by file name, from a text file; None if there is no such text file."""
    for path in [source / LABELS, *sorted(source.glob("*.txt"))]:
        try:
            lines = path.read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        found = [LABEL_LINE.fullmatch(line.strip()) for line in lines if line.strip()]
        if found and found[0]:
            return dict(_label(match, path) for match in found)
    return None


def _label(match: re.Match[str] | None, path: Path) -> tuple[str, str]:
    if match is None:
        raise SourceError(f"{path} has lines that are not FILENAME WNID; correct them")
    return match[1], match[2]


def _labels_of_devkit(path: Path, files: list[File]) -> dict[str, str]:
    """The classes by file name, from the development kit.

    It lists a number for each validation image, in the order of file names, and a class for each number.
    """
    from scipy import io  # slow to import, and needed only here

    try:
        with tarfile.open(path) as kit:
            members = {PurePosixPath(member.name).name: member for member in kit if member.isfile()}
            truth = kit.extractfile(members["ILSVRC2012_validation_ground_truth.txt"])
            meta = kit.extractfile(members["meta.mat"])
            assert truth is not None and meta is not None  # noqa: PT018
            numbers = [int(text) for text in truth.read().split()]
            synsets = io.loadmat(meta, squeeze_me=True)["synsets"]
        named = dict(zip((int(n) for n in synsets["ILSVRC2012_ID"]), map(str, synsets["WNID"]), strict=True))
        labels = [named[number] for number in numbers]
    except (tarfile.TarError, OSError, KeyError, ValueError, EOFError) as error:
        raise SourceError(
            f"{path} is not the development kit, or is damaged ({_first_line(error)}); download it again"
        ) from None
    if len(labels) != len(files):
        raise SourceError(
            f"{path} has classes for {len(labels):,} images, but {VAL} holds {len(files):,}; download both again"
        )
    return {file.name: label for file, label in zip(sorted(files), labels, strict=True)}


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
