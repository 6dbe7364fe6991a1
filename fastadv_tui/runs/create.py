"""Creating a run directory."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from engine.config.run import RunConfig
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
    Raises: HomeError, if the directory cannot be written; no file is left then.
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
        files = {RunDir(path).config.name: config_json, RunDir(path).notes.name: notes}
        create_whole_folder(path, {name: content for name, content in files.items() if content})
    except OSError as error:
        raise HomeError(
            f"cannot write to {runs_dir()} ({error.strerror}); free some space or set FASTADV_HOME"
        ) from None
    return RunDir(path)


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
