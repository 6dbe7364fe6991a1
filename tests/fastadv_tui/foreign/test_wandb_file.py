"""Files of W&B's offline runs: read over blocks of the log; hostile ones are refused by their fault."""

import struct
import zlib
from pathlib import Path

import pytest

from engine.protocol.tensorboard.wire import message, text
from fastadv_tui.api import find_runs
from fastadv_tui.foreign.import_runs import import_runs
from fastadv_tui.foreign.make import Typed
from fastadv_tui.foreign.wandb_file import HEADER
from fastadv_tui.paths import ensure_home
from tests.support.foreign import (
    EIGHT,
    broken,
    config,
    history,
    refused,
    wandb_file,
    written,
)


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def test_an_offline_run_of_wandb_is_read(tmp_path: Path) -> None:
    records = (
        message(17, text(1, "abc"), text(8, "my run")),
        config(eps=8, method="pgd", nested={"a": 1}),
        history(10, train__loss=2.0, epoch=1),
        history(20, train__loss=1.0, epoch=2, **{"test__acc": 70.0, "test__adv_acc": 40.0}),
    )
    folder = tmp_path / "wandb" / "offline-run-1"
    written(folder / "run-abc.wandb", wandb_file(*records))
    (row,) = import_runs("wandb-offline", tmp_path / "wandb", Typed(dataset="cifar10"))
    assert (row.name, row.method, row.eps, row.clean, row.robust) == ("my run", "pgd", 8 / 255, 0.7, 0.4)
    assert row.settings["nested"] == '{"a": 1}'
    assert find_runs(row.id)[0].curve("loss").epochs == [1.0, 2.0]


def test_a_record_over_several_blocks_is_read(tmp_path: Path) -> None:
    rest = history(10, train__loss=2.0, **{f"{number:050d}": 0.5 for number in range(1200)})
    content, kind = HEADER, 2
    while rest:
        room = 32768 - len(content) % 32768 - 7
        part, rest = rest[:room], rest[room:]
        kind = kind if rest else 4
        content += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
        kind = 3
    assert len(content) > 2 * 32768
    (row,) = import_runs("wandb-offline", written(tmp_path / "run-abc.wandb", content), EIGHT)
    assert find_runs(row.id)[0].curve("loss").values == [2.0]


@pytest.mark.parametrize(
    ("said", "content"),
    [
        ("its first bytes are wrong", b"PK\x03\x04" + bytes(50)),
        ("its checksum is wrong", broken(wandb_file(history(1, loss=1.0)))),
        ("its parts do not fit", HEADER + struct.pack("<IHB", zlib.crc32(b"a", zlib.crc32(b"\x03")), 1, 3) + b"a"),
        ("a text of 20,002 characters", wandb_file(history(1, loss="x" * 20_000))),
        ("has no figure", wandb_file(message(17, text(8, "name")))),
        ("neither a loss", wandb_file(history(1, clean=0.5))),
    ],
)
def test_a_hostile_file_of_wandb_is_refused_by_its_fault(said: str, content: bytes, tmp_path: Path) -> None:
    assert said in refused("wandb-offline", written(tmp_path / "run-a.wandb", content))
