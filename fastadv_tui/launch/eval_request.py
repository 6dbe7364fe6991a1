"""Builds the request of `fastadv eval` to the engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.config.attacks import check_package
from engine.config.errors import ConfigError
from engine.config.keys import flatten, full_key, parse_value
from engine.config.plain_file import not_plain
from engine.config.presets import SIZES, build
from engine.config.run import RunConfig
from engine.config.units import parse_size
from engine.protocol.requests import EvalRequest
from fastadv_tui.errors import UserError
from fastadv_tui.history.selection import find_run
from fastadv_tui.launch.submission import absolute, code_of, configure, typed_norm
from fastadv_tui.launch.user_code import with_user_code
from fastadv_tui.launch.weights_source import Progress, find_source
from fastadv_tui.paths import ensure_home, evaluations_dir, typed_path
from fastadv_tui.runs.find import RunNotFoundError

OF_OWN_CODE = ("model.args", "model.code")  # settings of a network in a file of the user's own


def request(
    target: str,
    dataset: str | None,
    typed: Mapping[str, str | None],
    eps: str | None,
    normalize: str | None,
    which: str,
    again: bool = False,
    key: str | None = None,
    explain: bool = False,
    corruptions: str | None = None,
    progress: Progress = lambda done, total: None,
) -> EvalRequest:
    """The request to evaluate a file of weights or a run. Typed settings replace those of a run's training.

    corruptions: the folder of corrupted images to evaluate on, in place of an attack. progress: told the bytes of a
    download, done and total. Raises: ConfigError, UserError.
    """
    ensure_home()
    if corruptions is not None:
        typed = _for_corruptions(typed, eps, corruptions)
    path = typed_path(target)
    if source := find_source(target, path, typed, progress):
        path, dataset, typed = source.path, dataset or source.dataset, source.completed(typed)
        eps, normalize, key = eps or source.eps, normalize or source.normalize, key or source.key
    given = _parts(eps)
    if given and typed.get("norm"):
        typed = {**typed, "eps": given[0]}  # another norm needs an eps of its own
    config, weights, run = _understood(target, path, dataset, typed, which)
    check_package(config.eval.attack)
    sizes = tuple(parse_size(part, config.norm) for part in given) or (config.eps,)
    return EvalRequest(
        config=config,
        weights=str(weights),
        eps=sizes,
        folder=str(evaluations_dir()),
        normalize=normalize or "",
        again=again,
        key=key or "",
        explain=explain,
        run=run,
        corruptions="" if corruptions is None else str(typed_path(corruptions)),
    )


def _parts(eps: str | None) -> list[str]:
    """The typed sizes of `--eps`, which may be several. Raises: ConfigError, if there are none in a text."""
    given = [part for part in (eps or "").split(",") if part.strip()]
    if eps and not given:
        raise ConfigError(f"--eps {eps!r} has no values; write --eps 8 or --eps 2,4,8")
    return given


def _for_corruptions(typed: Mapping[str, str | None], eps: str | None, corruptions: str) -> dict[str, str | None]:
    """The settings of an evaluation on corrupted images: all of them, unless the user typed a number.

    Raises: ConfigError, if the user typed a setting of an attack, or a path that is no folder.
    """
    given = {"--eps": eps, "--attack": typed.get("eval.attack"), "--norm": typed.get("norm")}
    if attacking := [option for option, text in given.items() if text]:
        raise ConfigError(f"{attacking[0]} is for an attack; --corruptions measures without one, so leave it out")
    if not typed_path(corruptions).is_dir():
        raise ConfigError(f"--corruptions {corruptions}: no such folder; name the one with labels.npy")
    return {**typed, "eval.images": typed.get("eval.images") or "0"}


def _understood(
    target: str, path: Path, dataset: str | None, typed: Mapping[str, str | None], which: str
) -> tuple[RunConfig, Path, str]:
    """The configuration, the file of weights, and the run directory; "" if `target` is a file and no run."""
    if path.is_file():
        if dataset is None:
            raise ConfigError(
                "a file of weights does not name its data set: add --dataset NAME, for example --dataset cifar"
            )
        return configure(dataset, typed), path, ""
    if path.is_dir():
        raise UserError(f"{target} is a folder; type a file of weights, or the id of a run")
    if path.exists():
        raise UserError(f"{target} is {not_plain(path)}; type a file of weights, or the id of a run")
    if "/" in target or path.suffix:
        raise UserError(f"{target} does not exist; type the path of a file of weights, or the id of a run")
    config, weights = _of_run(target, dataset, typed, which)
    return config, weights, str(weights.parent)


def _of_run(name: str, dataset: str | None, typed: Mapping[str, str | None], which: str) -> tuple[RunConfig, Path]:
    if which not in ("last", "best"):
        raise ConfigError(f"--which {which!r}: use last or best")
    try:
        rundir = find_run(name)
    except RunNotFoundError as error:
        raise UserError(f"{error}; there is no file {name} either") from None
    trained = rundir.submission().config
    norm = typed_norm(typed, trained.norm)
    settings = {full_key(key): parse_value(key, text, norm) for key, text in typed.items() if text is not None}
    kept = {**(flatten(trained) if norm == trained.norm else _without_attack(trained)), **settings}
    preset = kept.pop("preset")
    if "model.name" in settings:  # another network: what belongs to the run's own file does not apply
        kept = {key: value for key, value in kept.items() if key not in OF_OWN_CODE or key in settings}
    if dataset is not None:
        dataset = absolute(dataset)
        kept["data_code"] = code_of(dataset)
    config = build(dataset or trained.dataset, {k: v for k, v in kept.items() if k != "dataset"}, preset or None)
    config = with_user_code(config) if "model.name" in settings else config
    weights = rundir.last if which == "last" else rundir.best
    if not weights.exists():
        raise UserError(f"{rundir.id} has no {which} checkpoint: {weights} does not exist")
    return config, weights


def _without_attack(trained: RunConfig) -> dict[str, Any]:
    """The settings of a run for an evaluation in another norm: without its method and its perturbation sizes."""
    kept = {key: value for key, value in flatten(trained).items() if key not in SIZES and not key.startswith("method.")}
    return {**kept, "method.name": "standard"}
