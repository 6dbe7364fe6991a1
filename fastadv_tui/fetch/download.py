"""Downloads one file: continues what was interrupted, checks length and SHA-256, and never believes a server.

A file in progress is `NAME.part`, with `NAME.part.json` beside it, which says what it is a part of.
"""

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from engine.config.typed import decode
from engine.protocol.files import write_atomic
from fastadv_tui.errors import UserError
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.text.quantities import format_bytes

TIMEOUT = 20.0  # seconds without a byte
TRIES = 4  # in a row that bring nothing new
PAUSE = 1.0  # seconds before the second try; twice as long before each further one
CHUNK = 1 << 20
MAX_SIZE = 16 << 30  # bytes of a file of weights
MAX_TEXT = 8 << 20  # bytes of an answer that is read into memory
USER_AGENT = "fastadv"
PASSING = (408, 425, 429)  # answers below 500 that another try may change
FAULTS = (OSError, http.client.HTTPException)  # a URLError is an OSError, and so is a timeout
Progress = Callable[[int, int], None]


class DownloadError(UserError):
    """A file cannot be downloaded. The message names the address and the way out."""


class Wanted(Struct, frozen=True, kw_only=True):
    """A file to download. sha256: hexadecimal, empty if nobody knows it. size: in bytes, 0 if unknown. token: a secret.

    by_hand: what a user can do if the host is gone.
    """

    url: str
    sha256: str = ""
    size: int = 0
    token: str = ""
    by_hand: str = ""


