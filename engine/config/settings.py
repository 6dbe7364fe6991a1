"""The descriptions of all settings, by dotted key, for parsers, forms and help texts.

The descriptions come from the types of RunConfig and its sections, so that no second list must be kept up to date.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Literal, get_args, get_origin

from msgspec import NODEFAULT, Struct, inspect, structs

from engine.config.groups import Group
from engine.config.methods import DEFAULT_METHOD, methods
from engine.config.section import fields_of

SIZE = "1/255"  # the unit of perturbation sizes for people; files store fractions in [0,1]; l2 has no unit


class Kind(StrEnum):
    """The kind of a setting's value. LIST: numbers, which people type separated by commas."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    LIST = "list"


class Setting(Struct, frozen=True, kw_only=True):
    """One setting.

    key: dotted, such as `model.width`. title: a label of one to three words. group: where forms show the setting.
    description: the meaning, in one or two sentences. kind: the kind of value.
    choices: the allowed values of a CHOICE, in the order of their declaration. default: the value as stored; None if
    the setting is `required`, or if its default follows from other settings. optional: whether None is allowed.
    unit: the unit in which people type and read the value, empty for a value without a unit.
    low, high: bounds of a number, or of each number of a LIST, as stored; None for no bound.
    A perturbation size has no bound here, because its bound depends on the norm.
    above, below: whether the value must be strictly above `low`, or strictly below `high`.
    methods: for an option of training methods, the default in each method that has the option, by method.
    """

    key: str
    title: str
    group: Group
    description: str
    kind: Kind
    choices: tuple[str, ...] = ()
    default: Any = None
    required: bool = False
    optional: bool = False
    unit: str = ""
    low: float | None = None
    high: float | None = None
    above: bool = False
    below: bool = False
    methods: Mapping[str, Any] = {}

    @property
    def is_size(self) -> bool:
        """Whether the value is a perturbation size: stored as a fraction in [0,1], typed and read in units of 1/255."""
        return self.unit == SIZE

    @property
    def allowed(self) -> str:
        """The allowed values in words, in the setting's unit. Empty if any text or any number is allowed."""
        match self.kind:
            case Kind.CHOICE:
                values = " or ".join(filter(None, (", ".join(self.choices[:-1]), self.choices[-1])))
            case Kind.BOOLEAN:
                values = "true or false"
            case _:
                values = self._range()
        return f"{values} or auto" if self.optional else values

    def _range(self) -> str:
        if self.is_size:
            return "0 to 255"
        low, high = (None if bound is None else _number(bound) for bound in (self.low, self.high))
        if low and high and not (self.above or self.below):
            return f"{low} to {high}"
        parts = [f"{'above' if self.above else 'at least'} {low}"] if low else []
        parts += [f"{'below' if self.below else 'at most'} {high}"] if high else []
        return " and ".join(parts)


def _number(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:,g}"


@cache
def settings() -> Mapping[str, Setting]:
    """All settings by dotted key, in the order of their declaration."""
    return {key: _setting_of(key, field) for key, field in fields().items()}


@cache
def fields() -> Mapping[str, structs.FieldInfo]:
    """The fields of RunConfig and of its sections, by dotted key."""
    from engine.config.run import RunConfig  # msgspec builds its classes in 10 ms, which a list of runs does not need

    found: dict[str, structs.FieldInfo] = {}
    for field in fields_of(RunConfig):
        if (section := _section(field)) is not None:
            found |= {f"{field.name}.{leaf.name}": leaf for leaf in fields_of(section)}
        else:
            found[field.name] = field
    return found


@cache
def _section_groups() -> Mapping[str, Group]:
    """The group of each section of RunConfig, by the name of the section."""
    from engine.config.run import RunConfig  # as in `fields`

    sections = {field.name: _section(field) for field in fields_of(RunConfig)}
    return {name: section.group for name, section in sections.items() if section is not None}


def _section(field: structs.FieldInfo) -> Any:
    """The class of a section of RunConfig; None for a field that is a setting."""
    kind = inspect.type_info(field.type)
    return kind.cls if isinstance(kind, inspect.StructType) else None


def _setting_of(key: str, field: structs.FieldInfo) -> Setting:
    kind, annotations = _unwrapped(inspect.type_info(field.type))
    defaults = _defaults_by_method(key)
    if defaults:
        annotations["optional"] = False  # None means the default of the method; a user never types None
    section, _, leaf = key.rpartition(".")
    annotations["title"] = annotations["title"] or leaf.replace("_", " ")  # an option of a plugin may have no title
    annotations["group"] = annotations["group"] or _section_groups()[section]
    return Setting(
        key=key,
        kind=_kind(kind),
        choices=_choices(field.type),
        default=defaults.get(DEFAULT_METHOD) if defaults else None if field.default is NODEFAULT else field.default,
        required=field.required,
        methods=defaults,
        **annotations,
        **_bounds(kind.item_type if isinstance(kind, inspect.VarTupleType) else kind),
    )


def _defaults_by_method(key: str) -> dict[str, Any]:
    section, _, option = key.rpartition(".")
    if section != "method":
        return {}
    return {name: spec.defaults[option] for name, spec in methods().items() if option in spec.defaults}


def _unwrapped(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any]]:
    """A type without its annotations and without None, and the facts in them. The outermost annotation wins."""
    annotations: dict[str, Any] = {"title": "", "description": "", "unit": "", "group": "", "optional": False}
    while isinstance(kind, inspect.Metadata | inspect.UnionType):
        if isinstance(kind, inspect.Metadata):
            facts = {**(kind.extra_json_schema or {}), **(kind.extra or {})}
            annotations = {name: fact or facts.get(name, fact) for name, fact in annotations.items()}
            kind = kind.type
        else:
            annotations["optional"] = True  # the types of a setting are one type and None, never two other types
            kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind, annotations


def _kind(kind: inspect.Type) -> Kind:
    match kind:
        case inspect.LiteralType():
            return Kind.CHOICE
        case inspect.BoolType():
            return Kind.BOOLEAN
        case inspect.IntType():
            return Kind.INTEGER
        case inspect.FloatType():
            return Kind.NUMBER
        case inspect.VarTupleType():
            return Kind.LIST
        case inspect.StrType():
            return Kind.TEXT
    raise TypeError(f"a setting cannot be of type {kind}: no text can be parsed into this type")


def _bounds(kind: inspect.Type) -> dict[str, Any]:
    if not isinstance(kind, inspect.IntType | inspect.FloatType):
        return {}
    low, high = (kind.ge if kind.gt is None else kind.gt), (kind.le if kind.lt is None else kind.lt)
    return {"low": low, "high": high, "above": kind.gt is not None, "below": kind.lt is not None}


def _choices(kind: Any) -> tuple[str, ...]:
    """The values of a Literal inside any annotations, in the order of declaration; msgspec.inspect would sort them."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next((found for part in get_args(kind) if (found := _choices(part))), ())
