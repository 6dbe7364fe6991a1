"""Load untrusted pickles: only numpy arrays and plain containers, nothing that could run code."""

import codecs
import io
import pickle
from pathlib import Path
from typing import Any

from engine.config.errors import DataError
from engine.config.plain_file import not_plain


def _encode(text: str, encoding: str) -> bytes:
    """Stands in for `codecs.encode`, with which protocol 2 stores bytes. The original looks up any codec by name."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r}")
    return codecs.latin_1_encode(text)[0]


class _Unpickler(pickle._Unpickler):
    """The unpickler in Python. That in C takes gigabytes if a damaged pickle numbers its objects by the billion."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _encode
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return super().find_class("numpy._core.multiarray", name)
        if module == "numpy" and name in ("ndarray", "dtype"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it asks for {f'{module}.{name}'!r}, which no data file needs")


def load(path: Path, remedy: str) -> tuple[dict[bytes, Any], bytes]:
    """The dictionary in a pickle (its keys are bytes), and the file's bytes. remedy: the end of the error messages.

    Raises: DataError, if the file is missing or damaged, is not a dictionary, or asks for more than arrays.
    """
    try:
        if instead := not_plain(path):
            raise DataError(f"{path} is {instead}, not a file; {remedy}")
        data = path.read_bytes()
        content = _Unpickler(io.BytesIO(data), encoding="bytes").load()
    except FileNotFoundError:
        raise DataError(f"{path} is missing; {remedy}") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    except DataError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        reason = f" ({error})" if isinstance(error, pickle.UnpicklingError) else ""  # others say nothing to a user
        raise DataError(f"{path} is damaged or not a data set{reason}; {remedy}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} is not a data set: it holds a {type(content).__name__}; {remedy}")
    return content, data
