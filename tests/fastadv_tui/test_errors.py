"""The trees of errors that two docstrings draw, held to the classes that there are."""

import inspect
import pkgutil
from importlib import import_module
from types import ModuleType

import engine
import engine.config.errors
import fastadv_tui
import fastadv_tui.errors
from engine.config.errors import ConfigError, UserError

INDENT = 4  # spaces for each level of a drawn tree


def errors_in(package: ModuleType) -> set[type[BaseException]]:
    """Every exception class that a module of the package defines."""
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    modules = [import_module(name) for name in names if not name.endswith("__main__")]
    return {
        kind
        for module in modules
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, BaseException) and kind.__module__ == module.__name__
    }


def real_edges(kinds: set[type[BaseException]]) -> set[tuple[str, str]]:
    """The pairs (parent, class) from `Exception` down to each class; the parent is the first of several bases.

    A BaseException that is no Exception passes through one module only, and is in no tree.
    """
    pairs = set()
    for kind in (kind for kind in kinds if issubclass(kind, Exception)):
        while kind is not Exception:
            pairs.add((kind.__bases__[0].__name__, kind.__name__))
            kind = kind.__bases__[0]
    return pairs


def drawn_edges(module: ModuleType) -> set[tuple[str, str]]:
    """The same pairs as the module's docstring draws them."""
    lines = (module.__doc__ or "").partition("\n\n")[2].splitlines()
    path: list[str] = []
    pairs = set()
    for line in filter(str.strip, lines):
        level = (len(line) - len(line.lstrip())) // INDENT
        path = [*path[:level], line.split()[0]]
        pairs |= {(path[-2], path[-1])} if level else set()
    return pairs


def test_the_tree_of_the_engine_is_drawn_as_it_is() -> None:
    assert drawn_edges(engine.config.errors) == real_edges(errors_in(engine))


def test_the_tree_of_the_face_is_drawn_as_it_is() -> None:
    kinds = {kind for kind in errors_in(engine) if issubclass(kind, UserError)} | errors_in(fastadv_tui)
    assert drawn_edges(fastadv_tui.errors) == real_edges(kinds)


def test_a_configuration_error_is_both_a_user_error_and_a_value_error() -> None:
    """The face catches the first; msgspec turns only the second into a ValidationError that names the place."""
    assert issubclass(ConfigError, UserError)
    assert issubclass(ConfigError, ValueError)
