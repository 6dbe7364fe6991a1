"""The network of a user's own is made from the right file, with the right arguments and the weights of the seed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from engine.config.datasets import datasets
from engine.config.errors import ConfigError
from engine.config.sections import ModelConfig
from engine.config.user_code import fingerprint_of
from engine.models import pretrained
from engine.models.build import build_network, has_random_layers
from engine.models.user_network import note_random_numbers
from tests.support import user_networks

FACTS = datasets()["cifar10"].facts
assert FACTS is not None
TELLS = """\
from torch import nn

def Net({parameters}):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    network.told = {told}
    return network
"""


def built(path: Path, text: str = user_networks.RIGHT, folder: Path | None = None, **settings: Any) -> nn.Module:
    return build_network(ModelConfig(name=user_networks.write(path, text), **settings), FACTS, folder)


@pytest.mark.parametrize(
    ("parameters", "args", "told"),
    [
        ("", "", {}),
        ("classes", "", {"classes": 10}),
        ("image_shape, classes", "", {"classes": 10, "image_shape": (3, 32, 32)}),
        ("classes, depth=1", '{"depth": 28}', {"classes": 10, "depth": 28}),
        ("classes", '{"classes": 7}', {"classes": 7}),
        ("**more", '{"a": [1, 2.5], "b": {"c": null}}', {"a": [1, 2.5], "b": {"c": None}}),
    ],
)
def test_a_network_gets_what_it_has_parameters_for(tmp_path: Path, parameters: str, args: str, told: Any) -> None:
    names = [word.split("=")[0].strip() for word in parameters.split(",") if word]
    say = "more" if "**" in parameters else f"dict({', '.join(f'{name}={name}' for name in names)})"
    model = built(tmp_path / "net.py", TELLS.format(parameters=parameters, told=say), args=args)
    assert model[1].told == told  # type: ignore[index]


def test_a_network_gets_the_images_as_they_are(tmp_path: Path) -> None:
    model, x = built(tmp_path / "net.py").eval(), torch.rand(2, 3, 32, 32)
    assert torch.equal(model(x), model[1](x))  # type: ignore[index]


def test_initial_weights_depend_on_the_seed_and_not_on_what_the_file_does(tmp_path: Path) -> None:
    weights = []
    for number, first in enumerate(("", "import torch; torch.manual_seed(5)\n", "import torch; torch.rand(9)\n")):
        torch.manual_seed(1)
        weights.append(built(tmp_path / f"net{number}.py", first + user_networks.RIGHT).state_dict()["1.conv.weight"])
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2])


def test_the_copy_of_the_run_is_what_runs(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.py").write_text(user_networks.RIGHT.replace("width=8", "width=5"))
    kept = fingerprint_of((tmp_path / "run" / "model.py").read_bytes())
    model = built(tmp_path / "net.py", folder=tmp_path / "run", code=kept)
    assert model[1].conv.out_channels == 5  # type: ignore[index]
    with pytest.raises(ConfigError, match=r"net\.py has changed"):
        built(tmp_path / "net.py", code=kept)


def test_a_module_is_imported_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_nets").mkdir()
    (tmp_path / "my_nets" / "__init__.py").write_text("")
    (tmp_path / "my_nets" / "blocks.py").write_text("width = 6\n")
    user_networks.write(tmp_path / "my_nets" / "wide.py", f"from .blocks import width as w\n{user_networks.RIGHT}")
    monkeypatch.syspath_prepend(tmp_path)
    model = build_network(ModelConfig(name="my_nets.wide:Net"), FACTS)
    assert model[1].conv.out_channels == 8  # type: ignore[index]


@pytest.mark.parametrize(
    ("line", "draws"),
    [
        ("return self.head(x.flatten(1))", False),
        ("return self.head(nn.functional.dropout(x, training=self.training).flatten(1))", True),
        ("return self.head((x + torch.rand_like(x)).flatten(1))", True),
    ],
)
def test_random_numbers_of_unknown_layers_are_noticed(tmp_path: Path, line: str, draws: bool) -> None:
    model = built(tmp_path / "net.py", user_networks.LINEAR.replace("return self.head(x.flatten(1))", line))
    state, before = torch.random.get_rng_state(), {name: value.clone() for name, value in model.state_dict().items()}
    note_random_numbers(model, torch.zeros(2, 3, 32, 32))
    assert has_random_layers(model) is draws
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


WITH_BUFFERS = """\
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.full((3, 1, 1), 0.5))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.head = nn.Linear(3072, 10)

    def forward(self, x):
        return self.scale * self.head((x - self.mean).flatten(1))
"""


@pytest.mark.parametrize("prefix", ["", "module."])
def test_foreign_weights_are_loaded_by_name(tmp_path: Path, prefix: str) -> None:
    """Also a buffer that is called as a mean of images is, and a scale without dimensions."""
    theirs, ours = (built(tmp_path / "net.py", WITH_BUFFERS).eval() for _ in range(2))
    theirs[1].mean.fill_(0.25)  # type: ignore[index]
    state = {prefix + name: value for name, value in theirs[1].state_dict().items()}  # type: ignore[index]
    torch.save(state, tmp_path / "weights.pt")
    config = ModelConfig(name=f"{tmp_path / 'net.py'}:Net")
    loaded = pretrained.load_into(ours, pretrained.read(tmp_path / "weights.pt"), config, FACTS)
    assert (loaded.matched, loaded.normalize) == ("by name", "none")
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(ours(x), theirs(x))
