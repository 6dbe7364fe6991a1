"""Which code a run uses: version, commit, and a hash of the engine's source."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1]  # the folder `engine`


class CodeVersion(NamedTuple):
    """The code of a run: version of the package, git commit, and fingerprint of the engine's source."""

    version: str
    commit: str
    fingerprint: str


def code_version() -> CodeVersion:
    """The code that a run would use now. Takes some milliseconds: many runs can share one."""
    return CodeVersion(package_version(), git_commit(), code_fingerprint())


def package_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and seldom needed

    try:
        return version("fastadv")
    except PackageNotFoundError:
        return "unknown"


def code_fingerprint() -> str:
    """A hash of the engine's source, 12 hexadecimal digits. Equal for two runs with the same code."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def combined_fingerprint(engine: str, *user_code: str) -> str:
    """The fingerprint of the engine's source and of code of the user's own. user_code: fingerprints, "" for none."""
    own = [fingerprint for fingerprint in user_code if fingerprint]
    return hashlib.sha256("\0".join([engine, *own]).encode()).hexdigest()[:12] if engine and own else engine


def git_commit() -> str:
    """The git commit of the checkout that the engine runs from. Empty if the engine does not run from a checkout."""
    if not (PACKAGE.parent / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(PACKAGE.parent), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True
        )
    except OSError:
        return ""
    return done.stdout.strip()


def engine_command(*arguments: str) -> list[str]:
    """The command that starts the engine. Without `-P`, a folder `engine/` in the user's folder would shadow ours."""
    return [sys.executable, "-P", "-m", "engine", *arguments]