class _Part(Struct, frozen=True, kw_only=True):
    """What the file in progress is a part of. etag: of the server, which changes with the content."""

    url: str
    etag: str = ""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to the web only, and never from https to http. Secrets are not sent along."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("http", "https") or (before, after) == ("https", "http"):
            raise urllib.error.HTTPError(req.full_url, 403, f"redirect to {after}, which is not followed", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(wanted: Wanted, path: Path, progress: Progress = lambda done, total: None) -> None:
    """Download a file. An interrupted download goes on where it was, also in a later call.

    Raises: DownloadError, in one line. What was downloaded so far is kept, unless it is wrong.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path):
            _download(wanted, path, progress)
    except OSError as error:
        raise DownloadError(f"cannot write {path}: {error.strerror or error}") from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a file: two processes that write one part would mix it up. Raises: DownloadError; OSError."""
    lock = path.with_name(f"{path.name}.lock")
    if (handle := try_lock(lock)) is None:
        raise DownloadError(f"another process downloads {path}; wait until it is there, and try again")
    try:
        yield
        lock.unlink()
    finally:
        os.close(handle)


def _download(wanted: Wanted, path: Path, progress: Progress) -> None:
    """As `download`, for the only process that downloads the file. Raises: DownloadError; OSError."""
    part, idle = path.with_name(f"{path.name}.part"), 0
    while True:
        before = _size(part)
        try:
            _fetch(wanted, part, progress)
            break
        except FAULTS as error:
            idle = 0 if _size(part) > before else idle + 1
            if idle >= TRIES or _is_final(error):
                raise DownloadError(_gone(wanted, _reason(error))) from None
            time.sleep(PAUSE * 2**idle / 2)
    _check(wanted, part)
    part.replace(path)
    _note_of(part).unlink(missing_ok=True)


def read_text(wanted: Wanted) -> bytes:
    """A short answer, such as JSON. Raises: DownloadError."""
    for number in range(TRIES):
        try:
            with _open(wanted, {}) as response:
                content = bytes(response.read(MAX_TEXT + 1))
            if len(content) > MAX_TEXT:
                raise DownloadError(f"{wanted.url} answers with more than {format_bytes(MAX_TEXT)}")
            return content
        except FAULTS as error:
            if _is_final(error) or number == TRIES - 1:
                raise DownloadError(_gone(wanted, _reason(error))) from None
            time.sleep(PAUSE * 2**number / 2)
    raise AssertionError


def _fetch(wanted: Wanted, part: Path, progress: Progress) -> None:
    """Download what is missing. Raises: FAULTS, if something is still missing; DownloadError."""
    have, note = _size(part), _read_note(part)
    if note is None or note.url != wanted.url:
        have = 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and note and note.etag:
        headers["If-Range"] = note.etag  # else the parts could be of different files
    with _open(wanted, headers) as response:
        start, total = _place(response, have)
        if total > MAX_SIZE or (wanted.size and total and total != wanted.size):
            raise DownloadError(
                f"{wanted.url} has {total:,} bytes, not {wanted.size or MAX_SIZE:,}; it is another file"
            )
        _refuse_page(wanted, response)
        write_atomic(
            _note_of(part), msgspec.json.encode(_Part(url=wanted.url, etag=response.headers.get("ETag") or ""))
        )
        with part.open("r+b" if start else "wb") as file:
            file.truncate(start)
            file.seek(start)
            while chunk := response.read1(CHUNK):
                if file.tell() + len(chunk) > (total or wanted.size or MAX_SIZE):
                    raise DownloadError(f"{wanted.url} sends more bytes than it said; try again")
                file.write(chunk)
                progress(file.tell(), total or wanted.size)
            if total and file.tell() < total:
                raise http.client.IncompleteRead(b"", total - file.tell())


def _place(response: Any, have: int) -> tuple[int, int]:
    """Where the content begins, and the size of the whole file; 0 if the server does not say.

    Raises: HTTPException, if a partial answer is not the part that was asked for.
    """
    length = response.headers.get("Content-Length") or ""
    if response.status != 206:
        return 0, int(length) if length.isdigit() else 0
    found = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", response.headers.get("Content-Range") or "")
    if not found or int(found[1]) != have:
        raise http.client.HTTPException("the server sends another part than was asked for")
    return have, int(found[3])


def _open(wanted: Wanted, headers: dict[str, str]) -> Any:
    """Raises: FAULTS; DownloadError, if the address is not of the web."""
    if urlsplit(wanted.url).scheme not in ("http", "https"):
        raise DownloadError(f"{wanted.url} is no address of the web")
    request = urllib.request.Request(wanted.url, headers={"User-Agent": USER_AGENT, **headers})
    if wanted.token:
        request.add_unredirected_header("Authorization", f"Bearer {wanted.token}")
    try:
        return urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and "Range" in headers:  # the part is as long as the file, or longer: begin again
            return _open(wanted, {})
        raise


def _refuse_page(wanted: Wanted, response: Any) -> None:
    """Raises: DownloadError, if the host shows a page, as it does when too many people have downloaded a file."""
    if (response.headers.get("Content-Type") or "").startswith("text/html"):
        raise DownloadError(f"{wanted.url} answers with a web page, not with the file{_hint(wanted)}")


def _check(wanted: Wanted, part: Path) -> None:
    """Raises: DownloadError, if the content is wrong; the part is removed then. OSError."""
    problem, size = "", part.stat().st_size
    if wanted.size and size != wanted.size:
        problem = f"has {size:,} bytes, not {wanted.size:,}"
    elif wanted.sha256:
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        problem = "" if found == wanted.sha256 else f"has the SHA-256 {found}, not {wanted.sha256}"
    elif not size:
        problem = "is empty"
    if problem:
        part.unlink()
        _note_of(part).unlink(missing_ok=True)
        raise DownloadError(f"{wanted.url} {problem}; it was removed, because it is not the file that was asked for")


def _gone(wanted: Wanted, why: str) -> str:
    return f"cannot download {wanted.url} ({why}){_hint(wanted)}"


def _hint(wanted: Wanted) -> str:
    return f"; {wanted.by_hand}" if wanted.by_hand else "; the same command goes on where it was"


def _is_final(error: Exception) -> bool:
    """Whether another try would bring the same answer."""
    return isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code not in PASSING


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, TimeoutError):
        return f"no answer for {TIMEOUT:g} s"
    return str(getattr(cause, "strerror", None) or cause) or type(error).__name__


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_note(part: Path) -> _Part | None:
    try:
        return decode(_note_of(part).read_bytes(), _Part)
    except (OSError, msgspec.DecodeError):
        return None
