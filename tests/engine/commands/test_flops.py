"""The answers of `engine --flops`: the cost of a network, or why it cannot be counted."""

import msgspec
import pytest

from engine.commands.flops import flops
from engine.config.presets import build
from engine.protocol.requests import Counted, Refused


@pytest.mark.parametrize(
    ("dataset", "network", "message"),
    [
        ("cifar", "resnet51", "resnet51"),
        ("imagefolder:/nowhere/at/all", "preact-resnet18", "/nowhere/at/all does not exist"),
    ],
)
def test_a_network_that_cannot_be_counted_says_why(
    capfdbinary: pytest.CaptureFixture[bytes], dataset: str, network: str, message: str
) -> None:
    assert flops(msgspec.json.encode(build(dataset, {"model.name": network}))) == 2
    said = msgspec.json.decode(capfdbinary.readouterr().out, type=Counted | Refused)
    assert isinstance(said, Refused)
    assert message in said.message
