"""The norm of the threat model in a configuration: sizes, defaults, names, and what is refused."""

from typing import Any

import msgspec
import pytest

from engine.config.errors import ConfigError
from engine.config.methods import methods
from engine.config.presets import build
from engine.config.run import RunConfig


def l2(**typed: Any) -> RunConfig:
    return build("digits", {"norm": "l2", "eps": 0.8} | typed)


def test_sizes_in_l2_may_be_above_1_and_steps_follow_eps() -> None:
    config = l2(eps=2.0)
    assert (config.alpha, config.eval_step, config.title) == (2.5, 0.5, "digits-fgsm-l2-eps2")
    assert l2(**{"method.name": "pgd"}).alpha == 0.2
    assert build("mnist", {"norm": "l2", "eps": 2.0}).eval_step == 0.5  # not linf's step of the data set
    assert l2(**{"method.alpha": 3.0, "eval.step_size": 1.25}).alpha == 3.0


def test_linf_stays_what_it_was() -> None:
    config = build("cifar10")
    assert (config.norm, config.title) == ("linf", "cifar10-fgsm-eps8")
    assert build("cifar10", {"eps": 1.0}).alpha == 1.0  # 1.25 eps, but never above the image range
    old = msgspec.to_builtins(config)
    del old["norm"], old["extra_data"], old["extra_fraction"]
    assert msgspec.convert(old, RunConfig) == config


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"eps": 1.5}, r"eps = 1.5: .* at most 1 .* norm l2"),
        ({"method.alpha": 1.5}, r"method.alpha = 1.5: .* at most 1"),
        ({"eval.step_size": 1.5}, r"eval.step_size = 1.5: .* at most 1"),
        ({"norm": "l2"}, "norm = l2: .* type an eps, as 0.5"),
        ({"norm": "l1", "eps": 0.5}, "norm"),
        ({"norm": "l2", "eps": -0.5}, "eps"),
    ],
)
def test_a_size_that_does_not_fit_the_norm_is_refused_in_one_line(typed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        build("digits", typed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", methods())
def test_a_method_takes_the_norms_of_its_spec_and_refuses_the_others(name: str) -> None:
    if "l2" in methods()[name].norms:
        assert l2(**{"method.name": name}).norm == "l2"
    else:
        with pytest.raises(ConfigError, match=f"norm = l2: method {name} is not defined for it; use .*pgd"):
            l2(**{"method.name": name})


def test_the_presets_own_sizes_are_for_its_own_norm() -> None:
    """ImageNet's preset sets the step of the evaluation in linf; in l2 that would be tiny."""
    assert build("imagenet").eval.step_size == 1 / 255
    assert build("imagenet", {"norm": "l2", "eps": 3.0}).eval_step == 0.75
