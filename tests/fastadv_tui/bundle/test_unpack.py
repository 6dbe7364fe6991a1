"""Bundles come out as they went in, and a bundle that is damaged or hostile leaves nothing behind."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.bundle import compression
from fastadv_tui.bundle.manifest import MAX_MANIFEST, NAME, BundleError
from fastadv_tui.bundle.needs import needs_of
from fastadv_tui.bundle.pack import PASSES, pack
from fastadv_tui.bundle.unpack import unpack
from fastadv_tui.paths import data_dir, ensure_home, runs_dir
from fastadv_tui.runs.observe import observe
from fastadv_tui.supervise import process_identity
from fastadv_tui.supervise.process_identity import ProcessIdentity
from fastadv_tui.supervise.records import ProcessRecord, write
from tests.support.events import write_events
from tests.support.runs import edit_config, make_run

SUFFIXES = [
    ".tar.gz",
    pytest.param(".tar.zst", marks=pytest.mark.skipif(compression._zstd() is None, reason="no zstd")),
]


@pytest.fixture
def run(home: Path) -> RunDir:
    """A run that is done, with a checkpoint of random bytes, a folder, and files that do not belong in a bundle."""
    ensure_home()
    rundir = make_run(runs_dir() / "ab12cd", submitted=1000.0)
    write_events(rundir, Finished(status="done", t=2000.0))
    rundir.last.write_bytes(os.urandom(300_000))
    (rundir.path / "tensorboard").mkdir()
    (rundir.path / "tensorboard" / "events.out").write_bytes(b"scalars")
    os.utime(rundir.config, (1_600_000_000, 1_600_000_000))
    for name in ("lock", "stop", ".last.pt.123"):
        (rundir.path / name).write_bytes(b"x")
    (rundir.path / "link.pt").symlink_to(rundir.last)
    return rundir


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Go on in another home."""
    monkeypatch.setenv("FASTADV_HOME", str(tmp_path / "elsewhere"))


