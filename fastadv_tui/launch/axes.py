"""Several values in one field: `2,4,8` starts a run for each, and so does `0-2` for the seed."""

from engine.config.settings import Kind, settings

ONE_VALUE = ("dataset", "preset", "name", "data_dir", "tags")  # a comma in their text separates no values


def values_of(key: str, text: str) -> list[str]:
    """The values in the text of a setting; for the seed, the parts between the commas. Empty parts are left out."""
    if key in ONE_VALUE or (key in settings() and settings()[key].kind is Kind.LIST):
        return [text.strip()]
    return [part.strip() for part in text.split(",") if part.strip()]


def is_axis(key: str, text: str) -> bool:
    """Whether a text holds several values, so that it starts several runs."""
    if key == "seed":
        return "," in text or "-" in text.strip()[1:]
    return "," in text and values_of(key, text) != [text.strip()]
