"""Which code a run ran: version, commit, and a hash of the engine's source."""

import hashlib
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1]  # the whole engine


def package_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to load, and most starts do without

    try:
        return version("fastadv")
    except PackageNotFoundError:
        return "unknown"


def code_fingerprint() -> str:
    """A hash of the engine's source: the same for two runs that ran the same code."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def git_commit() -> str:
    """The commit of the checkout that the engine runs from; empty when it is installed without one."""
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
    """The command that starts the engine; `-P`, or an `engine/` in the user's folder would shadow ours."""
    return [sys.executable, "-P", "-m", "engine", *arguments]
