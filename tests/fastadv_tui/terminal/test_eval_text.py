"""The lines of `fastadv eval` about a file of weights: what was taken, what else there is, what went where."""

from typing import Any

from engine.protocol.requests import Measured, Understood
from fastadv_tui.terminal.eval_text import measured, understood


def lines(**facts: Any) -> list[str]:
    """The lines after the first one."""
    whole = Understood(
        device="cpu",
        search="fp32",
        matched="by name",
        normalize="none",
        attack="pgd-10",
        images=360,
        test_images=360,
        official_data=True,
        held_out=False,
        **facts,
    )
    head, *rest = understood(whole)
    assert head == "PGD-10 on all 360 test images · cpu, attack in fp32 · weights matched by name · normalised: none"
    return rest


def test_a_file_with_one_set_of_weights_needs_no_further_line() -> None:
    assert lines() == []


def test_the_set_that_was_taken_is_said_with_the_way_to_another_one() -> None:
    assert lines(source="state_dict", others=("state_dict_ema", "swa")) == [
        "weights: state_dict; the file also has state_dict_ema, swa (--key state_dict_ema takes it)"
    ]
    assert lines(source="", others=("ema",)) == ["weights: the top level; the file also has ema (--key ema takes it)"]
    assert lines(source="model.model") == ["weights: model.model"]


def test_ignored_tensors_are_named_and_counted() -> None:
    assert lines(ignored=("a", "b", "c", "d", "e", "f")) == ["not the network's, and ignored: a, b, c, d and 2 more"]


def test_what_went_where_has_a_line_for_each_tensor() -> None:
    assert lines(places=(("1.0.weight", "conv.weight"), ("1.10.bias", "fc.bias\x1b[2J"))) == [
        "1.0.weight  <- conv.weight",
        r"1.10.bias   <- fc.bias\x1b[2J",
    ]


def test_an_attack_of_several_stages_says_what_each_fooled_and_warns_of_masked_gradients() -> None:
    answer = Measured(
        attack="aa",
        eps=(8 / 255,),
        clean=0.9,
        robust=(0.5,),
        images=100,
        seconds=1.0,
        fooled_by=((("apgd-ce", 30), ("apgd-t", 5), ("fab-t", 0), ("square", 5)),),
    )
    _, line, warning = measured(answer)
    assert line == "eps     8/255  AA 50.0%  (APGD-CE fooled 30 images, APGD-T 5, FAB-T 0, SQUARE 5)"
    assert warning.startswith("warning: Square, which needs no gradients, fooled 5 of 100 images")
