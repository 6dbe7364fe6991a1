"""The description inside a safetensors file that `fastadv export --weights` writes: what the weights belong to.

Read without torch: the file begins with the length of a header and the header itself, which is JSON.
"""

import re
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config.datasets import DatasetFacts
from engine.config.norms import LINF, Norm
from engine.config.sections import ModelConfig
from engine.config.typed import decode

KEY = "fastadv"  # of the description among the metadata of the file
PLAIN = re.compile(r"(timm:)?[a-z0-9][a-z0-9_.-]*", re.IGNORECASE)  # a name of a network that names no code of a user
MAX_HEADER = 100 << 20  # bytes, as in the safetensors library


class WeightsDescription(Struct, frozen=True, kw_only=True):
    """model, facts: enough to build the network. eps: of the training, in [0,1], a plain number for norm l2.

    run: id of the run. checkpoint: `last` or `best`. step: number of its weight updates, 0 if unknown.
    """

    model: ModelConfig
    facts: DatasetFacts
    dataset: str
    norm: Norm = LINF
    eps: float = 0.0
    run: str = ""
    checkpoint: str = "last"
    step: int = 0


def read_description(path: Path) -> WeightsDescription | None:
    """The description in a file; None if the file has none, is of another kind, or cannot be read.

    A file comes from anywhere. A description that names a network by its code, as `FILE.py:NAME` or `module:NAME`, is
    not taken: a file of weights must not choose what runs.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = file.read(size) if 2 <= size <= MAX_HEADER else b""
        metadata = decode(header, dict[str, msgspec.Raw])["__metadata__"]
        found = decode(decode(bytes(metadata), dict[str, str])[KEY], WeightsDescription)
    except (OSError, KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    return found if PLAIN.fullmatch(found.model.name) else None
