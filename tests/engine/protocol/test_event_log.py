"""Writing and reading `events.jsonl`, also when the file was torn, cut, replaced or written by another version."""

import tempfile
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protocol import events
from engine.protocol.event_log import Follower, Writer, decode, last, newest, read
from engine.protocol.events import Evaluated, Finished, Note, Progress, Started, Step
from engine.protocol.files import WriteError
from tests.support.small_disk import small_disk


def note(n: int) -> Note:
    return Note(message=f"number {n}")


def messages(found: list[events.AnyEvent]) -> list[str]:
    return [event.message for event in found if isinstance(event, Note)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


EXAMPLES: list[events.AnyEvent] = [
    Started(
        attempt=1,
        from_step=0,
        total_steps=9,
        steps_per_epoch=3,
        device="cpu",
        precision="fp32",
        threads=1,
        parameters=7,
        train_images=5,
        test_images=4,
        data_fingerprint="abc",
        official_data=False,
        versions={"torch": "2"},
    ),
    Step(step=1, epoch=0.3, lr=0.1, loss=2.0, accuracy=0.1, images_per_second=5.0, signal=0.0),
    Step(step=2, epoch=0.6, lr=0.1, loss=2.0, accuracy=0.1, images_per_second=5.0),
    Progress(attack="pgd-2", done=1, total=2),
    Evaluated(stage="final", split="test", step=9, epoch=3.0, attack="pgd-2", clean=0.5, robust=0.2, images=4),
    events.Alarm(kind="collapse", step=3, epoch=1.0, message="it [fell] ☂"),
    events.RolledBack(step=30, epoch=3.0, to_step=20, to_epoch=2.0, number=1, message="pgd, then nfgsm"),
    events.Saved(step=3, file="last.pt", bytes=10),
    Note(message="a\nb\x00"),
    Finished(status="failed", error="no"),
]


def test_events_that_are_written_are_read_back_the_same(path: Path) -> None:
    with Writer(path) as writer:
        for event in EXAMPLES:
            writer.write(event)
    assert list(read(path)) == EXAMPLES
    assert path.read_bytes().count(b"\n") == len(EXAMPLES)
    assert [msgspec.json.decode(line)["type"].replace("_", "") for line in path.read_bytes().splitlines()] == [
        type(event).__name__.lower() for event in EXAMPLES
    ]


def test_every_event_is_in_the_file_at_once_with_its_time(path: Path) -> None:
    before = time.time()
    with Writer(path) as writer:
        writer.write(note(1))
        (found,) = read(path)
        writer.write(Note(message="of old", t=5.0))
    assert before <= found.t <= time.time()
    assert list(read(path))[1].t == 5.0


def test_a_torn_last_line_counts_as_not_yet_written(path: Path) -> None:
    with Writer(path) as writer:
        writer.write(note(1))
        writer.write(note(2))
    whole = path.read_bytes()
    follower = Follower(path)
    for end in range(len(whole) - 20, len(whole)):
        path.write_bytes(whole[:end])
        assert messages(list(read(path))) == ["number 1"]
    follower.poll()
    path.write_bytes(whole)
    assert messages(follower.poll()) == ["number 2"]


def test_a_torn_line_of_a_killed_attempt_does_not_swallow_the_next_event(path: Path) -> None:
    with Writer(path) as writer:
        writer.write(note(1))
    with path.open("ab") as file:
        file.write(b'{"type":"note","mess')
    with Writer(path) as writer:
        writer.write(note(2))
    assert messages(list(read(path))) == ["number 1", "number 2"]


@given(st.lists(st.integers(1, 200), max_size=20))
def test_a_follower_sees_each_event_once_however_the_bytes_come(cuts: list[int]) -> None:
    encoded = b"".join(msgspec.json.encode(note(n)) + b"\n" for n in range(20))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        path.touch()
        follower, found = Follower(path), []
        for cut in [*cuts, len(encoded)]:
            part, encoded = encoded[:cut], encoded[cut:]
            with path.open("ab") as file:
                file.write(part)
            found += messages(follower.poll())
    assert found == [f"number {n}" for n in range(20)]


def test_a_follower_that_reads_small_slices_gets_every_event(path: Path) -> None:
    with Writer(path) as writer:
        for n in range(10):
            writer.write(note(n))
    follower, found = Follower(path), []
    for _ in range(path.stat().st_size):
        found += messages(follower.poll(limit=7))
    assert found == [f"number {n}" for n in range(10)]


def test_a_follower_waits_for_a_file_that_is_missing(path: Path) -> None:
    follower = Follower(path)
    assert follower.poll() == []
    assert not follower.restarted
    with Writer(path) as writer:
        writer.write(note(1))
    assert messages(follower.poll()) == ["number 1"]


@pytest.mark.parametrize("how", ["cut", "replaced", "deleted"])
def test_a_follower_reads_a_cut_replaced_or_deleted_file_anew(path: Path, how: str) -> None:
    with Writer(path) as writer:
        writer.write(note(1))
        writer.write(note(2))
    follower = Follower(path)
    follower.poll()
    if how == "cut":
        path.write_bytes(b"")
    else:
        path.rename(path.with_name("old"))
        if how == "deleted":
            assert follower.poll() == []
            assert follower.restarted
    with Writer(path) as writer:
        writer.write(note(3))
    assert messages(follower.poll()) == ["number 3"]
    assert follower.restarted is (how != "deleted")
    assert follower.poll() == []
    assert not follower.restarted


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"null",
        b"[1]",
        b"\xff\xfe",
        b'{"type":"note"}',
        b'{"type":"note","message":"\xff"}',
        b'{"type":"dream","message":"of a later version"}',
        b'{"type":"step","step":"one"}',
        b'{"message":"no type"}',
        b"\x00" * 50,
        b"[" * 5000,
    ],
)
def test_lines_that_are_no_events_are_skipped(path: Path, line: bytes) -> None:
    good = msgspec.json.encode(note(1))
    path.write_bytes(good + b"\n" + line + b"\n" + good + b"\n")
    assert decode(line) is None
    assert messages(list(read(path))) == ["number 1", "number 1"]


