"""The names of attacks: their stages, and what a data set or a missing package does to them."""

import pytest

from engine.config import attacks
from engine.config.applies import applies
from engine.config.errors import ConfigError
from engine.config.presets import build


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("pgd-50-10", ("pgd-50-10",)),
        ("aa-quick", ("apgd-ce", "apgd-t")),
        ("aa", ("apgd-ce", "apgd-t", "fab-t", "square")),
        ("square", ("square",)),
        ("pgd-10+apgd-t", ("pgd-10", "apgd-t")),
    ],
)
def test_an_attack_is_a_sequence_of_stages(name: str, stages: tuple[str, ...]) -> None:
    assert attacks.stages_of(name) == stages


@pytest.mark.parametrize(("name", "meant"), [("pgd-50-10", (50, 10)), ("pgd-10", (10, 1)), ("pgd-1-1", (1, 1))])
def test_the_name_of_pgd_gives_its_steps_and_restarts(name: str, meant: tuple[int, int]) -> None:
    assert attacks.parse_pgd(name) == meant


@pytest.mark.parametrize(
    "name",
    [
        *("pgd", "pgd-", "pgd-0", "pgd-5-0", "pgd-5-5-5", "PGD-5", "pgd--5", "pgd-5 ", "pgd-٥"),
        *("", "+", "AA", "aa+apgd-t", "autoattack", "apgd", "apgd-ce+", "apgd-ce,apgd-t", "apgd-dlr"),
    ],
)
def test_a_name_of_no_attack_is_refused_with_the_names_that_are(name: str) -> None:
    with pytest.raises(ConfigError, match=r"pgd-50-10.*aa-quick"):
        attacks.stages_of(name)
    with pytest.raises(ConfigError):
        build("digits", {"eval.attack": name})


def test_a_stage_is_written_once() -> None:
    with pytest.raises(ConfigError, match="twice"):
        attacks.stages_of("apgd-t+apgd-t")


def test_few_classes_leave_out_targets_and_the_targeted_loss_and_say_so() -> None:
    assert attacks.remarks_on("aa", 10) == attacks.remarks_on("auto", 2) == attacks.remarks_on("none", 2) == []
    assert attacks.remarks_on("aa-quick", 5) == ["apgd-t has 4 targets instead of 9: 5 classes"]
    left_out, fewer = attacks.remarks_on("aa", 3)
    assert left_out.startswith("apgd-t is left out")
    assert fewer == "fab-t has 2 targets instead of 9: 3 classes"
    assert attacks.stages_for(attacks.stages_of("aa-quick"), 3) == ("apgd-ce",)
    attacks.check_attack("aa-quick", 3)
    with pytest.raises(ConfigError, match="at least 4 classes"):
        attacks.check_attack("apgd-t", 3)


@pytest.mark.parametrize("name", ["aa", "square", "apgd-ce+fab-t"])
def test_without_the_package_an_attack_that_needs_it_is_refused_with_the_command(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.config.attacks.find_spec", lambda package: None)
    with pytest.raises(ConfigError, match="pip install pyautoattack"):
        attacks.check_attack(name, 10)
    for other in ("auto", "none", "pgd-10", "aa-quick", "apgd-t"):
        attacks.check_attack(other, 10)


def test_the_step_size_is_a_setting_of_pgd_only() -> None:
    for name, having in {"auto": True, "pgd-10+apgd-t": True, "aa": False, "none": False}.items():
        assert attacks.has_step_size(name) is having
        config = build("digits", {"eval.attack": name, "watch.images": 0})
        assert applies("eval.step_size", config) is having
