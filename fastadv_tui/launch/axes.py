"""Several values in one field: `2,4,8` starts a run for each, and so does `0-2` for the seed."""

from engine.config.settings import Kind, settings

ONE_VALUE = ("dataset", "preset", "name", "data_dir", "tags", "model.code")  # a comma in their text separates no values


def values_of(key: str, text: str) -> list[str]:
    """The values in the text of a setting; for the seed, the parts between the commas. Empty parts are left out."""
    if key in ONE_VALUE or (key in settings() and settings()[key].kind is Kind.LIST):
        return [text.strip()]
    return split(text)


def split(text: str) -> list[str]:
    """The parts between the commas, without empty ones. A comma inside brackets or quotes of JSON separates nothing."""
    parts, depth, quoted = [""], 0, False
    for before, character in zip(f" {text}", text, strict=False):
        if character == '"' and before != "\\" and (depth or quoted):
            quoted = not quoted
        depth += 0 if quoted else (character in "{[") - (character in "}]")
        if character == "," and depth <= 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def is_axis(key: str, text: str) -> bool:
    """Whether a text holds several values, so that it starts several runs."""
    if key == "seed":
        return "," in text or "-" in text.strip()[1:]
    return "," in text and values_of(key, text) != [text.strip()]