def test_unknown_fields_of_events_of_a_later_version_are_ignored() -> None:
    assert decode(b'{"type":"note","message":"x","mood":"good","t":1}') == Note(message="x", t=1.0)


def test_the_last_events_of_a_long_file_are_found(path: Path) -> None:
    with Writer(path) as writer:
        for n in range(5000):
            writer.write(note(n))
    found = messages(last(path, Note))
    assert found[-1] == "number 4999"
    assert 10 < len(found) < 5000
    assert found == [f"number {n}" for n in range(5000 - len(found), 5000)]


def test_the_last_events_after_a_given_size_of_the_file_are_found(path: Path) -> None:
    with Writer(path) as writer:
        writer.write(note(1))
        size = path.stat().st_size
        writer.write(note(2))
    assert messages(last(path, Note, size)) == ["number 2"]
    assert messages(last(path, Note, 10**9)) == ["number 1", "number 2"]
    assert last(path, Finished, 0) == [] == last(path.with_name("none"), Note)


def test_the_newest_event_is_the_last_whole_line_that_is_an_event(path: Path) -> None:
    assert newest(path) is None
    with Writer(path) as writer:
        writer.write(note(1))
        size = path.stat().st_size
        assert newest(path, size) is None
        writer.write(Finished(status="done"))
        writer.write(note(2))
    with path.open("ab") as file:
        file.write(b'no event\n{"type":"note","mess')
    found = newest(path, size)
    assert isinstance(found, Note)
    assert found.message == "number 2"


def test_a_full_disk_is_an_error_and_the_events_written_before_stay_readable(tmp_path: Path) -> None:
    with small_disk(tmp_path / "tiny", "16k") as folder:
        with Writer(folder / "events.jsonl") as writer:
            writer.write(note(1))
            with pytest.raises(WriteError, match=r"events.jsonl: No space left on device \(\d+ kB free\); make room"):
                writer.write(Note(message="x" * 50_000))
        assert messages(list(read(folder / "events.jsonl"))) == ["number 1"]
