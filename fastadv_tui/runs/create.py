"""Creating a run directory."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.user_code import DATASET_COPY, fingerprint_of, parse
from engine.protocol.files import write_atomic
from engine.protocol.provenance import CodeVersion, code_version
from engine.protocol.rundir import RunDir
from engine.protocol.submission import Submission
from fastadv_tui.errors import HomeError
from fastadv_tui.paths import ensure_home, runs_dir

ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # without i, l, o, u: users read ids aloud and type them
ID_LENGTH = 6


def create_run(
    config: RunConfig,
    command: Sequence[str],
    slots: int = 1,
    code: CodeVersion | None = None,
    submitted: float | None = None,
    notes: bytes = b"",
) -> RunDir:
    """Create a run directory with its `config.json`, readable by this user only.

    code, submitted: default: those of now. submitted: in unix time. notes: content of `notes.json`; empty: no file.
    Raises: HomeError, if the directory cannot be written; ConfigError, if a file of the user's code is no longer the
    one that was checked. No file is left then.
    """
    ensure_home()
    code = code or code_version()
    try:
        path = unused_path(runs_dir())
        submission = Submission(
            id=path.name,
            submitted=time.time() if submitted is None else submitted,
            config=config,
            version=code.version,
            commit=code.commit,
            code_fingerprint=code.fingerprint,
            command=list(command),
            slots=slots,
        )
        config_json = msgspec.json.format(msgspec.json.encode(submission), indent=2)
        files = {RunDir(path).config.name: config_json, RunDir(path).notes.name: notes, **_code_copies(config)}
        create_whole_folder(path, {name: content for name, content in files.items() if content})
    except OSError as error:
        raise HomeError(
            f"cannot write to {runs_dir()} ({error.strerror}); free some space or set FASTADV_HOME"
        ) from None
    return RunDir(path)


def _code_copies(config: RunConfig) -> dict[str, bytes]:
    """The user's files of code that the run keeps, by name of the copy. They are read, never run.

    Raises: ConfigError, if a file cannot be read or has changed.
    """
    code = parse(config.dataset) if config.data_code else None
    if code is None:
        return {}
    content = code.content()
    if fingerprint_of(content) != config.data_code:
        raise ConfigError(f"{code.change(config.data_code)}; submit it as it is now with `fastadv run`")
    return {DATASET_COPY: content}


def unused_path(runs: Path) -> Path:
    """The path of a new folder with a random id. runs: the folder around it."""
    while True:
        path = runs / "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))
        if not path.exists():
            return path


def create_whole_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Create a folder with its files, by name, in one step: a run without `config.json` counts as lost.

    Raises: OSError; no folder is left then.
    """
    staged = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))  # a hidden folder does not count as a run
    try:
        for name, content in files.items():
            write_atomic(staged / name, content)
        staged.rename(path)
    except OSError:
        shutil.rmtree(staged, ignore_errors=True)
        raise
