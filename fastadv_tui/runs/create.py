"""Creating a run directory."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from engine.config.run import RunConfig
from engine.config.user_code import DATASET_COPY, MODEL_COPY, file_to_run, parse, read_code
from engine.protocol.files import write_atomic
from engine.protocol.provenance import CodeVersion, code_version, combined_fingerprint
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
    code_of: Path | None = None,
) -> RunDir:
    """Create a run directory with its `config.json`, readable by this user only.

    code, submitted: default: those of now. submitted: in unix time. notes: content of `notes.json`; empty: no file.
    code_of: the folder of a run whose copy of the user's code is taken if the file has changed since.

    Raises: HomeError, if the directory cannot be written; no file is left then. ConfigError, if the user's code has
    changed since it was checked.
    """
    ensure_home()
    copies = _copies(config, code_of)
    code = code or code_version()
    try:
        path = unused_path(runs_dir())
        submission = Submission(
            id=path.name,
            submitted=time.time() if submitted is None else submitted,
            config=config,
            version=code.version,
            commit=code.commit,
            code_fingerprint=combined_fingerprint(code.fingerprint, config.model.code),
            command=list(command),
            slots=slots,
        )
        config_json = msgspec.json.format(msgspec.json.encode(submission), indent=2)
        files = {RunDir(path).config.name: config_json, RunDir(path).notes.name: notes, **copies}
        create_whole_folder(path, {name: content for name, content in files.items() if content})
    except OSError as error:
        raise HomeError(
            f"cannot write to {runs_dir()} ({error.strerror}); free some space or set FASTADV_HOME"
        ) from None
    return RunDir(path)


def _copies(config: RunConfig, code_of: Path | None) -> dict[str, bytes]:
    """The content of the copies of the user's files of code, by their names in the run directory.

    The files are read, never run. Raises: ConfigError, if one cannot be read or has changed.
    """
    data = parse(config.dataset) if config.data_code else None
    wanted = ((config.model.user_code, config.model.code, MODEL_COPY), (data, config.data_code, DATASET_COPY))
    return {
        copy: read_code(file_to_run(code, fingerprint, code_of, copy))
        for code, fingerprint, copy in wanted
        if code is not None and code.in_file
    }


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