def nothing_left() -> bool:
    return not runs_dir().exists() or not os.listdir(runs_dir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_run_comes_out_as_it_went_in(
    run: RunDir, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    path = tmp_path / f"b{suffix}"
    edit_config(run, "data_dir", str(tmp_path))
    os.utime(run.config, (1_600_000_000, 1_600_000_000))
    pack([run], path, lambda done, total: told.append((done, total)))
    wanted = {name: found for name, found in contents(run.path).items() if name not in ("lock", "stop", "link.pt")}
    del wanted[".last.pt.123"]
    assert told[-1] == (PASSES * sum(map(len, wanted.values())),) * 2
    elsewhere(monkeypatch, tmp_path)
    (found,) = unpack(path)
    assert contents(found.path) == wanted
    assert found.path == runs_dir() / "ab12cd"
    assert observe(found).status.status == "done"
    assert found.config.stat().st_mtime == 1_600_000_000
    assert found.last.stat().st_mode & 0o777 == 0o600


def content_of(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def test_the_manifest_and_the_archive_can_be_checked_with_tar_and_sha256sum(run: RunDir, tmp_path: Path) -> None:
    pack([run], tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        names = archive.getnames()
        manifest = json.loads(content_of(archive, names[0]))
        entries = {f"ab12cd/{entry['name']}": entry for entry in manifest["runs"][0]["files"]}
        assert names == [NAME, *entries]
        for name, entry in entries.items():
            found = content_of(archive, name)
            assert (entry["size"], entry["sha256"]) == (len(found), hashlib.sha256(found).hexdigest())


def test_a_data_folder_that_is_not_here_is_replaced(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit_config(run, "data_dir", "/gone/with/the/other/machine")
    edit_config(run, "extra_data", "/gone/extra.npz")
    pack([run], tmp_path / "b.tar.gz")
    elsewhere(monkeypatch, tmp_path)
    (found,) = unpack(tmp_path / "b.tar.gz")
    assert found.submission().config.data_dir == str(data_dir())
    assert any("/gone/extra.npz" in text for text in needs_of(found))
    (copy,) = unpack(tmp_path / "b.tar.gz", new_ids=True, data="/mine")
    assert (copy.submission().config.data_dir, copy.submission().id) == ("/mine", "ab12cd")
    assert copy.id != "ab12cd"


def test_a_run_that_is_here_already_is_kept(run: RunDir, tmp_path: Path) -> None:
    pack([run], tmp_path / "b.tar.gz")
    before = contents(run.path)
    with pytest.raises(BundleError, match=r"ab12cd, which this home has already.*fastadv rm ab12cd.*--new-ids"):
        unpack(tmp_path / "b.tar.gz")
    assert contents(run.path) == before
    assert os.listdir(runs_dir()) == ["ab12cd"]


def test_two_runs_come_together_or_not_at_all(run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = make_run(runs_dir() / "zz99zz", submitted=1000.0)
    pack([run, second], tmp_path / "b.tar.gz")
    elsewhere(monkeypatch, tmp_path)
    ensure_home()
    (runs_dir() / "zz99zz").symlink_to("/nowhere")
    with pytest.raises(BundleError, match="zz99zz"):
        unpack(tmp_path / "b.tar.gz")
    assert os.listdir(runs_dir()) == ["zz99zz"]
    (runs_dir() / "zz99zz").unlink()
    assert [found.id for found in unpack(tmp_path / "b.tar.gz")] == ["ab12cd", "zz99zz"]


def test_why_a_run_was_lost_is_known_on_another_machine(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.events.write_bytes(b"")
    died = ProcessIdentity(process_identity.hostname(), process_identity.boot_id(), 2**22 + 1, 1.0)
    write(run.process, ProcessRecord(attempt=1, supervisor=died, engine=died))
    before = observe(run).status
    assert before.status == "lost"
    pack([run], tmp_path / "b.tar.gz")
    assert not run.exit.exists()
    elsewhere(monkeypatch, tmp_path)
    monkeypatch.setattr(process_identity, "hostname", lambda: "elsewhere")
    (found,) = unpack(tmp_path / "b.tar.gz")
    assert observe(found).status.status == "lost"
    assert observe(found).status.reason == before.reason == "the engine and its supervisor died"


def test_a_run_that_is_at_work_is_not_bundled(run: RunDir, tmp_path: Path) -> None:
    run.events.write_bytes(b"")
    write(run.process, ProcessRecord(attempt=1, supervisor=process_identity.me(), engine=process_identity.me()))
    with pytest.raises(BundleError, match="ab12cd has not ended; stop it first with `fastadv stop ab12cd`"):
        pack([run], tmp_path / "b.tar.gz")
    assert not list(tmp_path.glob("*b.tar*"))


def test_a_name_that_is_taken_or_of_another_kind_is_refused(run: RunDir, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(b"mine")
    with pytest.raises(BundleError, match="exists already"):
        pack([run], tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_bytes() == b"mine"
    with pytest.raises(BundleError, match=r"b\.zip: let the name end in \.tar\.zst or \.tar\.gz"):
        pack([run], tmp_path / "b.zip")


def test_without_zstandard_the_way_out_is_named(run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_zstd", lambda: None)
    with pytest.raises(BundleError, match=r"pip install 'fastadv\[bundle\]', or let the name end in \.tar\.gz"):
        pack([run], tmp_path / "b.tar.zst")
    (tmp_path / "b.tar.zst").write_bytes(compression.ZSTD + bytes(100))
    with pytest.raises(BundleError, match=r"pip install 'fastadv\[bundle\]'"):
        unpack(tmp_path / "b.tar.zst")


def refusal_of(path: Path) -> str:
    """The message of the error; empty if the bundle is unpacked."""
    try:
        unpack(path)
    except BundleError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_bundle_that_is_cut_off_or_changed_anywhere_is_refused(
    run: RunDir, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.last.write_bytes(os.urandom(3000))
    pack([run], tmp_path / f"b{suffix}")
    whole = (tmp_path / f"b{suffix}").read_bytes()
    elsewhere(monkeypatch, tmp_path)
    wanted = contents(unpack(tmp_path / f"b{suffix}")[0].path)
    shutil.rmtree(runs_dir() / "ab12cd")
    bad = tmp_path / "bad"
    for place in range(0, len(whole), 37):
        for content in (whole[:place], whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]):
            bad.write_bytes(content)
            if message := refusal_of(bad):
                assert message.isprintable(), place
                assert nothing_left(), place
            else:  # a bit that carries no data, such as the time in the header of gzip
                assert len(content) == len(whole), place
                assert contents(runs_dir() / "ab12cd") == wanted, place
                shutil.rmtree(runs_dir() / "ab12cd")


def test_a_change_of_the_archive_under_the_compression_is_refused(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever changes an archive can compress it again, so that only our own checks are left."""
    run.last.write_bytes(os.urandom(300))
    edit_config(run, "data_dir", str(tmp_path))
    pack([run], tmp_path / "b.tar.gz")
    whole = gzip.decompress((tmp_path / "b.tar.gz").read_bytes())
    wanted = contents(run.path)
    elsewhere(monkeypatch, tmp_path)
    bad, refused = tmp_path / "bad.tar.gz", 0
    for place in range(0, len(whole), 29):
        content = whole[:place] + bytes([whole[place] ^ 0x01]) + whole[place + 1 :]
        bad.write_bytes(gzip.compress(content, 1))
        if message := refusal_of(bad):
            refused += 1
            assert message.isprintable(), place
            assert nothing_left(), place
        else:  # the time of a file, or when and by which version the bundle was made
            found = contents(runs_dir() / "ab12cd")
            assert {name: wanted[name] for name in found} == found, place
            shutil.rmtree(runs_dir() / "ab12cd")
    assert refused > 0.8 * len(whole) / 29


# -- hostile archives ---------------------------------------------------------------------------------------------

CONFIG = b"{}"  # no hostile archive comes so far that it is read


def entry(name: str, content: bytes = b"x", **changes: Any) -> dict[str, Any]:
    return {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), **changes}


def manifest(*files: dict[str, Any], run_id: str = "ab12cd", config: bool = True, **changes: Any) -> bytes:
    entries = [entry("config.json", CONFIG)] * config + [*files]
    return json.dumps({"runs": [{"id": run_id, "files": entries}], "schema": 1, **changes}).encode()


def member(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, target: str = "") -> Callable[..., None]:
    def add(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, len(content) if kind == tarfile.REGTYPE else 0
        archive.addfile(info, io.BytesIO(content) if kind == tarfile.REGTYPE else None)

    return add


def archive(path: Path, head: bytes, *members: Callable[..., None]) -> Path:
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as out:
        member(NAME, head)(out)
        for add in members:
            add(out)
    return path


GOOD = member("ab12cd/config.json", CONFIG)
DOUBLED = manifest(entry("A.pt"), entry("a.pt"))
HOSTILE: dict[str, tuple[bytes, list[Callable[..., None]], str]] = {
    "absolute": (manifest(entry("/etc/passwd")), [GOOD, member("/etc/passwd")], "'/etc/passwd' cannot be the name"),
    "parent": (manifest(entry("../evil")), [GOOD, member("ab12cd/../evil")], "'../evil' cannot be the name"),
    "deep parent": (manifest(entry("a/../../evil")), [GOOD, member("x")], "cannot be the name"),
    "hidden": (manifest(entry(".bashrc")), [GOOD, member("ab12cd/.bashrc")], "cannot be the name"),
    "empty": (manifest(entry("")), [GOOD, member("ab12cd/")], "cannot be the name"),
    "newline": (manifest(entry("a\nb")), [GOOD], r"'a\\nb' cannot be the name"),
    "escape": (manifest(entry("\x1b[2J")), [GOOD], r"cannot be the name"),
    "right to left": (manifest(entry("a\u202eb")), [GOOD], "cannot be the name"),
    "backslash": (manifest(entry("..\\evil")), [GOOD], "cannot be the name"),
    "long": (manifest(entry("a" * 200)), [GOOD], "is too long"),
    "many folders": (manifest(entry("a/b/c/d/e")), [GOOD], "is too long"),
    "stop": (manifest(entry("stop")), [GOOD, member("ab12cd/stop")], "must not be in a bundle"),
    "request": (manifest(entry("request.json")), [GOOD, member("ab12cd/request.json")], "must not be in a bundle"),
    "id with a path": (manifest(run_id="../ab12cd"), [], "'../ab12cd' cannot be the id"),
    "hidden id": (manifest(run_id=".ab12cd"), [], "cannot be the id"),
    "option as id": (manifest(run_id="--yes"), [], "cannot be the id"),
    "doubled": (DOUBLED, [GOOD, member("ab12cd/A.pt"), member("ab12cd/a.pt")], "names 'a.pt' twice"),
    "file as folder": (manifest(entry("a"), entry("a/b")), [GOOD, member("ab12cd/a"), member("ab12cd/a/b")], "cannot"),
    "symbolic link": (manifest(entry("a")), [GOOD, member("ab12cd/a", kind=tarfile.SYMTYPE, target="/")], "a symbolic"),
    "hard link": (manifest(entry("a")), [GOOD, member("ab12cd/a", kind=tarfile.LNKTYPE, target="/etc/passwd")], "hard"),
    "device": (manifest(entry("a")), [GOOD, member("ab12cd/a", kind=tarfile.CHRTYPE)], "which is a device"),
    "pipe": (manifest(entry("a")), [GOOD, member("ab12cd/a", kind=tarfile.FIFOTYPE)], "which is a named pipe"),
    "folder": (manifest(entry("a")), [GOOD, member("ab12cd/a", kind=tarfile.DIRTYPE)], "which is a folder"),
    "long name": (manifest(entry("a")), [GOOD, member("ab12cd/" + "a" * 300)], "no plain file"),
    "other name": (manifest(entry("a")), [GOOD, member("ab12cd/b")], "where its manifest says 'ab12cd/a'"),
    "missing": (manifest(entry("a")), [GOOD], "ab12cd/a is missing"),
    "one too many": (manifest(), [GOOD, member("ab12cd/b")], "more files than its manifest names"),
    "larger": (manifest(entry("a")), [GOOD, member("ab12cd/a", b"xxxx")], "says 1 bytes, the archive 4"),
    "another content": (manifest(entry("a")), [GOOD, member("ab12cd/a", b"y")], "SHA-256"),
    "negative": (manifest(entry("a", size=-1)), [GOOD], "negative"),
    "bomb": (manifest(entry("a", size=10**10)), [GOOD], "no run shrinks so much"),
    "too many": (manifest(*[entry(f"f{n}") for n in range(10_001)]), [GOOD], "10,000 files are allowed"),
    "no config": (manifest(config=False), [], "has no config.json"),
    "no runs": (b'{"runs": []}', [], "holds no runs"),
    "later version": (manifest(schema=2), [], "newer version"),
    "no JSON": (b"\xff\xfe{", [], "manifest cannot be read"),
    "brackets": (b"[" * 100_000, [], "manifest cannot be read"),
    "large manifest": (b" " * (MAX_MANIFEST + 1), [], "are allowed"),
    "settings of a stranger": (manifest(), [GOOD], r"config\.json has a value that is not allowed"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_by_name_and_leaves_nothing(home: Path, tmp_path: Path, case: str) -> None:
    head, members, reason = HOSTILE[case]
    path = archive(tmp_path / "evil.tar.gz", head, *members)
    before = {*tmp_path.rglob("*")}
    with pytest.raises(BundleError, match=reason) as caught:
        unpack(path)
    assert str(caught.value).startswith("evil.tar.gz ")
    assert str(caught.value).isprintable()
    assert nothing_left()
    assert {found for found in {*tmp_path.rglob("*")} - before if home not in (found, *found.parents)} == set()


def test_a_run_of_a_stranger_that_claims_to_be_at_work_is_refused(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack([run], tmp_path / "b.tar.gz")
    elsewhere(monkeypatch, tmp_path)
    monkeypatch.setattr("fastadv_tui.bundle.unpack.observe", lambda found: observe_as_live(found))

    def observe_as_live(found: RunDir) -> Any:
        write(found.process, ProcessRecord(attempt=9, supervisor=process_identity.me(), engine=process_identity.me()))
        return observe(found)

    with pytest.raises(BundleError, match="whose records say that it has not ended"):
        unpack(tmp_path / "b.tar.gz")
    assert nothing_left()


def zeros(size: int) -> Iterator[bytes]:
    for _ in range(size >> 20):
        yield bytes(1 << 20)


def test_an_archive_that_never_ends_is_left_soon(home: Path, tmp_path: Path) -> None:
    path = archive(tmp_path / "evil.tar.gz", manifest(), GOOD)
    with path.open("ab") as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as out:
        for chunk in zeros(300 << 20):
            out.write(chunk)
    begun = time.process_time()
    with pytest.raises(BundleError, match="more files than its manifest names"):
        unpack(path)
    assert time.process_time() - begun < 1  # to read all of it takes longer


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b", b"PK\x03\x04zip", random.Random(0).randbytes(2000), gzip.compress(b"no tar" * 99, mtime=0)],
    ids=["empty", "cut", "zip", "noise", "no tar"],
)
def test_what_is_no_bundle_is_said_in_one_line(home: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(BundleError, match=r"^x\.tar\.gz (is|has)"):
        unpack(tmp_path / "x.tar.gz")
    with pytest.raises(BundleError, match="a folder, not a bundle"):
        unpack(tmp_path)
    with pytest.raises(BundleError, match="No such file"):
        unpack(tmp_path / "missing")
