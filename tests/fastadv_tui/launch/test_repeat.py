"""A run's settings as TOML, and as the command that repeats the run: both give the same run again."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.config.errors import ConfigError
from engine.config.presets import build
from engine.config.run import RunConfig
from fastadv_tui.commands.rerun import recorded_sweep
from fastadv_tui.launch.command_line import OPTIONS
from fastadv_tui.launch.repeat import as_typed, repeating_command
from fastadv_tui.launch.submission import configure
from fastadv_tui.launch.toml_text import read_toml, toml_text
from fastadv_tui.paths import ensure_home, runs_dir
from tests.support.runs import make_run
from tests.support.shell import fastadv

CASES: list[tuple[str, dict[str, str], str | None]] = [
    ("digits", {}, None),
    ("cifar", {"eps": "8", "model.width": "16", "seed": "3", "name": 'a "name" # \\ \t ü'}, None),
    ("mnist", {"eps": "0.123456789", "method.name": "pgd", "method.alpha": "0.01", "method.steps": "5"}, None),
    ("cifar", {"optim.lr": "1e-05", "optim.milestones": "0.5,0.75", "method.name": "free"}, None),
    ("imagenet", {"epochs": "6", "optim.decay_norms": "true", "eval.step_size": "auto"}, None),
    ("cifar", {"method.init": "zero", "early_stop.enabled": "true", "device": "cpu", "data_dir": "/data"}, "speed"),
    (
        "imagefolder:/data/flowers",
        {"model.name": "resnet18", "phases": "0-2:0/64:64:0..0.05 2-3:0/64:64:0.05..0"},
        "wong2020",
    ),
    ("cifar", {"norm": "l2", "eps": "128/255", "method.name": "pgd", "method.alpha": "15/255"}, None),
    ("imagenet", {"norm": "l2", "eps": "8/255", "eval.step_size": "1.5"}, None),  # eps as in the preset for linf
    ("digits", {"norm": "l2", "eps": "0.123456789"}, None),
    ("digits", {"extra_data": "/data/extra.npz", "extra_fraction": "0.25"}, None),
    ("digits", {"eps": "0.001", "method.alpha": "255", "eval.attack": "none"}, None),
]


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def ids(case: object) -> str:
    return str(case)[:40]


def config_of(case: tuple[str, dict[str, str], str | None]) -> RunConfig:
    dataset, typed, preset = case
    if preset == "speed":
        typed = {key: value for key, value in typed.items() if key != "method.init"}  # N-FGSM has no such option
    return configure(dataset, typed, preset)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_the_file_of_a_run_gives_the_same_configuration(
    case: tuple[str, dict[str, str], str | None], tmp_path: Path
) -> None:
    config, path = config_of(case), tmp_path / "a.toml"
    path.write_text(toml_text(as_typed(config)))
    read = read_toml(path)
    assert configure(read.pop("dataset"), read, read.pop("preset")) == config


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_the_command_that_show_prints_gives_the_same_configuration(
    case: tuple[str, dict[str, str], str | None],
) -> None:
    config = config_of(case)
    program, command, *words = repeating_command(config)
    assert (program, command) == ("fastadv", "run")
    assert recorded_sweep(words) == [config]  # `sweep` reads the options as `run` does


def test_show_prints_both(home: Path, tmp_path: Path) -> None:
    rundir = make_run(runs_dir() / "a1", chosen=configure("digits", {"eps": "12", "seed": "4"}))
    said = fastadv("show", "a1").stdout
    assert any(
        line.split() == ["repeat", "fastadv", "run", "digits", "--seed", "4", "--eps", "12"]
        for line in said.splitlines()
    )
    (tmp_path / "a.toml").write_text(fastadv("show", "a1", "--toml").stdout)
    again = fastadv("run", "--config", str(tmp_path / "a.toml"), "--device", "cuda:7", "--name", "x")
    assert "eps 12/255" in again.stderr  # understood, and then refused, because there is no such device
    assert (again.returncode, [path.name for path in runs_dir().iterdir()]) == (2, [rundir.id])


def test_tables_and_short_keys_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('dataset = "digits"\nlr = 0.5\neps = 8\n[model]\nwidth = 8\n[optim]\nmilestones = [0.5, 0.75]\n')
    assert read_toml(path) == {
        "dataset": "digits", "optim.lr": "0.5", "eps": "8", "model.width": "8", "optim.milestones": "0.5,0.75",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("eps = ", "is not TOML"),
        ("epps = 8", "unknown setting 'epps'; did you mean eps?"),
        ("lr = 1\n[optim]\nlr = 2", "optim.lr is set twice"),
        ("eps = 2026-11-26", "write a text, a number, true, false or a list"),
        (b"\xff", "is not TOML"),
        (None, "cannot read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | bytes | None, said: str) -> None:
    path = tmp_path / "a.toml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        read_toml(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_the_options_overrule_the_file_and_the_grid_overrules_both(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('dataset = "digits"\nseed = 5\neps = 8\n')
    found = recorded_sweep(["--config", str(path), "--eps", "4", "--seeds", "0-1"])
    assert found == [build("digits", {"eps": 4 / 255, "seed": seed, "data_dir": found[0].data_dir}) for seed in (0, 1)]
    with pytest.raises(ConfigError, match="seed is set twice"):
        recorded_sweep(["digits", "--seed", "1", "--seeds", "0-1"])


def test_run_and_sweep_have_the_same_options_for_what_to_train() -> None:
    from fastadv_tui.cli import app, load

    load("run")
    load("sweep")
    run, sweep = (CliRunner().invoke(app, [name, "--help"]).output for name in ("run", "sweep"))
    for option in (*OPTIONS.values(), "--config", "--set", "--slots"):
        assert option in run
        assert option in sweep
