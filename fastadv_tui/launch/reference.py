"""The contents of `fastadv settings` and `fastadv presets`, as table rows and as JSON, read from the configuration."""

from collections.abc import Mapping
from typing import Any

from engine.config.keys import SHORT_KEYS
from engine.config.methods import DEFAULT_METHOD, MethodSpec, methods
from engine.config.presets import PRESETS, Preset, preset_settings
from engine.config.settings import Kind, Setting, settings
from fastadv_tui.launch.command_line import OPTIONS, as_text

KIND_NAMES = {
    Kind.TEXT: "text",
    Kind.INTEGER: "whole number",
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "boolean",
    Kind.CHOICE: "one of the allowed values",
    Kind.LIST: "numbers separated by commas",
}
Row = tuple[str, str]


def settings_table() -> list[tuple[str, str, str, str]]:
    """One row per setting: key, default, allowed values, meaning. The first row has the column titles."""
    rows = [(each.key, default_of(each), allowed_of(each), each.description) for each in settings().values()]
    return [("setting", "default", "allowed", "meaning"), *rows]


def setting_details(setting: Setting) -> list[Row]:
    """Everything about one setting, as rows of label and value."""
    short = next((short for short, full in SHORT_KEYS.items() if full == setting.key), "")
    return [
        ("setting", f"{setting.key}{f' (short: {short})' if short else ''}"),
        ("meaning", setting.description),
        ("value", KIND_NAMES[setting.kind]),
        (
            "unit",
            f"{setting.unit}: 8 means 8/255. A number below 1 is read as a fraction in [0,1]. With norm l2: none"
            if setting.is_size
            else setting.unit,
        ),
        ("allowed", allowed_of(setting)),
        ("default", default_of(setting)),
        *(_method_rows() if setting.key == "method.name" else ()),
        *((f"preset {name}", value) for name, value in presets_of(setting).items()),
        ("usage", _usage(setting)),
    ]


def allowed_of(setting: Setting) -> str:
    """The allowed values, in words."""
    if setting.key == "preset":
        return ", ".join(PRESETS)
    return (
        f"{setting.allowed}, in units of {setting.unit}; with norm l2 a plain number"
        if setting.is_size
        else setting.allowed
    )


def default_of(setting: Setting) -> str:
    """The default, in words. For an option of methods: the default of each method, if these differ."""
    if setting.methods:
        named = {name: as_text(setting.key, value) for name, value in setting.methods.items()}
        if len(set(named.values())) == 1:
            return f"{next(iter(named.values()))} ({', '.join(named)})"
        return ", ".join(f"{value} ({name})" for name, value in named.items())
    if setting.required:
        return "must be given" if setting.key == "dataset" else "set by the preset"
    return as_text(setting.key, setting.default) or ("auto (follows from eps)" if setting.optional else "empty")


def presets_of(setting: Setting) -> dict[str, str]:
    """The values of a setting in the presets that set it, by preset: for all methods, and for single methods."""
    found = {}
    for name, preset in PRESETS.items():
        parts = [as_text(setting.key, preset.settings[setting.key])] if setting.key in preset.settings else []
        parts += [
            f"{as_text(setting.key, own[setting.key])} with method {method}"
            for method, own in preset.methods.items()
            if setting.key in own
        ]
        if parts:
            found[name] = ", ".join(parts)
    return found


def setting_as_data(setting: Setting) -> dict[str, Any]:
    """One setting as JSON data. Perturbation sizes are as they are stored, for linf fractions in [0,1]."""
    return {
        "key": setting.key,
        "meaning": setting.description,
        "kind": setting.kind.value,
        "unit": setting.unit,
        "choices": list(setting.choices),
        "low": setting.low,
        "high": setting.high,
        "default": setting.default,
        "methods": dict(setting.methods),
        "presets": {name: _in_preset(name, setting.key) for name in PRESETS},
    }


def preset_details(name: str, preset: Preset) -> list[Row]:
    """Everything about one preset, as rows of label and value."""
    rows = [("preset", name), ("summary", preset.summary), ("source", preset.source)]
    rows += [("measured", line) for line in preset.measured] or [("measured", "not yet")]
    own_method = preset.settings.get("method.name", DEFAULT_METHOD)
    for key, value in preset.settings.items():
        users = _users(key, preset)  # empty, unless the setting is an option of some methods only
        condition = f" with method {' or '.join(users)}" if users and own_method not in users else ""
        rows.append((f"{key}{condition}", as_text(key, value)))
    return rows + [
        (f"{key} with method {method}", as_text(key, value))
        for method, own in preset.methods.items()
        for key, value in own.items()
    ]


def _users(key: str, preset: Preset) -> list[str]:
    """The methods that have the option `key`, and no value of their own for it in the preset."""
    return [method for method in settings()[key].methods if key not in preset.methods.get(method, {})]


def preset_as_data(name: str, preset: Preset) -> dict[str, Any]:
    """One preset as JSON data."""
    return {
        "name": name,
        "summary": preset.summary,
        "source": preset.source,
        "measured": list(preset.measured),
        "settings": dict(preset.settings),
        "methods": {method: dict(own) for method, own in preset.methods.items()},
    }


def _in_preset(name: str, key: str) -> Mapping[str, Any]:
    """The value that a preset gives a setting, by method. Empty if the preset does not set it."""
    by_method = {method: preset_settings(name, method) for method in methods()}
    return {method: chosen[key] for method, chosen in by_method.items() if key in chosen and key != "method.name"}


def _method_rows() -> list[Row]:
    return [(name, _method_text(spec)) for name, spec in methods().items()]


def _method_text(spec: MethodSpec) -> str:
    options = [f"method.{option}" for option in [*(["alpha"] if spec.alpha else []), *spec.defaults]]
    norms = f"norms: {', '.join(spec.norms)}"
    parts = [spec.summary, spec.paper, norms, f"options: {', '.join(options)}" if options else ""]
    return "; ".join(part for part in parts if part)


def _usage(setting: Setting) -> str:
    option = OPTIONS.get(setting.key)
    if setting.key == "dataset":
        return "fastadv run DATASET"
    return f"fastadv run DATASET {f'{option} VALUE' if option else f'--set {setting.key}=VALUE'}"
