"""A model card in Markdown, as the Hub shows it, with results as data in its YAML header."""

import json
import shlex
from collections.abc import Sequence

from engine.config.run import RunConfig
from engine.config.units import both_units
from engine.protocol.rundir import RunDir
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.history.seed_groups import group_by_seed, mean_std, seeds_text
from fastadv_tui.launch.command_line import run_command
from fastadv_tui.launch.repeat import as_typed
from fastadv_tui.publish.model_info import architecture
from fastadv_tui.publish.results import Result, results_of, threat_words
from fastadv_tui.text.quantities import format_flops, format_percent, format_time
from fastadv_tui.text.sanitize import one_line

HUB_DATASETS = {
    "cifar10": "uoft-cs/cifar10", "cifar100": "uoft-cs/cifar100", "mnist": "ylecun/mnist",
    "imagenet": "ILSVRC/imagenet-1k",
}  # fmt: skip
PATHS = ("data_dir", "extra_data")  # settings that name folders of this machine; a card is public
WEIGHTS = "model.safetensors"
LAB = "https://arxiv.org/abs/2001.03994"


def card_text(row: Row, rundir: RunDir, license_: str, which: str, repo: str = "") -> str:
    """The text of a card. license_: a licence as the Hub names it, such as `mit`. repo: where the model will lie."""
    config = rundir.submission().config
    results = results_of(row, which)
    return "\n".join(
        [
            *_header(row, config, results, license_),
            "",
            f"# {_plain(row.name)}",
            "",
            f"{architecture(config.model.name)} for {row.dataset}, trained to be robust against {threat_words(row)}.",
            "",
            *_results(results),
            "",
            *_settings(row, rundir, config, which),
            "",
            *_use(row, repo),
            "",
        ]
    )


def _header(row: Row, config: RunConfig, results: Sequence[Result], license_: str) -> list[str]:
    """The YAML header. Every text is in quotes as in JSON, which YAML reads, so no name can add a line."""
    dataset = HUB_DATASETS.get(row.dataset)
    lines = [
        "---",
        f"license: {json.dumps(license_)}",
        "library_name: pytorch",
        "pipeline_tag: image-classification",
        "tags:",
        *(f"- {tag}" for tag in ("adversarial-robustness", "adversarial-training", "fastadv")),
        f"- {json.dumps(config.method.name)}",
    ]
    lines += ["datasets:", f"- {dataset}"] if dataset else []
    if results:
        lines += ["model-index:", f"- name: {json.dumps(_plain(row.name))}", "  results:"]
        lines += ["  - task:", "      type: image-classification", "    dataset:"]
        lines += [f"      name: {json.dumps(row.dataset)}", f"      type: {json.dumps(dataset or row.dataset)}"]
        lines += ["    metrics:", *_metric("accuracy", "clean accuracy", results[0].clean)]
        for found in results:
            name = f"robust accuracy, {found.attack}, {found.threat}, {found.images} {found.kind_of_images}"
            lines += _metric("robust-accuracy", name, found.robust)
    return [*lines, "---"]


def _metric(kind: str, name: str, value: float) -> list[str]:
    return [f"    - type: {kind}", f"      name: {json.dumps(name)}", f"      value: {100 * value:.2f}"]


def _results(results: Sequence[Result]) -> list[str]:
    if not results:
        return ["## Results", "", "Not measured yet."]
    lines = [
        "## Results",
        "",
        "| attack | norm | eps | images | clean | robust |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for found in results:
        eps = found.threat.removeprefix("l2 ").removeprefix("eps ")
        norm = "l-infinity" if found.norm == "linf" else "l2"
        figures = f"{format_percent(found.clean)} | {format_percent(found.robust)}"
        warning = " (one class only)" if found.warning else ""
        lines.append(
            f"| {found.attack} | {norm} | {eps} | {found.images:,} {found.kind_of_images} | {figures}{warning} |"
        )
    return [*lines, "", "Robust accuracy is an upper bound: a stronger attack may succeed on more images."]


def _settings(row: Row, rundir: RunDir, config: RunConfig, which: str) -> list[str]:
    typed = {key: text for key, text in as_typed(config).items() if key not in PATHS}
    dataset = typed.pop("dataset").partition(":")
    command = shlex.join(run_command(dataset[0] + (":PATH" if dataset[1] else ""), typed))
    return [
        "## Training",
        "",
        f"- method: {row.method}; eps {both_units(row.eps, row.norm)}; alpha {both_units(row.alpha, row.norm)}",
        f"- epochs {row.epochs:.4g}, seed {row.seed}, checkpoint {which}"
        + (f", {format_flops(row.flops)} of training" if row.flops else ""),
        f"- recipe: {row.preset or 'no preset'}; changed: "
        + (", ".join(f"`{key}={value}`" for key, value in row.settings.items() if key not in PATHS) or "nothing"),
        f"- data fingerprint {row.data_fingerprint or 'unknown'}; trained {format_time(row.submitted)[:10]}",
        *_seeds(row),
        *([f"- alarms: {', '.join(row.alarms)}"] if row.alarms else []),
        "",
        f"[Fast is better than free]({LAB}) describes fast adversarial training. The command that repeats the run:",
        "",
        "```console",
        f"$ {one_line(command)}",
        "```",
    ]


def _seeds(row: Row) -> list[str]:
    """The results of all seeds of the recipe, if there is more than one."""
    for group in group_by_seed(History().rows()):
        if any(member.id == row.id for member in group.rows) and group.count > 1:
            figures = (
                f"clean {mean_std(group.clean, group.clean_std)}, robust {mean_std(group.robust, group.robust_std)}"
            )
            return [f"- seeds {seeds_text(group.rows)} of this recipe: {figures}"]
    return []


def _use(row: Row, repo: str) -> list[str]:
    eps = f"{row.eps * 255:g}" if row.norm == "linf" else f"{row.eps:g} --norm l2"
    source = f"hf:{repo}" if repo else WEIGHTS
    return [
        "## Use",
        "",
        "The network takes images in [0,1], shape (B, C, H, W); normalisation is part of it. The tensors have the",
        "names of the field's common implementations; `mu` and `sigma` are the normalisation.",
        "",
        "```python",
        "from engine import load_model  # of the package fastadv",
        "",
        f'model = load_model("{WEIGHTS}")',
        "```",
        "",
        "```console",
        f"$ fastadv eval {source} --eps {eps}",
        "```",
    ]


def _plain(text: str) -> str:
    """A name in one line that is no Markdown and no HTML."""
    return "".join(letter if letter not in "<>[]`|*_#" else " " for letter in one_line(text, 100)).strip() or "model"
