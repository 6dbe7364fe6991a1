"""Files of other programs to import, and the check that one is refused."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from engine.protocol.tensorboard.messages import event, file_version, scalar, summary
from engine.protocol.tensorboard.records import framed
from engine.protocol.tensorboard.wire import message, text
from fastadv_tui.errors import UserError
from fastadv_tui.foreign.import_runs import import_runs
from fastadv_tui.foreign.make import Typed
from fastadv_tui.foreign.wandb_file import HEADER
from fastadv_tui.paths import runs_dir
from fastadv_tui.runs.foreign import Source

CURVE = """epoch,train_loss,test_acc,adv_acc
1,2.1,35.0,20.5
2,1.9,45.0,30.5
3,1.5,55.0,0.3
"""
EIGHT = Typed(dataset="cifar", eps="8", attack="pgd-20", images=10_000)


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(source: Source, path: Path, typed: Typed | None = None) -> str:
    """The message of an import that is refused: it names the file, has one line, and nothing was made."""
    with pytest.raises(UserError) as error:
        import_runs(source, path, typed or Typed())
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert [*runs_dir().iterdir()] == []
    return str(error.value)


def tensorboard_file(*events: bytes) -> bytes:
    return b"".join(framed(each) for each in (event(1.0, file_version()), *events))


LOSS = tensorboard_file(event(1.0, summary([scalar("loss", 1.0)]), step=1))


def broken(content: bytes) -> bytes:
    return content[:-6] + bytes([content[-6] ^ 1]) + content[-5:]


def wandb_file(*records: bytes) -> bytes:
    content = HEADER
    for record in records:
        content += struct.pack("<IHB", zlib.crc32(record, zlib.crc32(b"\x01")), len(record), 1) + record
    return content


def history(step: int, **values: Any) -> bytes:
    items = {"step": step, **{name.replace("__", "/"): value for name, value in values.items()}}
    parts = [message(1, text(2, name), text(16, json.dumps(value))) for name, value in items.items()]
    return message(2, *parts)


def config(**values: Any) -> bytes:
    return message(5, *(message(1, text(1, name), text(16, json.dumps(value))) for name, value in values.items()))
