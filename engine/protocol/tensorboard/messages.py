"""TensorBoard's messages: the fields of tensorflow/core/util/event.proto and framework/summary.proto that we write.

Numbers of fields are those of these files, and of tensorboard/plugins/hparams/plugin_data.proto.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.protocol.tensorboard.wire import double, integer, message, single, text

FILE_VERSION = "brain.Event:2"  # from version 2 on, a session log says which steps are void
DT_STRING = 7  # of tensorflow/core/framework/types.proto
SESSION_START = 1  # SessionLog.START
SUCCESS, FAILURE = 1, 2  # of the hparams plugin's Status
START_TAG, END_TAG = "_hparams_/session_start_info", "_hparams_/session_end_info"


def event(wall_time: float, *parts: bytes, step: int = 0) -> bytes:
    """An Event. wall_time: Unix time in seconds. parts: one of the following messages, or the file version."""
    return b"".join((double(1, wall_time), integer(2, step) if step else b"", *parts))


def file_version() -> bytes:
    """The content of the first event of a file."""
    return text(3, FILE_VERSION)


def restart() -> bytes:
    """A SessionLog: readers drop every value whose step is not below that of this event."""
    return message(7, integer(1, SESSION_START))


def summary(values: Iterable[bytes]) -> bytes:
    """A Summary of values: `scalar`, `markdown`, `session_start`, `session_end`."""
    return message(5, *(message(1, value) for value in values))


def scalar(tag: str, value: float) -> bytes:
    """A number, as float32."""
    return text(1, tag) + single(2, value)


def markdown(tag: str, content: str) -> bytes:
    """A text for the plugin `text`: a tensor of one string."""
    shape = message(2, message(2, integer(1, 1)))
    return text(1, tag) + message(8, integer(1, DT_STRING), shape, text(8, content)) + _plugin("text")


def session_start(settings: Mapping[str, Any], group: str, begun: float) -> bytes:
    """The settings of a run for the plugin `hparams`. group: the name of its session group. begun: Unix time.

    Numbers and truth values keep their kind. Settings without a value are left out.
    """
    entries = (message(1, text(1, key), message(2, _value(value))) for key, value in settings.items()
               if value is not None)  # fmt: skip
    return _hparams(START_TAG, message(3, *entries, text(4, group), double(5, begun)))


def session_end(status: int, ended: float) -> bytes:
    """The outcome of a run for the plugin `hparams`: SUCCESS or FAILURE. ended: Unix time."""
    return _hparams(END_TAG, message(4, integer(1, status), double(2, ended)))


def _value(value: Any) -> bytes:
    """A google.protobuf.Value."""
    if isinstance(value, bool):
        return integer(4, value)
    return double(2, value) if isinstance(value, int | float) else text(3, str(value))


def _hparams(tag: str, content: bytes) -> bytes:
    return text(1, tag) + _plugin("hparams", content)


def _plugin(name: str, content: bytes = b"") -> bytes:
    """The SummaryMetadata that gives a value to a plugin."""
    return message(9, message(1, text(1, name), message(2, content) if content else b""))
