"""Training phases: parsing, errors, and the steps, learning rates and costs that follow from phases."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.errors import ConfigError
from engine.config.phases import Phase, format_phases, parse, scaled
from engine.config.presets import build, scaled_from
from engine.plan.timeline import ScheduledPhase, Timeline

WONG = build("imagenet").phases


@st.composite
def some_phases(draw: st.DrawFn) -> tuple[Phase, ...]:
    ends = [0, *sorted(draw(st.sets(st.integers(1, 90), min_size=1, max_size=6)))]
    with_lr = draw(st.booleans())
    sizes, rates = st.integers(0, 512), st.floats(0, 10).map(lambda rate: float(f"{rate:g}"))
    found = []
    for begin, end in itertools.pairwise(ends):
        lr = (draw(rates), draw(rates)) if with_lr else None
        found.append(Phase(begin, end, draw(sizes), draw(sizes), draw(st.integers(0, 4096)), lr))
    return tuple(found)


@given(some_phases())
def test_phases_that_are_written_as_text_are_read_back_the_same(phases: tuple[Phase, ...]) -> None:
    assert parse(format_phases(phases)) == phases


def test_the_phases_of_the_papers_imagenet_recipe_are_read_as_the_paper_says() -> None:
    warm, first, second, third = parse(WONG)
    assert (warm.begin, first.end, second.end, third.end) == (0, 6, 12, 15)
    assert [(p.size, p.crop, p.batch_size) for p in (first, second, third)] == [
        (160, 128, 512),
        (352, 224, 224),
        (0, 288, 128),
    ]
    assert [p.lr for p in (warm, first, second, third)] == [(0, 0.4), (0.4, 0.04), (0.04, 0.004), (0.004, 0.0004)]


def test_parts_of_a_phase_may_be_left_out() -> None:
    assert parse("0-5:0/16;5-8") == (Phase(0, 5, 0, 16), Phase(5, 8))
    assert parse("0-2::64 2-3::128") == (Phase(0, 2, 0, 0, 64), Phase(2, 3, 0, 0, 128))
    assert parse("") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1-5", "begin at epoch 1, not 0"),
        ("0-5 6-9", "nothing covers epochs 5-6"),
        ("0-5 4-9", "two phases cover epochs 4-5"),
        ("0-0", "ends before it begins"),
        ("0-5:160:128", "cannot be read: write EPOCHS:SIZE/CROP:BATCH:LR..LR"),
        ("0-5:::1e999..2", "not finite"),
        ("0-5:::0..1 5-9", "only some phases have a learning rate"),
        ("nonsense", "'nonsense' cannot be read"),
    ],
)
def test_an_error_in_phases_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        parse(text)


def test_a_run_takes_its_epochs_from_its_phases_and_refuses_a_contradiction() -> None:
    assert build("cifar", {"phases": "0-3:0/16 3-7"}).epochs == 7
    with pytest.raises(ConfigError, match="the phases end at epoch 7, but epochs = 5"):
        build("imagenet", {"epochs": 5, "phases": "0-3:0/16 3-7"})
    assert build("imagenet", {"epochs": 5, "phases": "", "optim.lr": 0.1}).epochs == 5
    with pytest.raises(ConfigError, match="cifar10 has images of one size"):
        build("cifar", {"phases": "0-3:160/128"})


@pytest.mark.parametrize(
    ("epochs", "ends"),
    [
        (1, [(0, 352, 1)]),  # the longest phase is left
        (2, [(0, 160, 1), (1, 352, 2)]),
        (4, [(0, 160, 1), (1, 160, 2), (2, 352, 3), (3, 0, 4)]),  # an epoch for each
        (30, [(0, 160, 2), (2, 160, 12), (12, 352, 24), (24, 0, 30)]),
    ],
)
def test_typed_epochs_scale_the_phases_of_a_preset(epochs: int, ends: list[tuple[int, int, int]]) -> None:
    config = build("imagenet", {"epochs": epochs})
    assert config.epochs == epochs
    assert [(phase.begin, phase.size, phase.end) for phase in parse(config.phases)] == ends
    assert scaled_from(config) == 15


def test_phases_that_a_user_typed_or_did_not_change_are_not_said_to_be_scaled() -> None:
    assert scaled_from(build("imagenet")) is None
    assert build("imagenet", {"epochs": 15}) == build("imagenet")
    assert scaled_from(build("imagenet", {"phases": "0-3:0/224:64:0.1..0"})) is None
    assert scaled_from(build("imagenet", {"epochs": 5, "phases": "", "optim.lr": 0.1})) is None
    assert scaled_from(build("cifar", {"epochs": 3})) is None


@given(some_phases(), st.integers(1, 200))
def test_scaled_phases_cover_the_epochs_in_proportion(phases: tuple[Phase, ...], epochs: int) -> None:
    found = scaled(phases, epochs)
    assert parse(format_phases(found)) == found  # no gap, and the first begins at 0
    assert found[-1].end == epochs
    assert len(found) == len(phases) or epochs < len(phases)


@given(some_phases(), st.integers(1, 9))
def test_a_multiple_of_the_epochs_makes_every_phase_a_multiple_of_itself(phases: tuple[Phase, ...], by: int) -> None:
    lengths = [phase.end - phase.begin for phase in phases]
    assert [phase.end - phase.begin for phase in scaled(phases, by * phases[-1].end)] == [by * n for n in lengths]


# 20 images. First minibatches of 8: 3 per epoch, 2 updates on each. Then minibatches of 20: 1 per epoch.
SHORT = (Phase(0, 2, 0, 8, 8, (0.0, 0.6)), Phase(2, 5, 0, 16, 20, (0.6, 0.0)))
TIMELINE = Timeline.plan(SHORT, images=20, replays=2, flops=(60, 200))


def test_a_timeline_maps_steps_epochs_and_phases_to_each_other() -> None:
    assert [(s.first_step, s.steps_per_epoch, s.steps) for s in TIMELINE.stretches] == [(0, 6, 12), (12, 2, 6)]
    assert (TIMELINE.total_steps, TIMELINE.epochs, TIMELINE.flops) == (18, 5, 2 * 60 + 3 * 200)
    assert [TIMELINE.first_step(epoch) for epoch in range(5)] == [0, 6, 12, 14, 16]
    assert [TIMELINE.epochs_at(step) for step in (0, 3, 6, 12, 13, 18)] == [0, 0.5, 1, 2, 2.5, 5]
    phases = [SHORT.index(TIMELINE.at(step).phase) for step in (0, 11, 12, 17, 18, 99)]
    assert phases == [0, 0, 1, 1, 1, 1]


def test_the_learning_rate_is_linear_within_a_phase() -> None:
    assert [TIMELINE.lr_at(step) for step in (0, 6, 12, 15)] == pytest.approx([0.0, 0.3, 0.6, 0.3])
    assert Timeline([ScheduledPhase(Phase(0, 4), 0, 10)]).lr_at(3) is None


def test_work_left_is_counted_in_updates_of_the_present_phase() -> None:
    assert TIMELINE.work_left(6) == pytest.approx(6 + 6 * (100 / 10))  # 10 and 100 FLOPs per update
    assert TIMELINE.work_left(14) == 4
    assert Timeline([ScheduledPhase(Phase(0, 4), 0, 10)]).work_left(15) == 25
