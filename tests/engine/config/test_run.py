"""RunConfig: every way of building one enforces the bounds of its settings, and settings that contradict each other."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from engine.config.datasets import datasets, spec_of
from engine.config.errors import ConfigError
from engine.config.keys import SHORT_KEYS, assemble, flatten, full_key, parse_value
from engine.config.method_section import MethodConfig
from engine.config.methods import methods
from engine.config.networks import NETWORKS, NETWORKS_WITH_ACTIVATION, family
from engine.config.presets import PRESETS, build
from engine.config.run import RunConfig
from engine.config.section import Section
from engine.config.sections import EvalConfig, ModelConfig, OptimConfig
from engine.config.settings import settings
from engine.data.memory.datasets import reader_of
from engine.models.activations import ACTIVATIONS
from engine.models.build import MODELS
from engine.runtime.precision import DTYPES

DIGITS = {"dataset": "digits", "model.name": "digits-cnn"}
BAD_VALUES: list[tuple[str, Any]] = [
    ("eps", -0.001),
    ("eps", 1.001),
    ("eps", float("nan")),
    ("eps", "8"),
    ("epochs", 0),
    ("epochs", True),
    ("epochs", 2.5),
    ("epochs", 10**30),
    ("batch_size", 0),
    ("seed", -1),
    ("seed", 2**63),
    ("precision", "fp8"),
    ("device", "cuda"),
    ("device", "cuda:-1"),
    ("device", "cpu\n"),
    ("dataset", "imagenets"),
    ("checkpoint_minutes", 0.0),
    ("checkpoint_minutes", float("inf")),
    ("model.name", "res-net"),
    ("model.width", 0),
    ("method.name", "pgd2"),
    ("method.alpha", -0.5),
    ("method.init", "ones"),
    ("method.steps", 0),
    ("method.replays", 0),
    ("optim.lr", 0.0),
    ("optim.lr", float("inf")),
    ("optim.momentum", 1.0),
    ("optim.peak", 1.1),
    ("optim.milestones", (0.5, 0.5)),
    ("optim.milestones", (0.7, 0.2)),
    ("optim.milestones", (float("nan"),)),
    ("eval.attack", "pgd-0"),
    ("eval.attack", "fgsm"),
    ("eval.images", -1),
    ("watch.images", -1),
    ("early_stop.drop", 2.0),
]


@pytest.mark.parametrize(("key", "value"), BAD_VALUES)
def test_a_value_out_of_bounds_is_refused_however_the_config_is_built(key: str, value: Any) -> None:
    good = assemble(DIGITS)
    with pytest.raises(ConfigError):
        _by_constructor(key, value)
    with pytest.raises(ConfigError):
        _replaced(good, key, value)
    with pytest.raises(ConfigError) as caught:
        assemble(DIGITS | {key: value})
    assert "\n" not in str(caught.value)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(_json_with(good, key, value), type=RunConfig)


def _by_constructor(key: str, value: Any) -> None:
    section, _, leaf = key.rpartition(".")
    kind = type(getattr(assemble(DIGITS), section)) if section else RunConfig
    needed: dict[str, dict[str, Any]] = {
        "model": {"name": "digits-cnn"},
        "": {"dataset": "digits", "model": ModelConfig(name="digits-cnn")},
    }
    kind(**needed.get(section, {}) | {leaf: value})


def _replaced(config: RunConfig, key: str, value: Any) -> RunConfig:
    section, _, leaf = key.rpartition(".")
    if not section:
        return structs.replace(config, **{leaf: value})
    return structs.replace(config, **{section: structs.replace(getattr(config, section), **{leaf: value})})


def _json_with(config: RunConfig, key: str, value: Any) -> bytes:
    plain = msgspec.to_builtins(config)
    section, _, leaf = key.rpartition(".")
    (plain[section] if section else plain)[leaf] = value
    return msgspec.json.encode(plain)  # JSON writes nan and inf as null, which is refused, too


def test_null_is_a_default_where_there_is_one_and_refused_elsewhere() -> None:
    def read(method: str, optim: str) -> RunConfig:
        content = f'{{"dataset":"digits","model":{{"name":"digits-cnn"}},"method":{method},"optim":{optim}}}'
        return msgspec.json.decode(content.encode(), type=RunConfig)

    assert read('{"alpha":null}', "{}").method.alpha is None
    assert read('{"start_in_box":null}', "{}").method.start_in_box is True
    with pytest.raises(msgspec.ValidationError):
        read("{}", '{"nesterov":null}')


@pytest.mark.parametrize("where", ["", "model", "method", "optim", "eval", "watch", "early_stop", "log"])
def test_unknown_fields_are_refused(where: str) -> None:
    plain = msgspec.to_builtins(assemble(DIGITS))
    (plain[where] if where else plain)["colour"] = 1
    with pytest.raises(msgspec.ValidationError, match="colour"):
        msgspec.json.decode(msgspec.json.encode(plain), type=RunConfig)


def test_an_unknown_key_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match=r"'modle\.width'; did you mean model\.width\?"):
        full_key("modle.width")
    with pytest.raises(ConfigError, match=r"known keys: dataset, model\.name"):
        full_key("zzzzzz")
    with pytest.raises(ConfigError, match="nonsense"):
        assemble(DIGITS | {"nonsense": 1})


def test_short_keys_stand_for_settings_that_exist() -> None:
    assert set(SHORT_KEYS.values()) <= set(settings())
    assert not set(SHORT_KEYS) & set(settings())
    assert full_key("lr") == "optim.lr"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("eps", "8", 8 / 255),
        ("alpha", "auto", None),
        ("alpha", "", None),
        ("method.alpha", "2/255", 2 / 255),
        ("eval.step_size", "0.01", 0.01),
        ("epochs", "3", 3),
        ("dataset", "cifar", "cifar10"),
        ("method.start_in_box", "false", False),
        ("optim.milestones", "0.2,0.6", (0.2, 0.6)),
        ("optim.milestones", "", ()),
        ("name", "[red] 7", "[red] 7"),
        ("lr", "1", 1.0),
    ],
)
def test_a_typed_value_is_read_as_people_mean_it(key: str, text: str, value: Any) -> None:
    assert parse_value(key, text) == value


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("eps", "", "eps: '' is not a size"),
        ("eps", "300", "eps: '300' is 300 in 1/255, allowed are 0 to 255"),
        ("epochs", "0", "epochs: 0 is not allowed; write 1 to 100,000"),
        ("method", "fast", "method.name: 'fast' is unknown; use standard, fgsm, nfgsm, pgd, free"),
        ("optim.lr", "nan", "optim.lr: nan is not allowed; write above 0 and at most 100"),
        ("optim.lr", "big", "optim.lr: 'big' is not a number"),
        ("optim.milestones", "0.1,x", "optim.milestones = '0.1,x'"),
        ("method.start_in_box", "maybe", "method.start_in_box: 'maybe' is unknown; use true or false"),
    ],
)
def test_an_error_names_the_setting_the_value_and_what_is_allowed(key: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_value(key, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def _values(kind: Any) -> st.SearchStrategy[Any]:
    sizes, shares = st.none() | st.floats(0, 1), st.floats(0, 1)
    return st.fixed_dictionaries(
        {
            "eps": shares,
            "epochs": st.integers(1, 1000),
            "seed": st.integers(0, 2**63 - 1),
            "name": st.text(max_size=20).filter(lambda t: not any("\ud800" <= c <= "\udfff" for c in t)),
            "method.name": st.sampled_from(settings()["method.name"].choices),
            "method.alpha": sizes,
            "optim.lr": st.floats(1e-6, 100),
            "optim.milestones": st.lists(shares, unique=True, max_size=4).map(lambda found: tuple(sorted(found))),
            "early_stop.drop": shares,
            "on_collapse": st.sampled_from(["warn", "stop"]),
        }
    )


@given(_values(RunConfig))
def test_a_config_survives_flattening_and_json(settings: dict[str, Any]) -> None:
    config = assemble(DIGITS | settings)
    assert flatten(config) | settings == flatten(config)
    assert assemble(flatten(config)) == config
    assert msgspec.json.decode(msgspec.json.encode(config), type=RunConfig) == config


def test_a_configuration_of_version_0_1_with_early_stopping_stops_at_a_collapse() -> None:
    config = assemble(DIGITS | {"early_stop.enabled": True, "early_stop.drop": 0.3})
    assert (config.on_collapse, config.early_stop.enabled, config.early_stop.drop) == ("stop", False, 0.3)
    with pytest.raises(ConfigError, match="leave out early_stop"):
        assemble(DIGITS | {"early_stop.enabled": True, "on_collapse": "rollback"})


@pytest.mark.parametrize("method", ["standard", "free"])
def test_a_method_without_a_signal_cannot_be_rolled_back(method: str) -> None:
    with pytest.raises(ConfigError, match=rf"^on_collapse = rollback: method {method} has no overfitting signal; use"):
        assemble(DIGITS | {"method.name": method, "on_collapse": "rollback"})


def test_step_sizes_follow_eps_unless_they_are_typed() -> None:
    def made(dataset: str = "cifar10", **typed: Any) -> RunConfig:
        return build(dataset, {key.replace("__", "."): value for key, value in typed.items()})

    assert made(eps=0.1).alpha == pytest.approx(0.125)
    assert made(eps=0.9).alpha == 1.0
    assert made(eps=0.1, method__name="pgd").alpha == pytest.approx(0.025)
    assert made(eps=0.1, method__name="free").alpha == pytest.approx(0.1)
    assert made(eps=0.1, method__alpha=0.07).alpha == 0.07
    assert made(eps=0.1, method__name="pgd", method__alpha=0.0).alpha == 0.0
    assert made(eps=0.1).eval_step == pytest.approx(0.025)
    assert made(eps=0.1, eval__step_size=0.02).eval_step == 0.02
    assert made(eps=0.1, method__alpha=0.07).eval_step == pytest.approx(0.025)
    assert made("mnist").eval_step == made("mnist", method__name="pgd").alpha == 0.01
    assert made("mnist").alpha == pytest.approx(0.375)
    assert made("mnist", eval__step_size=0.05).eval_step == 0.05


def test_only_free_training_updates_several_times_on_a_minibatch() -> None:
    assert build("digits").updates_per_minibatch == 1
    assert build("digits", {"method.replays": 5, "method.name": "free"}).updates_per_minibatch == 5


def test_the_title_of_a_run_is_its_name_or_describes_it() -> None:
    assert build("cifar").title == "cifar10-fgsm-eps8"
    assert build("mnist").title == "mnist-fgsm-eps76.5"
    assert build("cifar", {"name": "mine"}).title == "mine"


def test_a_section_of_a_config_cannot_be_changed_after_it_was_checked() -> None:
    with pytest.raises(AttributeError):
        MethodConfig().alpha = 7.0  # type: ignore[misc]


def test_an_activation_is_refused_for_networks_without_a_choice_of_it() -> None:
    with pytest.raises(
        ConfigError,
        match=r"model\.activation = silu: only preact-resnet18, resnet18-cifar, wideresnet",
    ):
        build("digits", {"model.activation": "silu"})
    assert build("cifar", {"model.activation": "silu"}).model.activation == "silu"


def test_every_method_network_and_data_set_that_a_config_may_name_exists() -> None:
    assert tuple(methods()) == settings()["method.name"].choices
    assert set(MODELS) == {family(name) for name in NETWORKS} > set(NETWORKS_WITH_ACTIVATION)
    assert set(ACTIVATIONS) == set(settings()["model.activation"].choices)
    assert set(DTYPES) | {"auto"} == set(settings()["precision"].choices)
    for spec in (*datasets().values(), *map(spec_of, ("imagefolder:/a", "npz:/a", "hf-data:/a", "/a.py:data"))):
        assert spec.preset in PRESETS
        assert spec.facts is None or not spec.in_folder  # only the files of a folder tell its facts
        assert spec.in_folder or callable(reader_of(spec))


def test_every_setting_has_a_description_and_a_valid_default() -> None:
    assert all(setting.description for setting in settings().values())
    sections: tuple[type[Section], ...] = (MethodConfig, OptimConfig, EvalConfig)
    assert all(kind() == kind() for kind in sections)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ConfigError, match="momentum is 0"):
        build("cifar", {"optim.nesterov": True, "optim.momentum": 0.0})


def test_n_fgsm_steps_by_eps_and_fgsm_by_more() -> None:
    assert build("cifar", {"method.name": "nfgsm", "eps": 8 / 255}).alpha == pytest.approx(8 / 255)
    assert build("cifar", {"method.init": "zero", "eps": 8 / 255}).alpha == pytest.approx(10 / 255)


def old_method(**fields: Any) -> MethodConfig:
    """The `method` section as version 0.1 wrote it, with the options of all methods."""
    stored = {"name": "fgsm", "alpha": None, "init": "random", "start_in_box": True, "noise": 1.0}
    stored |= {"steps": 7, "restarts": 1, "replays": 8}
    return msgspec.json.decode(msgspec.json.encode(stored | fields), type=MethodConfig)


def test_a_configuration_of_version_0_1_is_read_as_what_it_meant() -> None:
    assert old_method() == MethodConfig()
    assert old_method(noise=0.5) == MethodConfig(noise=0.5)
    assert old_method(noise=1.5) == MethodConfig(name="nfgsm", noise=1.5)
    assert old_method(noise=1.5, init="zero") == MethodConfig(init="zero")  # without a random start, noise was ignored
    assert old_method(name="pgd", steps=3, noise=1.5) == MethodConfig(name="pgd", steps=3)
    assert old_method(name="free", replays=4) == MethodConfig(name="free", replays=4)
    assert old_method(name="standard") == MethodConfig(name="standard")


def test_an_option_of_another_method_has_no_value() -> None:
    assert MethodConfig().steps is None
    assert MethodConfig().options == {"init": "random", "noise": 1.0, "start_in_box": True}
    assert MethodConfig(name="nfgsm").options == {"noise": 2.0}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            {"method.name": "standard", "method.steps": 99},
            "is an option of pgd and trades, not of standard",
        ),
        ({"method.name": "standard", "method.alpha": 0.1}, "method.alpha is an option of .*, not of standard"),
        ({"method.replays": 3}, "method.replays is an option of free, not of fgsm; it has alpha, init"),
        ({"method.name": "pgd", "method.noise": 0.5}, "method.noise is an option of fgsm and nfgsm, not of pgd"),
        ({"method.name": "nfgsm", "method.init": "zero"}, "method.init is an option of fgsm, not of nfgsm"),
        ({"method.noise": 2.0}, "fgsm starts in the ball; use at most 1, or --method nfgsm"),
        ({"method.name": "fgsm", "method.noise": 2.0}, "fgsm starts in the ball; use at most 1, or --method nfgsm"),
    ],
)
def test_an_option_of_another_method_is_refused_where_it_is_typed(typed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build("digits", typed)


def test_a_preset_may_set_options_of_other_methods() -> None:
    """wong2020 sets the steps of PGD and the replays of free training. They apply if that method is chosen."""
    assert build("cifar", {"method.name": "free"}).method.replays == 8
    assert build("cifar").method.replays is None
    assert build("cifar", preset="speed").method.options == {"noise": 1.5}
    assert build("cifar", {"method.name": "pgd"}, "speed").method.options["steps"] == 7
