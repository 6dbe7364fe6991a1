"""Weights that say what they are: of the Hub, of RobustBench's zoo, and files that `fastadv export` wrote.

Their network, data set and eps are defaults, which typed settings replace.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from engine.config.norms import LINF
from engine.protocol.weights_description import WeightsDescription, read_description

HUB, ZOO = "hf:", "zoo:"  # how the names of weights elsewhere begin
Progress = Callable[[int, int], None]  # told bytes, done and total
Typed = Mapping[str, str | None]  # settings by dotted key, as texts; None means not typed


class WeightsSource(Struct, frozen=True, kw_only=True):
    """A file of weights with defaults. settings: as a user types them. eps: empty if unknown, or of another norm.

    normalize, key: as in EvalRequest; empty if the file itself tells.
    """

    path: Path
    dataset: str | None = None
    settings: dict[str, str] = {}
    eps: str = ""
    normalize: str = ""
    key: str = ""

    def completed(self, typed: Typed) -> dict[str, str | None]:
        """The typed settings, and the defaults for those that were not typed."""
        given = {key: text for key, text in typed.items() if text is not None}
        other_network = given.get("model.name", self.settings.get("model.name")) != self.settings.get("model.name")
        return {**typed, **({} if other_network else self.settings), **given}


def find_source(target: str, path: Path, typed: Typed, progress: Progress) -> WeightsSource | None:
    """What a target of `fastadv eval` is, downloaded if it is elsewhere; None for a run or a file that says nothing.

    path: of the target, if it is a file. Raises: UserError.
    """
    norm = typed.get("norm")
    if target.startswith(ZOO):
        from fastadv_tui.fetch import zoo  # loads what downloads; most evaluations need nothing of it

        name = target.removeprefix(ZOO)
        model, file = zoo.zoo_model(name), zoo.fetch_from_zoo(name, progress)
        return WeightsSource(
            path=file,
            dataset=model.dataset,
            settings=_with_norm(model.settings, model.norm, norm),
            eps=model.eps if norm in (None, model.norm) else "",
            normalize=model.normalize,
            key=model.key,
        )
    if target.startswith(HUB):
        from fastadv_tui.fetch import hub

        path = hub.fetch_from_hub(hub.parse_hub_file(target.removeprefix(HUB)), progress)
        return _described(path, norm) or WeightsSource(path=path)
    return _described(path, norm) if path.is_file() else None


def _described(path: Path, norm: str | None) -> WeightsSource | None:
    """A file that says what it is."""
    about = read_description(path)
    if about is None:
        return None
    return WeightsSource(
        path=path,
        dataset=about.dataset,
        settings=_with_norm(_network_settings(about), about.norm, norm),
        eps=repr(about.eps) if norm in (None, about.norm) and about.eps else "",
    )


def _network_settings(about: WeightsDescription) -> dict[str, str]:
    """The settings of the network, as a user would type them."""
    values = {f"model.{key}": value for key, value in asdict(about.model).items()}
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()}


def _with_norm(settings: Mapping[str, str], norm: str, typed: str | None) -> dict[str, str]:
    return {**settings, **({"norm": norm} if typed is None and norm != LINF else {})}
