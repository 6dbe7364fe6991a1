"""Runs code of a user's own in this process: a file by its path, or an installed module.

What the code does wrong becomes a ConfigError: one line, with the number of the line in the file. `isolated` tries code
that nobody has tried yet.
"""

import hashlib
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.config.errors import ConfigError
from engine.config.user_code import UserCode, read_code


def load(code: UserCode, path: Path) -> Any:
    """Import the code, and return the object that it names. path: the file to run, which may be a copy.

    A file runs under a module name of its own, so two files of one name never meet.

    Raises: ConfigError, if the code raises, exits or lacks the name.
    """
    try:
        module = _module_of(code, path) if code.in_file else importlib.import_module(code.source)
    except (Exception, SystemExit) as error:  # an import can raise any exception
        raise ConfigError(blame(error, code, path)) from None
    try:
        return getattr(module, code.name)
    except AttributeError:
        own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        hint = f"it defines {', '.join(own)}" if own else "it defines no function and no class"
        raise ConfigError(f"{code.short} has no {code.name}; {hint}") from None


def blame(error: BaseException, code: UserCode, path: Path) -> str:
    """An exception of a user's code in one line, with the last line of the file that it passed through."""
    place = code.short
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines = [error.lineno]
    if lines and lines[-1]:
        place += f" line {lines[-1]}"
    if isinstance(error, SystemExit):
        return f"{place}: exits; leave the call of sys.exit out, or put it below `if __name__ == '__main__':`"
    if neighbour := _neighbour(error, code):
        return (
            f"{place}: imports {neighbour}, which lies beside it, but only the one file is kept with a run; put all in "
            "one file, or install it and type package.module:NAME"
        )
    words = str(error.msg if isinstance(error, SyntaxError) else error).strip().partition("\n")[0]
    return f"{place}: {type(error).__name__}: {words}".removesuffix(": ")


def _module_of(code: UserCode, path: Path) -> ModuleType:
    """Run a file as a module. Python's importer takes no part, so no folder is searched for it.

    Its `__file__` is the original, also for a copy, so that code finds the files that lie beside the original.
    """
    content = read_code(path)
    name = f"fastadv_user_code_{hashlib.sha256(str(path).encode() + content).hexdigest()[:12]}"
    module = ModuleType(name)
    module.__file__, module.__package__ = code.source, ""
    sys.modules[name] = module  # dataclasses, typing and pickle look there
    try:
        exec(compile(content, str(path), "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _neighbour(error: BaseException, code: UserCode) -> str:
    """The module beside the user's file that an import was meant for; empty for any other error."""
    if not isinstance(error, ImportError) or not code.in_file:
        return ""
    if "relative import" in str(error):
        return "by a relative import a module"
    folder, top = Path(code.source).parent, (error.name or "").partition(".")[0]
    lies_there = bool(top) and ((folder / top).is_dir() or (folder / f"{top}.py").exists())
    return top if lies_there and isinstance(error, ModuleNotFoundError) else ""
