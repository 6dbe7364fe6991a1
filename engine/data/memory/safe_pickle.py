"""Reading pickles of strangers: numpy arrays and plain containers, and nothing that could run code."""

import codecs
import io
import pickle
from pathlib import Path
from typing import Any

from engine.config.errors import DataError


def _encode(text: str, encoding: str) -> bytes:
    """How protocol 2 spells bytes; the real one would look up any codec by name."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r}")
    return codecs.latin_1_encode(text)[0]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _encode
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return super().find_class("numpy._core.multiarray", name)
        if module == "numpy" and name in ("ndarray", "dtype"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it wants {module}.{name}, which no data file needs")


def load(path: Path) -> tuple[dict[bytes, Any], bytes]:
    """The dictionary in a pickle (its keys as bytes), and the file's bytes.

    Raises: DataError, if the file is missing, damaged, holds anything else, or wants more than arrays.
    """
    try:
        data = path.read_bytes()
        content = _Unpickler(io.BytesIO(data), encoding="bytes").load()
    except FileNotFoundError:
        raise DataError(f"{path} is missing; restore it, or remove {path.parent} to download it anew") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except Exception as error:  # a damaged pickle can raise nearly anything
        reason = str(error) or type(error).__name__
        raise DataError(f"{path} is damaged or no data set ({reason}); replace it, or remove its folder") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} is no data set: it holds a {type(content).__name__}")
    return content, data
