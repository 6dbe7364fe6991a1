"""Files of the Hugging Face Hub, by names such as `hf:USER/REPO` and `hf:USER/REPO:FILE`.

Downloading needs no package. `HF_ENDPOINT` and `HF_TOKEN` are understood as the Hub's own programs understand them.
"""

import os
import re
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Struct

from engine.config.typed import decode
from fastadv_tui.errors import UserError
from fastadv_tui.fetch.download import DownloadError, Progress, Wanted, download, read_text
from fastadv_tui.paths import home

ENDPOINT = "https://huggingface.co"
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")  # of a user or a repository, as the Hub allows
SHA256 = re.compile(r"[0-9a-f]{64}")
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")  # of files of weights, the preferred ones first


class HubFile(Struct, frozen=True, kw_only=True):
    """A file in a repository. file: empty for its only file of weights."""

    user: str
    repo: str
    file: str = ""

    @property
    def name(self) -> str:
        return f"{self.user}/{self.repo}"


class _Lfs(Struct):
    sha256: str = ""
    size: int = 0


class _Sibling(Struct):
    rfilename: str
    size: int | None = None
    lfs: _Lfs | None = None


class _Repo(Struct):
    siblings: list[_Sibling] = []
    sha: str = ""


def parse_repo(text: str) -> tuple[str, str]:
    """`USER/REPO` as its two names. Raises: UserError, for anything else, such as an address or a path."""
    user, _, repo = text.partition("/")
    for name in (user, repo):
        if not NAME.fullmatch(name) or ".." in name or "--" in name:
            raise UserError(f"{text!r} is no repository of the Hub; write USER/REPO, such as rice/preact-fgsm")
    return user, repo


def parse_hub_file(text: str) -> HubFile:
    """`USER/REPO` or `USER/REPO:FILE`. Raises: UserError, for anything else."""
    repo, _, file = text.partition(":")
    user, name = parse_repo(repo)
    parts = file.split("/") if file else []
    if any(not part.isprintable() or part in ("", ".", "..") or set(part) & set('\\:*?"<>|') for part in parts):
        raise UserError(
            f"{file!r} is no name of a file in a repository; write hf:{repo}:FILE, such as model.safetensors"
        )
    return HubFile(user=user, repo=name, file=file)


def fetch_from_hub(asked: HubFile, progress: Progress) -> Path:
    """The path of a file of the Hub on this machine, downloaded unless it is here. Raises: UserError."""
    repo = _repo(asked)
    chosen = _chosen(asked, repo)
    sha256 = chosen.lfs.sha256 if chosen.lfs else ""
    if sha256 and not SHA256.fullmatch(sha256):
        raise DownloadError(f"{endpoint()} answers with {sha256!r} in place of a SHA-256")
    commit = repo.sha if re.fullmatch(r"[0-9a-f]{7,64}", repo.sha) else "main"
    path = home().joinpath(
        "weights", "hf", asked.user, asked.repo, sha256[:16] or commit[:16], Path(chosen.rfilename).name
    )
    if path.is_file():
        return path
    url = f"{endpoint()}/{asked.name}/resolve/{commit}/{quote(chosen.rfilename)}"
    size = (chosen.lfs.size if chosen.lfs else chosen.size) or 0
    download(Wanted(url=url, sha256=sha256, size=size, token=_token(), by_hand=_by_hand(url)), path, progress)
    return path


def endpoint() -> str:
    """The address of the Hub. Raises: UserError, if `HF_ENDPOINT` is none."""
    found = os.environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT
    if urlsplit(found).scheme not in ("http", "https"):
        raise UserError(f"HF_ENDPOINT is {found!r}, which is no address of the web")
    return found


def _repo(asked: HubFile) -> _Repo:
    url = f"{endpoint()}/api/models/{asked.name}?blobs=true"
    try:
        content = read_text(Wanted(url=url, token=_token(), by_hand=_by_hand(f"{endpoint()}/{asked.name}")))
    except DownloadError as error:
        if "(401" in str(error) or "(404" in str(error):
            raise DownloadError(
                f"the Hub has no public model {asked.name}; check the name, or set HF_TOKEN if it is private ({url})"
            ) from None
        raise
    try:
        return decode(content, _Repo)
    except msgspec.DecodeError:
        raise DownloadError(f"{url} does not answer as the Hub does") from None


def _chosen(asked: HubFile, repo: _Repo) -> _Sibling:
    """The file of the repository that is meant. Raises: UserError."""
    names = {sibling.rfilename: sibling for sibling in repo.siblings}
    if asked.file:
        if asked.file not in names:
            raise UserError(f"hf:{asked.name} has no file {asked.file}{_listed([*names])}")
        return names[asked.file]
    for suffix in SUFFIXES:
        found = [name for name in names if name.endswith(suffix)]
        if len(found) == 1:
            return names[found[0]]
        if found:
            raise UserError(
                f"hf:{asked.name} has {len(found)} files of weights; write hf:{asked.name}:FILE{_listed(found)}"
            )
    raise UserError(f"hf:{asked.name} has no file of weights ({', '.join(SUFFIXES)}){_listed([*names])}")


def _listed(names: list[str]) -> str:
    return f"; it has {', '.join(names[:8])}{', ...' * (len(names) > 8)}" if names else ""


def _by_hand(url: str) -> str:
    return f"if the Hub is gone, get the file from {url} elsewhere, and type `fastadv eval FILE`"


def _token() -> str:
    return os.environ.get("HF_TOKEN", "").strip()
