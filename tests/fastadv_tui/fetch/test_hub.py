"""Names and files of the Hub, from a server that answers as the Hub does."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastadv_tui.errors import UserError
from fastadv_tui.fetch import download, zoo
from fastadv_tui.fetch.download import DownloadError
from fastadv_tui.fetch.hub import fetch_from_hub, parse_hub_file, parse_repo
from fastadv_tui.fetch.zoo import ZOO, fetch_from_zoo, published, zoo_model
from tests.support.file_server import FileServer, file_server

COMMIT = "a" * 40


@pytest.fixture
def hub(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(download, "PAUSE", 0.001)
    with file_server() as server:
        monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setenv(zoo.MIRROR, f"{server.url}/zoo?id={{}}")
        yield server


def publish(server: FileServer, files: dict[str, bytes], lfs: bool = True, **changes: Any) -> None:
    siblings = []
    for name, content in files.items():
        about = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), **changes}
        siblings.append({"rfilename": name, "size": len(content), **({"lfs": about} if lfs else {})})
        server.files[f"/me/net/resolve/{COMMIT}/{name}"] = content
    repo = {"id": "me/net", "sha": COMMIT, "siblings": siblings}
    server.files["/api/models/me/net?blobs=true"] = json.dumps(repo).encode()


def fetch(text: str) -> Path:
    return fetch_from_hub(parse_hub_file(text), lambda done, total: None)


def test_the_only_file_of_weights_is_taken_and_kept(hub: FileServer, home: Path) -> None:
    publish(hub, {"README.md": b"card", "model.safetensors": b"weights"})
    path = fetch("me/net")
    assert path.read_bytes() == b"weights"
    assert home in path.parents
    hub.got.clear()
    assert fetch("me/net") == path
    assert [asked for asked, _ in hub.got] == ["/api/models/me/net?blobs=true"]
    publish(hub, {"model.safetensors": b"other weights"})
    assert fetch("me/net").read_bytes() == b"other weights"


def test_a_file_in_a_folder_can_be_named(hub: FileServer) -> None:
    publish(hub, {"a.pt": b"a", "runs/b c.pt": b"b"})
    hub.files[f"/me/net/resolve/{COMMIT}/runs/b%20c.pt"] = b"b"
    assert fetch("me/net:runs/b c.pt").read_bytes() == b"b"
    with pytest.raises(UserError, match=r"has 2 files of weights; write hf:me/net:FILE; it has a\.pt, runs/b c\.pt"):
        fetch("me/net")
    with pytest.raises(UserError, match=r"hf:me/net has no file c\.pt; it has a\.pt"):
        fetch("me/net:c.pt")


def test_a_repository_without_weights_says_what_it_has(hub: FileServer) -> None:
    publish(hub, {"README.md": b"card"})
    with pytest.raises(UserError, match=r"hf:me/net has no file of weights .*; it has README\.md"):
        fetch("me/net")


def test_a_file_that_is_not_what_the_hub_says_is_refused(hub: FileServer, home: Path) -> None:
    publish(hub, {"model.pt": b"weights"}, sha256="0" * 64)
    with pytest.raises(DownloadError, match="has the SHA-256"):
        fetch("me/net")
    publish(hub, {"model.pt": b"weights"}, sha256="../../../evil")
    with pytest.raises(DownloadError, match="in place of a SHA-256"):
        fetch("me/net")
    assert not [path for path in home.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_a_name_of_a_file_from_the_hub_leads_nowhere_else(hub: FileServer, home: Path, tmp_path: Path) -> None:
    """The list of files comes from the server, too."""
    name = "../../../../../../evil.pt"
    publish(hub, {name: b"weights"})
    hub.files[f"/me/net/resolve/{COMMIT}/{name}"] = b"weights"
    path = fetch("me/net")
    assert home / "weights" / "hf" / "me" / "net" in path.parents
    assert path.name == "evil.pt"


def test_a_model_that_is_not_there_or_private_says_so(hub: FileServer) -> None:
    with pytest.raises(DownloadError, match="the Hub has no public model me/net; check the name, or set HF_TOKEN"):
        fetch("me/net")
    hub.files["/api/models/me/net?blobs=true"] = b"<html>"
    with pytest.raises(DownloadError, match="does not answer as the Hub does"):
        fetch("me/net")


def test_the_token_is_sent_to_the_hub(hub: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "s3cret\n")
    publish(hub, {"model.pt": b"weights"}, lfs=False)
    fetch("me/net")
    assert {headers["Authorization"] for _, headers in hub.got} == {"Bearer s3cret"}


@pytest.mark.parametrize(
    "text",
    [
        "", "me", "me/", "/net", "../net", "me/..", "me/net/more", "a b/net", "me/n et", "https://huggingface.co/me/net",
        "me/net?x=1", "me/net#a", "me/n%2e", "me\\net", "me/net\n", "-me/net", "me/.net", "me/net.", "me/a..b", "é/net",
        "me/" + "a" * 97, "me/net\x00", "~/net",
    ],
)  # fmt: skip
def test_a_name_with_tricks_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match="is no repository of the Hub; write USER/REPO") as caught:
        parse_repo(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("file", ["../x", "a/../x", "/etc/passwd", "a//b", "a\\b", "a\nb", ".", "..", "a?b", "C:x"])
def test_a_file_with_tricks_is_refused_in_one_line(file: str) -> None:
    with pytest.raises(UserError, match="is no name of a file in a repository") as caught:
        parse_hub_file(f"me/net:{file}")
    assert str(caught.value).isprintable()


def test_usual_names_are_taken() -> None:
    assert parse_repo("locuslab/fast_adversarial-1.0") == ("locuslab", "fast_adversarial-1.0")
    assert parse_hub_file("a/b:x/y.pt").file == "x/y.pt"


# -- the zoo ------------------------------------------------------------------------------------------------------


def test_a_model_of_the_zoo_is_downloaded_once_and_watched(hub: FileServer) -> None:
    hub.files[f"/zoo?id={ZOO['Wong2020Fast'].drive}"] = b"weights"
    path = fetch_from_zoo("Wong2020Fast", lambda done, total: None)
    assert path.read_bytes() == b"weights"
    assert fetch_from_zoo("Wong2020Fast", lambda done, total: None) == path
    assert len(hub.got) == 1
    path.write_bytes(b"others")
    with pytest.raises(UserError, match=r"Wong2020Fast\.pt has changed since its download; remove it"):
        fetch_from_zoo("Wong2020Fast", lambda done, total: None)


def test_the_published_figures_are_those_of_robustbench() -> None:
    """From RobustBench's model_info/cifar10/Linf/Wong2020Fast.json and L2/Rice2020Overfitting.json."""
    assert published("Wong2020Fast") == (
        "RobustBench's figures: clean 83.34%, AutoAttack 43.21% (l-infinity eps 8/255, all test images)"
    )
    assert "clean 88.67%, AutoAttack 67.68% (l2 eps 0.5" in published("Rice2020Overfitting-L2")


def test_a_file_that_a_user_has_put_there_is_taken(hub: FileServer, home: Path) -> None:
    place = home / "weights" / "zoo" / "Wong2020Fast.pt"
    with pytest.raises(DownloadError, match=rf"zoo\?id=.* \(404 .*\); open it in a browser, save the file as {place}"):
        fetch_from_zoo("Wong2020Fast", lambda done, total: None)
    place.write_bytes(b"weights")
    assert fetch_from_zoo("Wong2020Fast", lambda done, total: None) == place


def test_a_page_in_place_of_a_model_is_refused(hub: FileServer) -> None:
    """Google Drive shows a page when too many people have downloaded a file."""
    hub.files[f"/zoo?id={ZOO['Wong2020Fast'].drive}"], hub.kind = b"<html>", "text/html"
    with pytest.raises(DownloadError, match="answers with a web page, not with the file; open it in a browser"):
        fetch_from_zoo("Wong2020Fast", lambda done, total: None)


@pytest.mark.parametrize("name", ["", "Wong2020", "../Wong2020Fast", "Wong2020Fast\n"])
def test_an_unknown_model_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(UserError, match=r"there is no such model .*(did you mean|use Wong2020Fast)"):
        zoo_model(name)
