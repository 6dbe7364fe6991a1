"""The filter language of the history: `method=fgsm eps>=8 robust>0.4 tag:paper since:7d text`.

A row passes a filter if the row passes every word of the filter.
- `key=value` compares a column or a setting; the other operators are `!= < <= > >=`.
- `tag:x`, `status:done`, `since:7d` and `before:2026-11-01` are short forms for frequent questions.
- `-word` passes the rows that `word` does not pass. Quotes keep the spaces inside one word.
- Any other word is searched for in id, name, data set, method, tags and note.

Sizes are typed as on the command line (`eps>=8` means 8/255, and the number 8 for runs of norm l2). Accuracies are
typed as fractions or in percent (`robust>0.4` and `robust>40` mean the same).
"""

import math
import operator
import re
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from engine.config.datasets import full_name
from engine.config.errors import ConfigError
from engine.config.keys import SHORT_KEYS
from engine.config.norms import BOTH, LINF, Norm
from engine.config.presets import SIZES
from engine.config.settings import settings
from engine.config.suggest import did_you_mean
from engine.config.units import parse_size
from fastadv_tui.errors import UserError
from fastadv_tui.history.columns import COLUMNS, Column, Kind, column_of
from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import GLYPHS, parse_age

Item = TypeVar("Item")
Test = Callable[[Row], bool]
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
COMPARISON = re.compile(r"([A-Za-z_][\w.]*)(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
PREFIXES = ("tag:", "status:", "since:", "before:")
FLAGS = {"yes": "true", "no": "false", "true": "true", "false": "false"}
EXAMPLES: dict[Kind, str] = {"fraction": "0.4 or 40%", "duration": "90min, 2h or a number of seconds"}
PREFIXED = re.compile(r"(tag|status|since|before):(.*)", re.DOTALL)


class QueryError(UserError):
    """A filter or a sort key that cannot be understood."""


def parse(text: str) -> Test:
    """The test of a filter: whether a row passes the filter.

    Raises: QueryError, which names the word and what a user can type instead.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        problem = f'{str(error).lower()}; quotes stand in pairs, as in "two words"'
        raise QueryError(f"the filter {text!r} cannot be read: {problem}") from None
    tests = [_test_of_word(word) for word in words]
    return lambda row: all(test(row) for test in tests)


def ordered(rows: Iterable[Row], key: str) -> list[Row]:
    """The rows sorted by a key, the largest value first; the smallest first for `+key`. Rows without a value come last.

    Raises: QueryError, if there is no such key.
    """
    return ordered_by(rows, _value_getter(key.lstrip("+-")), key.startswith("+"))


def ordered_by(items: Iterable[Item], get: Callable[[Item], Any], upwards: bool) -> list[Item]:
    """Items sorted by a value, the largest first unless `upwards`. Items without a value come last."""
    known: list[Item] = []
    unknown: list[Item] = []
    for item in items:
        (unknown if get(item) in (None, "") else known).append(item)
    return [*sorted(known, key=lambda item: _sortable(get(item)), reverse=not upwards), *unknown]


def _test_of_word(word: str) -> Test:
    plain = word.lstrip("-")
    if not plain:
        return _test_of_search(word)
    test = _test_of_plain_word(plain)
    return (lambda row: not test(row)) if (len(word) - len(plain)) % 2 else test


def _test_of_plain_word(word: str) -> Test:
    if match := PREFIXED.fullmatch(word):
        return _test_of_prefix(match[1], match[2])
    if match := COMPARISON.fullmatch(word):
        return _test_of_comparison(match[1], match[2], match[3])
    return _test_of_search(word)


def _test_of_search(word: str) -> Test:
    wanted = word.casefold()
    return lambda row: wanted in _searched_text(row)


def _test_of_prefix(prefix: str, text: str) -> Test:
    if prefix == "tag":
        return lambda row: text.casefold() in (tag.casefold() for tag in row.tags)
    if prefix == "status":
        return _test_of_comparison("status", "=", text)
    moment = _unix_time(text)
    return lambda row: (row.submitted >= moment) == (prefix == "since")


def _test_of_comparison(key: str, sign: str, text: str) -> Test:
    get, compare = _value_getter(key), OPERATORS[sign]
    if _kind(key) == "size":
        return _test_of_size(get, sign, _typed_sizes(key, text))
    wanted = _typed_value(key, text)
    if key == "status" and wanted == "collapsed":
        get = _state  # the word that the table shows; the status of such a run is done, stopped or failed

    def test(row: Row) -> bool:
        found = get(row)
        if found is None:
            return False
        if isinstance(wanted, str):
            return compare(_as_text(found), wanted)
        if not isinstance(found, int | float):
            return sign == "!="
        return compare(*_comparable(float(found), wanted))

    return test


def _test_of_size(get: Callable[[Row], Any], sign: str, wanted: Mapping[Norm, float]) -> Test:
    """The test of a perturbation size. wanted: the typed size as it is stored, by norm of the run."""

    def test(row: Row) -> bool:
        found = get(row)
        if found is None:
            return False
        return OPERATORS[sign](*_comparable(found, wanted[row.norm])) if row.norm in wanted else sign == "!="

    return test


def _typed_sizes(key: str, text: str) -> dict[Norm, float]:
    """The size that a user typed, by norm: the norm of a run decides what the text means. Raises: QueryError."""
    found: dict[Norm, float] = {}
    errors: dict[Norm, str] = {}
    for norm in BOTH:
        try:
            found[norm] = parse_size(text, norm)
        except ConfigError as error:
            errors[norm] = str(error)
    if not found:
        raise QueryError(f"{key}: {errors[LINF]}")
    return found


def _comparable(found: float, wanted: float) -> tuple[float, float]:
    """Makes two almost equal numbers equal: a typed and a computed 8/255 may differ in their last digits."""
    return (wanted, wanted) if math.isclose(found, wanted, rel_tol=1e-9) else (found, wanted)


def _typed_value(key: str, text: str) -> str | float:
    """The value that a user typed for a key, in the units of Row; a string if the key is compared as text.

    Raises: QueryError, if the key cannot have this value.
    """
    kind = _kind(key)
    if kind in ("word", "flag"):
        return _typed_word(key, kind, text)
    if kind == "time":
        return _unix_time(text)
    if kind == "duration" and (seconds := parse_age(text)) is not None:
        return seconds
    return _number(key, kind, text)


def _state(row: Row) -> str:
    return row.state


def _typed_word(key: str, kind: Kind, text: str) -> str:
    word = (full_name(text) if key == "dataset" else text).casefold()
    if kind == "flag" and word not in FLAGS:
        raise QueryError(f"{key}: {text!r} is neither yes nor no")
    if key == "status" and word not in GLYPHS:
        hint = did_you_mean(word, GLYPHS) or f"use {', '.join(GLYPHS)}"
        raise QueryError(f"unknown status {text!r}; {hint}")
    return FLAGS.get(word, word) if kind == "flag" else word


def _kind(key: str) -> Kind | None:
    """The kind of value that users type for a key; None for a setting that may be a number or text."""
    if key in COLUMNS:
        return COLUMNS[key].kind
    return "size" if SHORT_KEYS.get(key, key) in SIZES else None


def _number(key: str, kind: Kind | None, text: str) -> str | float:
    """The typed number; for a setting (kind None), the text if the text is not a number."""
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        if kind is not None:
            raise QueryError(f"{key}: {text!r} is not a number; write {EXAMPLES.get(kind, '12')}") from None
        return text.casefold()
    return number / 100 if kind == "fraction" and (text.endswith("%") or number > 1) else number


def typed_column(key: str) -> Column | None:
    """The column of a key that a user typed: one of `column_of`, or a setting by its short key. None if unknown."""
    return column_of(key) or column_of(SHORT_KEYS.get(key, key))


def _value_getter(key: str) -> Callable[[Row], Any]:
    column = typed_column(key)
    if column is not None and column.sortable:
        return column.value
    columns = [column.key for column in COLUMNS.values() if column.sortable]
    if column is not None:
        tag = "filter with tag:NAME, or " * (key == "tags")
        raise QueryError(f"{key} is a list and has no order; {tag}use {', '.join(columns)} or any setting")
    names = [*PREFIXES, *columns, *settings(), *SHORT_KEYS]
    hint = did_you_mean(key, names) or f"use {', '.join(columns)} or any setting"
    raise QueryError(f"unknown key {key!r}; {hint}")


def _as_text(found: Any) -> str:
    return (",".join(map(str, found)) if isinstance(found, list | tuple) else str(found)).casefold()


def _searched_text(row: Row) -> str:
    return "\n".join((row.id, row.name, row.dataset, row.method, row.note, *row.tags)).casefold()


def _sortable(found: Any) -> tuple[int, Any]:
    """A sort key that keeps numbers and texts apart, so that a column with both can be sorted."""
    return (1, found) if isinstance(found, int | float) else (0, str(found).casefold())


def _unix_time(text: str) -> float:
    """The unix time of `2026-11-01` or `2026-11-01T14:00`, or of an age such as `7d` or `12h`. Raises: QueryError."""
    if (seconds := parse_age(text)) is not None:
        return time.time() - seconds
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise QueryError(f"{text!r} is not a time: write 7d, 12h or 2026-11-01") from None
