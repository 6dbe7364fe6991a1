"""Downloads go on where they were, and a server that lies gets nothing kept."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastadv_tui.fetch import download as module
from fastadv_tui.fetch.download import DownloadError, Wanted, download, read_text
from fastadv_tui.supervise.locks import try_lock
from tests.support.file_server import FileServer, file_server

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(module, "PAUSE", 0.001)
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    with file_server() as found:
        found.files["/w.pt"] = CONTENT
        yield found


def wanted(server: FileServer, path: str = "/w.pt", **changes: object) -> Wanted:
    return Wanted(url=server.url + path, **{"sha256": SHA256, "size": len(CONTENT), **changes})  # type: ignore[arg-type]


def left(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_file_comes_whole(server: FileServer, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    download(wanted(server), tmp_path / "new" / "w.pt", lambda done, total: told.append((done, total)))
    assert (tmp_path / "new" / "w.pt").read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert left(tmp_path / "new") == ["w.pt"]


def test_a_connection_that_breaks_goes_on_where_it_was(server: FileServer, tmp_path: Path) -> None:
    server.break_after = [100_000, 50_000, 0, 1]
    download(wanted(server), tmp_path / "w.pt")
    assert (tmp_path / "w.pt").read_bytes() == CONTENT
    assert server.ranges_asked() == ["", "bytes=100000-", "bytes=150000-", "bytes=150000-", "bytes=150001-"]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server: FileServer, tmp_path: Path) -> None:
    server.break_after = [100_000, *[0] * module.TRIES]
    with pytest.raises(DownloadError, match="the same command goes on where it was"):
        download(wanted(server), tmp_path / "w.pt")
    assert left(tmp_path) == ["w.pt.lock", "w.pt.part", "w.pt.part.json"]
    server.got.clear()
    server.break_after = []
    download(wanted(server), tmp_path / "w.pt")
    assert server.ranges_asked() == ["bytes=100000-"]
    assert (tmp_path / "w.pt").read_bytes() == CONTENT


def test_parts_of_different_files_are_never_joined(server: FileServer, tmp_path: Path) -> None:
    """The content changes while half of it is here. The size is the same, and nobody knows the checksum."""
    server.files["/w.pt"] = os.urandom(len(CONTENT))
    server.break_after = [100_000, *[0] * module.TRIES]
    with pytest.raises(DownloadError):
        download(wanted(server, sha256=""), tmp_path / "w.pt")
    server.files["/w.pt"], server.etag, server.break_after = CONTENT, '"two"', []
    download(wanted(server, sha256=""), tmp_path / "w.pt")
    assert (tmp_path / "w.pt").read_bytes() == CONTENT


def test_the_part_of_another_address_is_not_taken(server: FileServer, tmp_path: Path) -> None:
    server.files["/other.pt"] = os.urandom(len(CONTENT))
    server.break_after = [100_000, *[0] * module.TRIES]
    with pytest.raises(DownloadError):
        download(wanted(server, "/other.pt"), tmp_path / "w.pt")
    server.break_after = []
    download(wanted(server), tmp_path / "w.pt")
    assert (tmp_path / "w.pt").read_bytes() == CONTENT


def test_a_server_without_parts_begins_again(server: FileServer, tmp_path: Path) -> None:
    server.ranges, server.break_after = False, [100_000]
    download(wanted(server), tmp_path / "w.pt")
    assert (tmp_path / "w.pt").read_bytes() == CONTENT


def test_a_server_that_sends_another_part_is_not_believed(server: FileServer, tmp_path: Path) -> None:
    server.break_after, server.shift = [100_000], 5
    with pytest.raises(DownloadError, match="another part than was asked for"):
        download(wanted(server), tmp_path / "w.pt")
    assert not (tmp_path / "w.pt").exists()


def test_a_part_that_is_too_long_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    server.break_after = [100_000, *[0] * module.TRIES]
    with pytest.raises(DownloadError):
        download(wanted(server), tmp_path / "w.pt")
    (tmp_path / "w.pt.part").write_bytes(bytes(len(CONTENT) + 5))
    server.break_after = []
    download(wanted(server), tmp_path / "w.pt")
    assert (tmp_path / "w.pt").read_bytes() == CONTENT


@pytest.mark.parametrize("claims", [10, len(CONTENT) - 1, len(CONTENT) + 1, 10**15])
@pytest.mark.parametrize("size", [0, len(CONTENT)])
def test_a_length_that_is_a_lie_leaves_no_file(server: FileServer, tmp_path: Path, claims: int, size: int) -> None:
    server.claims = claims
    with pytest.raises(DownloadError) as caught:
        download(wanted(server, size=size), tmp_path / "w.pt")
    assert str(caught.value).isprintable()
    assert not (tmp_path / "w.pt").exists()


def test_two_processes_do_not_mix_up_one_file(server: FileServer, tmp_path: Path) -> None:
    handle = try_lock(tmp_path / "w.pt.lock")
    assert handle is not None
    with pytest.raises(DownloadError, match=r"another process downloads .*w\.pt; wait until it is there"):
        download(wanted(server), tmp_path / "w.pt")
    assert server.got == []
    os.close(handle)
    download(wanted(server), tmp_path / "w.pt")
    assert left(tmp_path) == ["w.pt"]


def test_another_content_is_removed(server: FileServer, tmp_path: Path) -> None:
    server.files["/w.pt"] = bytes(len(CONTENT))
    with pytest.raises(DownloadError, match=f"has the SHA-256 [0-9a-f]{{64}}, not {SHA256}; it was removed"):
        download(wanted(server), tmp_path / "w.pt")
    assert left(tmp_path) in ([], ["w.pt.lock"])


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_file_that_is_not_there_is_said_at_once(server: FileServer, tmp_path: Path, code: int) -> None:
    server.answers["/w.pt"] = (code, {})
    with pytest.raises(DownloadError, match=rf"cannot download {server.url}/w.pt \({code} .*\); ask them"):
        download(wanted(server, by_hand="ask them"), tmp_path / "w.pt")
    assert len(server.got) == 1
    assert left(tmp_path) in ([], ["w.pt.lock"])


def test_a_server_that_is_overloaded_is_asked_again(server: FileServer, tmp_path: Path) -> None:
    server.answers["/w.pt"] = (503, {})
    with pytest.raises(DownloadError, match="503"):
        download(wanted(server), tmp_path / "w.pt")
    assert len(server.got) == module.TRIES


def test_a_host_that_is_silent_or_gone_is_given_up(server: FileServer, tmp_path: Path) -> None:
    server.hang = True
    with pytest.raises(DownloadError, match=r"w\.pt \(no answer for 0\.5 s\)"):
        download(wanted(server), tmp_path / "w.pt")
    gone = Wanted(url="http://127.0.0.1:9/w.pt", by_hand="get it elsewhere")
    with pytest.raises(DownloadError, match=r"http://127\.0\.0\.1:9/w\.pt \(Connection refused\); get it elsewhere"):
        download(gone, tmp_path / "w.pt")


def test_a_web_page_is_no_file(server: FileServer, tmp_path: Path) -> None:
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="answers with a web page"):
        download(wanted(server), tmp_path / "w.pt")
    assert not (tmp_path / "w.pt").exists()


def test_a_redirect_is_followed_without_the_secret(server: FileServer, tmp_path: Path) -> None:
    with file_server() as other:
        other.files["/real"] = CONTENT
        server.answers["/w.pt"] = (302, {"Location": f"{other.url}/real"})
        download(wanted(server, token="s3cret"), tmp_path / "w.pt")
        assert server.got[0][1]["Authorization"] == "Bearer s3cret"
        assert "Authorization" not in other.got[0][1]
    assert (tmp_path / "w.pt").read_bytes() == CONTENT


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_away_from_the_web_is_not_followed(server: FileServer, tmp_path: Path, target: str) -> None:
    server.answers["/w.pt"] = (302, {"Location": target})
    with pytest.raises(DownloadError, match=r"(?i)redirect"):
        download(wanted(server), tmp_path / "w.pt")
    with pytest.raises(DownloadError, match="is no address of the web"):
        download(Wanted(url=target), tmp_path / "w.pt")
    assert left(tmp_path) in ([], ["w.pt.lock"])


def test_an_answer_without_an_end_is_not_read_into_memory(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TEXT", 1000)
    with pytest.raises(DownloadError, match="answers with more than"):
        read_text(wanted(server))
    server.files["/short"] = b"{}"
    assert read_text(wanted(server, "/short")) == b"{}"
