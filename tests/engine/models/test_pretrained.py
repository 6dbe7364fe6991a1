"""Weights from elsewhere: the network of another implementation gives the same logits when its weights are loaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.config.datasets import datasets
from engine.config.errors import ConfigError
from engine.config.presets import build
from engine.config.sections import ModelConfig
from engine.models import pretrained
from engine.models.build import build_network
from engine.training import checkpoint

FACTS = datasets()["cifar10"].facts
MODEL = ModelConfig(name="preact-resnet18", width=4, depth=2)


class Block(nn.Module):
    """The pre-activation block of the field's common implementation, which registers its shortcut first."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False))
        self.bn1, self.conv1 = nn.BatchNorm2d(channels_in), nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(channels), nn.Conv2d(channels, channels, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(x))
        shortcut = self.shortcut(out) if hasattr(self, "shortcut") else x
        out = self.conv2(F.relu(self.bn2(self.conv1(out))))
        return out + shortcut


class Elsewhere(nn.Module):
    """PreActResNet18 with other names of tensors. Its caller normalises the images."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        channels = [width, width, 2 * width, 4 * width, 8 * width]
        for stage in range(1, 5):
            blocks = [Block(channels[stage - 1], channels[stage], 1 if stage == 1 else 2)]
            blocks.append(Block(channels[stage], channels[stage], 1))
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.bn, self.linear = nn.BatchNorm2d(channels[4]), nn.Linear(channels[4], 10)

    def forward(self, x: Tensor) -> Tensor:
        out = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        return self.linear(F.relu(self.bn(out)).mean((2, 3)))


@pytest.fixture
def elsewhere() -> nn.Module:
    """The statistics of all BatchNorm layers differ, so that swapped layers change the logits."""
    torch.manual_seed(0)
    model = Elsewhere()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if "running" in name or "bn" in name:
                value.copy_(torch.rand(value.shape) + 0.5)
    return model.eval()


def filled(path: Path, normalize: str = "none") -> tuple[nn.Module, tuple[str, str]]:
    model, loaded = loaded_from(path, normalize)
    return model, (loaded.matched, loaded.normalize)


def loaded_from(path: Path, normalize: str = "none", key: str = "") -> tuple[nn.Module, pretrained.Loaded]:
    model = build_network(MODEL, FACTS)
    loaded = pretrained.load_into(model, pretrained.read(path), MODEL, FACTS, normalize, key)
    return model.eval(), loaded


def same(model: nn.Module, reference: Callable[[Tensor], Tensor]) -> bool:
    x = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        return torch.allclose(model(x), reference(x), atol=1e-5)


WRAPPED: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "plain": lambda state: state,
    "DataParallel": lambda state: {f"module.{name}": value for name, value in state.items()},
    "compiled": lambda state: {f"module._orig_mod.{name}": value for name, value in state.items()},
    "nested": lambda state: {"epoch": 3, "state_dict": state},
    "old": lambda state: {name: value for name, value in state.items() if "num_batches" not in name},
}


@pytest.mark.parametrize("how", WRAPPED)
def test_a_state_dict_of_another_implementation_gives_the_same_logits(
    elsewhere: nn.Module, tmp_path: Path, how: str
) -> None:
    torch.save(WRAPPED[how](elsewhere.state_dict()), tmp_path / "w.pt")
    model, said = filled(tmp_path / "w.pt")
    assert said == ("by name", "none")
    assert same(model, elsewhere)


def test_safetensors_files_with_common_names_give_the_same_logits(elsewhere: nn.Module, tmp_path: Path) -> None:
    """The safetensors format sorts tensors by name: the last BatchNorm comes first."""
    save_file(elsewhere.state_dict(), tmp_path / "w.safetensors")
    model, said = filled(tmp_path / "w.safetensors")
    assert said == ("by name", "none")
    assert same(model, elsewhere)


def renamed(model: nn.Module) -> dict[str, Tensor]:
    return {name.replace("layer", "stage").replace("conv", "c"): value for name, value in model.state_dict().items()}


def test_tensors_with_unknown_names_are_matched_in_their_order_if_it_is_unique(
    elsewhere: nn.Module, tmp_path: Path
) -> None:
    torch.save(renamed(elsewhere), tmp_path / "w.pt")
    model, said = filled(tmp_path / "w.pt")
    assert said == ("by order and shape; --explain shows them", "none")
    assert same(model, elsewhere)
    save_file(renamed(elsewhere), tmp_path / "w.safetensors")
    with pytest.raises(ConfigError, match="their order in the file is not that of the modules"):
        filled(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("normalize", "mean", "std"),
    [
        ("none", 0.0, 1.0),
        ("0.5/0.25", 0.5, 0.25),
        ("dataset", torch.tensor(FACTS.mean).view(3, 1, 1), torch.tensor(FACTS.std).view(3, 1, 1)),
        ("", torch.tensor(FACTS.mean).view(3, 1, 1), torch.tensor(FACTS.std).view(3, 1, 1)),
        ("0.1,0.2,0.3/0.5", torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1), 0.5),
    ],
)
def test_images_are_normalised_as_the_option_says(
    elsewhere: nn.Module, tmp_path: Path, normalize: str, mean: Any, std: Any
) -> None:
    torch.save(elsewhere.state_dict(), tmp_path / "w.pt")
    model, _ = filled(tmp_path / "w.pt", normalize)
    assert same(model, lambda x: elsewhere((x - mean) / std))


def test_a_normalisation_layer_in_the_file_is_used(elsewhere: nn.Module, tmp_path: Path) -> None:
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.6, 0.7])
    torch.save({"normalize.mean": mean, "normalize.std": std, **elsewhere.state_dict()}, tmp_path / "w.pt")
    model, said = filled(tmp_path / "w.pt", "")
    assert said[1] == "the file's mean and std"
    assert same(model, lambda x: elsewhere((x - mean.view(3, 1, 1)) / std.view(3, 1, 1)))


def test_a_checkpoint_of_ours_is_matched_by_names(tmp_path: Path) -> None:
    trained = build_network(MODEL, FACTS)
    checkpoint.save(tmp_path / "last.pt", build("cifar", {}), {"model": trained.state_dict(), "step": 3})
    model, said = filled(tmp_path / "last.pt", "")
    assert said == ("by name", "the file's mean and std")
    assert same(model, trained.eval())


class Code:
    def __reduce__(self) -> Any:
        return (print, ("code was run",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Code(), "could run code"),
        ({"state_dict": {"a": 3}}, "holds no weights"),
        ([1, 2], "holds no weights"),
        (b"\x00\x01\xfe", "damaged or cut off, or was not written by torch.save"),
    ],
)
def test_a_file_without_weights_is_refused(tmp_path: Path, capsys: Any, content: Any, message: str) -> None:
    path = tmp_path / "w.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ConfigError, match=message):
        pretrained.read(path)
    assert "code was run" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_a_damaged_or_missing_file_of_weights_is_refused(elsewhere: nn.Module, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(ConfigError, match="does not exist"):
        pretrained.read(path)
    (save_file if name.endswith("s") else torch.save)(elsewhere.state_dict(), path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ConfigError, match="damaged"):
        pretrained.read(path)


def test_weights_of_another_size_are_refused_with_the_tensor_that_differs(tmp_path: Path) -> None:
    torch.save(Elsewhere(width=8).state_dict(), tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=r"try --set model\.width=8"):
        filled(tmp_path / "w.pt")


def test_weights_that_fit_nowhere_are_refused(elsewhere: nn.Module, tmp_path: Path) -> None:
    torch.save({**elsewhere.state_dict(), "second.head": torch.zeros(7)}, tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=r"second\.head"):
        filled(tmp_path / "w.pt")


@pytest.mark.parametrize("how", ["twice", "1/2/3", "1,2/1", "0.5/0"])
def test_a_normalisation_that_makes_no_sense_is_refused(elsewhere: nn.Module, tmp_path: Path, how: str) -> None:
    torch.save(elsewhere.state_dict(), tmp_path / "w.pt")
    with pytest.raises(ConfigError, match="--normalize"):
        filled(tmp_path / "w.pt", how)


@pytest.mark.parametrize(
    "prefix", ["module.", "net.", "network.", "backbone.", "0.", "_orig_mod.module.", "a.b.encoder."]
)
def test_the_part_that_all_names_begin_with_is_left_out(elsewhere: nn.Module, tmp_path: Path, prefix: str) -> None:
    torch.save({prefix + name: value for name, value in elsewhere.state_dict().items()}, tmp_path / "w.pt")
    model, said = filled(tmp_path / "w.pt")
    assert said == ("by name", "none")
    assert same(model, elsewhere)


@pytest.mark.parametrize("prefix", ["", "net."])
def test_known_names_decide_in_any_order_of_the_tensors(elsewhere: nn.Module, tmp_path: Path, prefix: str) -> None:
    """The tensors of a safetensors file are sorted, also when they were saved by torch afterwards."""
    save_file({prefix + name: value for name, value in elsewhere.state_dict().items()}, tmp_path / "w.safetensors")
    torch.save(load_file(tmp_path / "w.safetensors"), tmp_path / "sorted.pth")
    for name in ("w.safetensors", "sorted.pth"):
        model, said = filled(tmp_path / name)
        assert said == ("by name", "none")
        assert same(model, elsewhere)


def test_tensors_in_alphabetical_order_are_not_matched_by_order(elsewhere: nn.Module, tmp_path: Path) -> None:
    """The order of the modules differs from the alphabet, and tensors of one shape would change places."""
    torch.save(dict(sorted(renamed(elsewhere).items())), tmp_path / "w.pt")
    with pytest.raises(ConfigError, match="their order in the file is not that of the modules"):
        filled(tmp_path / "w.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_the_name_of_their_tensor(
    elsewhere: nn.Module, tmp_path: Path, value: float
) -> None:
    state = {name: tensor.clone() for name, tensor in elsewhere.state_dict().items()}
    state["layer2.0.conv1.weight"].view(-1)[7] = value
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=r"layer2\.0\.conv1\.weight holds NaN or infinity"):
        filled(tmp_path / "w.pt")
