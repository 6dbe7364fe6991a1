"""Event files of TensorBoard: read with restarts and settings; hostile ones are refused by their fault."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.protocol.tensorboard.crc import masked_crc
from engine.protocol.tensorboard.messages import event, restart, scalar, session_start, summary
from engine.protocol.tensorboard.records import MAX_RECORD, framed
from engine.protocol.tensorboard.wire import integer, message, text
from fastadv_tui.api import find_runs
from fastadv_tui.foreign.figures import parse_maps
from fastadv_tui.foreign.import_runs import import_runs
from fastadv_tui.foreign.make import Typed
from fastadv_tui.paths import ensure_home
from tests.support.foreign import (
    EIGHT,
    LOSS,
    broken,
    refused,
    tensorboard_file,
    written,
)


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def test_a_folder_of_tensorboard_runs_is_read_with_restarts_and_settings(tmp_path: Path) -> None:
    hparams = session_start({"epsilon": 8.0, "method": "pgd", "flag": True}, "", 1.0)
    first = tensorboard_file(
        event(1.0, summary([hparams])), *(event(2.0, summary([scalar("loss", 9.0)]), step=step) for step in (10, 20))
    )
    second = tensorboard_file(
        event(3.0, restart(), step=11),
        event(4.0, summary([scalar("loss", 0.5), scalar("val/acc", 0.75), scalar("val/pgd", 0.5)]), step=20),
    )
    written(tmp_path / "logs" / "a" / "events.out.tfevents.1", first)
    written(tmp_path / "logs" / "a" / "events.out.tfevents.2", second)
    written(tmp_path / "logs" / "b" / "deep" / "events.out.tfevents.1", second)
    rows = import_runs("tensorboard", tmp_path / "logs", Typed(maps=parse_maps(["robust=val/pgd"])))
    assert [row.name for row in rows] == ["a", "b/deep"]
    assert (rows[0].method, rows[0].eps, rows[0].robust) == ("pgd", 8 / 255, 0.5)
    assert find_runs(rows[0].id)[0].curve("loss").values == [9.0, 0.5]


@pytest.mark.parametrize(
    "tensor",
    [
        integer(1, 1) + message(4, struct.pack("<f", 0.25)),
        integer(1, 1) + message(5, struct.pack("<f", 0.25)),
        integer(1, 2) + message(6, struct.pack("<d", 0.25)),
    ],
)
def test_scalars_that_are_tensors_are_read(tensor: bytes, tmp_path: Path) -> None:
    """TensorBoard's and TensorFlow 2's own writers write them so."""
    value = text(1, "loss") + message(8, tensor)
    content = tensorboard_file(event(1.0, summary([value]), step=7))
    (row,) = import_runs("tensorboard", written(tmp_path / "events.out.tfevents.1", content), EIGHT)
    assert [*find_runs(row.id)[0].curve("loss").values] == [0.25]


def endless_tags() -> bytes:
    values = [scalar(f"tag{number}", 1.0) for number in range(2001)]
    return tensorboard_file(event(1.0, summary(values), step=1))


def huge_length() -> bytes:
    length = struct.pack("<Q", 1 << 62)
    return length + struct.pack("<I", masked_crc(length))


HOSTILE: list[tuple[str, Callable[[], bytes]]] = [
    ("more than 2,000 names of figures", endless_tags),
    (f"more than {MAX_RECORD:,}", huge_length),
    ("is damaged: its checksum is wrong", lambda: broken(LOSS)),
    ("no TensorBoard record begins at byte 0", lambda: b"x" * 100),
    ("ends within a field", lambda: framed(b"\x0a\xff\x01a")),
    ("a text of 20,000 characters", lambda: tensorboard_file(event(1.0, summary([scalar("x" * 20_000, 1.0)]), step=1))),
    ("the step -5", lambda: tensorboard_file(event(1.0, summary([scalar("loss", 1.0)]), integer(2, -5)))),
    ("has no figure with a known name", lambda: tensorboard_file()),
]


@pytest.mark.parametrize(("said", "content"), HOSTILE, ids=[said for said, _ in HOSTILE])
def test_a_hostile_event_file_is_refused_by_its_fault(said: str, content: Callable[[], bytes], tmp_path: Path) -> None:
    assert said in refused("tensorboard", written(tmp_path / "events.out.tfevents.1", content()))


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret", LOSS)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events.out.tfevents.1").symlink_to(secret)
    assert "has no event file" in refused("tensorboard", tmp_path / "logs")
