"""Exported weights have the names that other programs know, and come back as the same network."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from engine import load_model
from engine.config.errors import ConfigError
from engine.config.networks import NETWORKS
from engine.export.trained import trained_network
from engine.export.weights import common_tensors, weights_file
from engine.protocol.weights_description import read_description
from tests.support.exports import config_of, images_for, logits, random_network, trained, write_checkpoint


def test_the_names_of_a_preact_resnet_are_those_of_robustbench() -> None:
    """Written by hand from RobustBench's PreActResNet with `bn_before_fc` and the buffers of its Wong2020FastNet."""
    of = trained("preact-resnet18")
    found = common_tensors(of)
    block = [f"bn{n}.{part}" for n in (1, 2) for part in ("weight", "bias", "running_mean", "running_var")]
    block += ["bn1.num_batches_tracked", "bn2.num_batches_tracked", "conv1.weight", "conv2.weight"]
    names = {f"layer{stage}.{number}.{part}" for stage in (1, 2, 3, 4) for number in (0, 1) for part in block}
    names |= {f"layer{stage}.0.shortcut.0.weight" for stage in (2, 3, 4)}
    names |= {"conv1.weight", "linear.weight", "linear.bias", "mu", "sigma"}
    names |= {f"bn.{part}" for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}
    assert {*found} == names
    assert found["mu"].shape == (1, 3, 1, 1)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_plain_torch_module_can_load_the_tensors(name: str, suffix: str, tmp_path: Path) -> None:
    of = trained(name)
    path = tmp_path / f"w{suffix}"
    path.write_bytes(weights_file(of, suffix, "fp32", "ab12cd", "last"))
    tensors = load_file(path) if suffix == ".safetensors" else torch.load(path, weights_only=True)
    assert sum(value.numel() for value in tensors.values()) == sum(v.numel() for v in of.network.state_dict().values())
    first = next(layer for layer in of.network.modules() if isinstance(layer, nn.Conv2d))
    plain = nn.Conv2d(first.in_channels, first.out_channels, first.kernel_size, bias=first.bias is not None)  # type: ignore[arg-type]
    own = "conv1" if "conv1.weight" in tensors else "0"
    plain.load_state_dict({key: tensors[f"{own}.{key}"] for key in plain.state_dict()})
    assert torch.equal(plain.weight, first.weight)


@pytest.mark.parametrize("name", NETWORKS)
def test_load_model_takes_the_file(name: str, tmp_path: Path) -> None:
    of = trained(name)
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights_file(of, ".safetensors", "fp32", "ab12cd", "best"))
    images = images_for(of)
    loaded = load_model(path)
    assert not loaded.training
    assert torch.equal(logits(loaded, images), logits(of.network, images))
    about = read_description(path)
    assert about is not None
    assert (about.dataset, about.run, about.checkpoint, about.step) == (of.config.dataset, "ab12cd", "best", 7)


@pytest.mark.parametrize(("dtype", "kind"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_smaller_numbers_are_near_and_the_normalisation_stays_exact(
    dtype: str, kind: torch.dtype, tmp_path: Path
) -> None:
    of = trained("preact-resnet18", **{"model.width": 8})
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights_file(of, ".safetensors", dtype, "", "last"))
    tensors = load_file(path)
    assert tensors["conv1.weight"].dtype == kind
    assert tensors["mu"].dtype == torch.float32
    assert path.stat().st_size < 0.6 * len(weights_file(of, ".safetensors", "fp32", "", "last"))
    images = images_for(of)
    difference = (logits(load_model(path), images) - logits(of.network, images)).abs().max()
    assert 0 < difference < 0.1 * logits(of.network, images).std()


def test_a_file_that_does_not_say_what_it_is_is_refused(tmp_path: Path) -> None:
    of = trained("digits-cnn")
    (tmp_path / "w.pt").write_bytes(weights_file(of, ".pt", "fp32", "", "last"))
    with pytest.raises(ConfigError, match="does not say which network it belongs to"):
        load_model(tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=r"let the name end in \.safetensors, \.pt or \.pth"):
        weights_file(of, ".bin", "fp32", "", "last")


def test_the_averaged_weights_of_a_checkpoint_are_taken(tmp_path: Path) -> None:
    config = config_of("pooled-cnn")
    raw, averaged = random_network(config, 1), random_network(config, 2)
    write_checkpoint(tmp_path / "last.pt", config, raw, averaged=averaged.state_dict())
    found = trained_network(tmp_path / "last.pt")
    images = images_for(found)
    assert torch.equal(logits(found.network, images), logits(averaged, images))
    assert found.step == 7
    write_checkpoint(tmp_path / "last.pt", config, raw)
    assert torch.equal(logits(trained_network(tmp_path / "last.pt").network, images), logits(raw, images))


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(3)}}, tmp_path / "last.pt")
    with pytest.raises(ConfigError, match="is no checkpoint of a run"):
        trained_network(tmp_path / "last.pt")
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(ConfigError, match="damaged"):
        trained_network(tmp_path / "last.pt")
