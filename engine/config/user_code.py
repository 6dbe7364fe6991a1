"""Code of a user's own, named as `FILE.py:NAME` or `package.module:NAME`. Nothing here runs the code.

A run keeps a copy of the file, and the copy is what trains. Only the one file is kept: it must not import a file beside
it. A module must be importable by the engine, so it is installed or on PYTHONPATH; it has no copy, and runs as it is.
The working folder is never searched.
"""

import os
import re
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from msgspec import Struct, structs

from engine.config.errors import ConfigError
from engine.config.plain_file import not_plain

MODEL_COPY, DATASET_COPY = "model.py", "dataset.py"  # names of the copies in a run directory
MAX_BYTES = 1_000_000  # of a file of code
FILE = re.compile(r"(?P<source>.+\.py):(?P<name>[^\W\d]\w*)", re.DOTALL)
MODULE = re.compile(r"(?P<source>[^\W\d]\w*(?:\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*)")


class UserCode(Struct, frozen=True):
    """A function or class of a user. source: the path of a file that ends in .py, or the dotted name of a module."""

    source: str
    name: str

    @property
    def in_file(self) -> bool:
        return self.source.endswith(".py")

    @property
    def short(self) -> str:
        """The file without its folder, or the module: how messages begin."""
        return Path(self.source).name if self.in_file else self.source

    @property
    def text(self) -> str:
        """As it is typed. The inverse of `parse`."""
        return f"{self.source}:{self.name}"

    def at(self, path: Path) -> "UserCode":
        """The same code in another file, such as one by its absolute path. Raises: ConfigError, if JSON has no way
        to write the path.
        """
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{self.short}: its path is not UTF-8; rename the file or its folder") from None
        return structs.replace(self, source=str(path))

    def file(self) -> Path:
        """The file that holds the code. Nothing is imported. Raises: ConfigError, if there is no such file."""
        if self.in_file:
            return Path(self.source)
        origin = _origin(self.source)
        if origin is None:
            raise ConfigError(
                f"{self.text}: no module {self.source} is installed or on PYTHONPATH; a file is typed as FILE.py:NAME"
            )
        return origin

    def content(self) -> bytes:
        """The content of the file. Raises: ConfigError, if the file cannot be read."""
        return read_code(self.file())

    def change(self, fingerprint: str) -> str:
        """What has become of the file since it had this fingerprint, such as `net.py has changed (...)`; else ""."""
        try:
            now = fingerprint_of(self.content())
        except ConfigError as error:
            return str(error)
        return "" if now == fingerprint else f"{self.short} has changed ({fingerprint} then, {now} now)"

    def change_note(self, fingerprint: str) -> str:
        """What the log says about the file at the start of a run that was submitted with this fingerprint, or ""."""
        kept = "the run uses the copy of then" if self.in_file else "the run uses it as it is now"
        change = self.change(fingerprint).replace("has changed", "has changed since this run was submitted", 1)
        return change and f"{change}; {kept}"


def parse(text: str) -> UserCode | None:
    """The code that a text names, None if the text is of another form, such as `resnet18` or `imagefolder:PATH`.

    A prefix with a meaning of its own, such as `npz:`, looks like a module: test for it first.
    """
    found = FILE.fullmatch(text) or MODULE.fullmatch(text)
    return UserCode(found["source"], found["name"]) if found else None


def fingerprint_of(content: bytes) -> str:
    """A hash of code, 12 hexadecimal digits."""
    import hashlib  # it loads OpenSSL in 3 ms, which a list of runs does not need

    return hashlib.sha256(content).hexdigest()[:12]


def read_code(path: Path) -> bytes:
    """The content of a file of code. Raises: ConfigError, if it is no plain file of at most MAX_BYTES."""
    try:
        if instead := not_plain(path):
            raise ConfigError(f"{path} is {instead}; type a file of Python code")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; type the path of a file, such as FOLDER/FILE.py:NAME") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); mend this, or type another file") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path} is larger than 1 MB; type a file of Python code")
    return content


def file_to_run(code: UserCode, fingerprint: str, folder: Path | None, copy: str) -> Path:
    """The file whose code runs: the copy in a run directory if there is one, else the original.

    fingerprint: that the file must have, "" for any; a module is taken as it is. folder: the run directory, None for
    code that belongs to no run. copy: the name of the copy in it.

    Raises: ConfigError, if neither file has the fingerprint.
    """
    if not code.in_file:
        return code.file()
    kept = folder / copy if folder is not None and (folder / copy).exists() else None
    if kept is not None and fingerprint in ("", fingerprint_of(read_code(kept))):
        return kept
    change = code.change(fingerprint) if fingerprint else ""
    if not change:
        return code.file()
    if kept is not None:
        raise ConfigError(f"{kept} is not the code that the run was submitted with ({fingerprint}); restore the file")
    lost = f", and {folder / copy}, the copy of then, is missing" if folder is not None else ""
    raise ConfigError(f"{change}{lost}; restore the file, or submit it as it is now")


def _origin(module: str) -> Path | None:
    """The source file of a module, found without importing a package around it. None if there is no such file."""
    parts = module.split(".")
    inside: list[str] | None = None
    spec: ModuleSpec | None = None
    for length in range(1, len(parts) + 1):
        spec = _spec(".".join(parts[:length]), inside)
        if spec is None:
            return None
        inside = None if spec.submodule_search_locations is None else [*spec.submodule_search_locations]
        if inside is None and length < len(parts):
            return None
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None


def _spec(name: str, inside: list[str] | None) -> ModuleSpec | None:
    """What Python's finders know of a module. inside: the folders of its package, None for a module without one."""
    for finder in sys.meta_path:
        path = _search_path() if finder is PathFinder and inside is None else inside
        if (find := getattr(finder, "find_spec", None)) and (spec := find(name, path)):
            found: ModuleSpec = spec
            return found
    return None


def _search_path() -> list[str]:
    """The folders that the engine searches: not the working folder, which `python -m` puts first."""
    unsafe = not sys.flags.safe_path and sys.path[:1] in ([""], [os.getcwd()])  # noqa: PTH109 - compared as text
    return sys.path[1:] if unsafe else sys.path
