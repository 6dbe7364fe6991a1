"""Sends the network of a run, with its card, to the Hugging Face Hub."""

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.fetch.hub import endpoint, parse_repo
from fastadv_tui.history.row import Row
from fastadv_tui.publish.card import WEIGHTS, card_text
from fastadv_tui.publish.network import export_file
from fastadv_tui.text.sanitize import one_line

MISSING = "push needs huggingface_hub: pip install 'fastadv[hub]'"
NO_TOKEN = "no token of the Hub: type `hf auth login`, or set HF_TOKEN to a token that may write"


def push(rundir: RunDir, row: Row, repo: str, license_: str, which: str, public: bool) -> str:
    """Send weights and card of a run to `USER/REPO`, which is created if it does not exist. Returns its address.

    public: whether a new repository can be seen by everybody. The visibility of an old one stays as it is.

    Raises: UserError, in one line.
    """
    user, name = parse_repo(repo)
    hub = _package()
    with tempfile.TemporaryDirectory(prefix="fastadv-push-") as folder:
        export_file(rundir, "weights", Path(folder) / WEIGHTS, which)
        (Path(folder) / "README.md").write_text(card_text(row, rundir, license_, which, repo))
        try:
            api = hub.HfApi(endpoint=endpoint())
            api.create_repo(f"{user}/{name}", private=not public, exist_ok=True)
            api.upload_folder(repo_id=f"{user}/{name}", folder_path=folder, commit_message=f"fastadv run {row.id}")
        except hub.errors.LocalTokenNotFoundError:
            raise UserError(NO_TOKEN) from None
        except Exception as error:  # those of the Hub, of its network library and of validation have no common class
            raise UserError(f"cannot push to {endpoint()}/{repo} ({_reason(error)})") from None
    return f"{endpoint()}/{user}/{name}"


def _package() -> Any:
    """The package huggingface_hub. Raises: UserError, if it is missing."""
    try:
        return import_module("huggingface_hub")
    except ImportError:
        raise UserError(MISSING) from None


def _reason(error: Exception) -> str:
    """The first line of an error. Errors of the Hub carry the code of its answer."""
    code = getattr(getattr(error, "response", None), "status_code", None)
    if code in (401, 403):
        return f"{code}: {NO_TOKEN}"
    return one_line(str(error).strip().partition("\n")[0], 200) or type(error).__name__
