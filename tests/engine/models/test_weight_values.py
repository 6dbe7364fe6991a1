"""Only dense, finite floating-point numbers are weights. torch would copy nearly anything without a word."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.config.datasets import datasets
from engine.config.errors import ConfigError
from engine.config.sections import ModelConfig
from engine.models import pretrained
from engine.models.build import build_network
from engine.models.weight_values import fault

FACTS = datasets()["digits"].facts
MODEL = ModelConfig(name="digits-cnn", width=4)
PLAIN = torch.linspace(-1, 1, 12).view(3, 4)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (PLAIN.to(torch.int8), "holds int8 values"),
        (PLAIN > 0, "holds bool values"),
        (PLAIN.to(torch.complex64), "holds complex64 values"),
        (PLAIN.to(torch.float8_e4m3fn), "holds float8_e4m3fn values"),
        (PLAIN.to_sparse(), "is sparse"),
        (PLAIN.to("meta"), "has no values"),
        (PLAIN.double() * 1e300, "holds NaN or infinity"),  # in fp32, in which the network computes
        (PLAIN * math.nan, "holds NaN or infinity"),
    ],
)
def test_a_tensor_that_cannot_be_weights_is_named_with_the_reason(value: Tensor, said: str) -> None:
    assert fault("a.weight", value).startswith(f"the tensor a.weight {said}")


@pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")  # but such files exist
def test_quantized_weights_are_refused() -> None:
    assert "holds qint8 values" in fault("a.weight", torch.quantize_per_tensor(PLAIN, 0.1, 0, torch.qint8))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_floating_point_numbers_of_other_precisions_are_converted(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {name: value.to(dtype) for name, value in build_network(MODEL, FACTS).state_dict().items()}
    torch.save(state, tmp_path / "w.pt")
    model = build_network(MODEL, FACTS)
    pretrained.load_into(model, pretrained.read(tmp_path / "w.pt"), MODEL, FACTS)
    assert all(torch.equal(value, state[name].float()) for name, value in model.state_dict().items())


def test_negative_variances_are_refused() -> None:
    assert "negative variances" in fault("bn.running_var", PLAIN)
    assert not fault("bn.running_mean", PLAIN)


@pytest.mark.parametrize("std", [0.0, -0.5, math.nan])
def test_a_std_in_the_file_that_is_not_positive_is_refused_unless_another_is_given(tmp_path: Path, std: float) -> None:
    state = build_network(MODEL, FACTS)[1].state_dict()  # type: ignore[index]
    torch.save({**state, "norm.mean": torch.tensor([0.5]), "norm.std": torch.tensor([std])}, tmp_path / "w.pt")
    model, weights = build_network(MODEL, FACTS), pretrained.read(tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=r"the tensor norm\.std holds"):
        pretrained.load_into(model, weights, MODEL, FACTS)
    assert pretrained.load_into(model, weights, MODEL, FACTS, normalize="none").normalize == "none"


def test_what_lies_beside_the_weights_may_hold_anything(tmp_path: Path) -> None:
    state = build_network(MODEL, FACTS)[1].state_dict()  # type: ignore[index]
    beside = {"criterion.codes": PLAIN.to(torch.int8), "val_loss.least": torch.tensor([math.inf])}
    torch.save(state | beside, tmp_path / "w.pt")
    model = build_network(MODEL, FACTS)
    assert pretrained.load_into(model, pretrained.read(tmp_path / "w.pt"), MODEL, FACTS).ignored == tuple(beside)
