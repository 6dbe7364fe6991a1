"""Networks: shapes and sizes. PreActResNet18 computes the formula of its paper."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.datasets import DatasetFacts, datasets
from engine.config.networks import NETWORKS_WITH_ACTIVATION
from engine.config.sections import ModelConfig
from engine.models.build import build_network, has_random_layers
from engine.models.normalize import Normalize
from engine.models.preact_resnet import PreActBlock, common_names

FITS = [
    ("preact-resnet18", "cifar10"),
    ("preact-resnet18", "cifar100"),
    ("preact-resnet18", "mnist"),
    ("preact-resnet18", "digits"),
    ("pooled-cnn", "cifar10"),
    ("pooled-cnn", "digits"),
    ("mnist-cnn", "mnist"),
    ("digits-cnn", "digits"),
    ("digits-cnn", "mnist"),
    ("digits-cnn", "cifar10"),
]

FACTS = datasets()["cifar10"].facts


def build(name: str, dataset: str, width: int = 4, depth: int = 1) -> nn.Module:
    torch.manual_seed(0)
    return build_network(ModelConfig(name=name, width=width, depth=depth), datasets()[dataset].facts)  # type: ignore[arg-type]


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("name", "dataset"), FITS)
def test_every_network_turns_images_into_one_logit_a_class(name: str, dataset: str) -> None:
    facts = datasets()[dataset].facts
    model = build(name, dataset)
    x = torch.rand(3, facts.channels, facts.height, facts.width)
    assert model.training
    assert model(x).shape == (3, facts.classes)
    model.eval()
    torch.testing.assert_close(model(x)[1:2], model(x[1:2]))


def test_the_papers_networks_have_their_published_numbers_of_parameters() -> None:
    without_final_bn = 11_171_146  # kuangliu/pytorch-cifar, from which the reference code took it
    assert parameters(build("preact-resnet18", "cifar10", width=64, depth=2)) == without_final_bn + 2 * 512
    assert parameters(build("mnist-cnn", "mnist")) == 272 + 8224 + 156_900 + 1010


def test_width_and_depth_settings_shrink_the_residual_network() -> None:
    model = build("preact-resnet18", "cifar10", width=16, depth=3)
    blocks = [module for module in model.modules() if isinstance(module, PreActBlock)]
    assert [block.conv1.out_channels for block in blocks] == [16] * 3 + [32] * 3 + [64] * 3 + [128] * 3
    assert [block.conv1.stride[0] for block in blocks] == [1, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1]


@pytest.mark.parametrize("width", [2, 5, 8])
def test_weight_gradients_of_narrow_networks_agree_with_double_precision(width: int) -> None:
    """On AVX2, torch's kernel for a strided 1x1 convolution of fewer than 8 channels is wrong, or crashes."""
    model = build("preact-resnet18", "cifar10", width=width)
    exact = build("preact-resnet18", "cifar10", width=width).double()
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x, y = torch.rand(4, 3, 16, 16), torch.arange(4)
    for net, images in ((model, x.contiguous(memory_format=torch.channels_last)), (exact, x.double())):
        F.cross_entropy(net(images), y).backward()
    for ours, theirs in zip(model.parameters(), exact.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-3, atol=1e-4)


def _batch_norm(x: Tensor, bn: nn.BatchNorm2d) -> Tensor:
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    assert bn.weight is not None
    return (x - mean) / (var + bn.eps).sqrt() * bn.weight.view(1, -1, 1, 1) + bn.bias.view(1, -1, 1, 1)


NONLINEAR: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: x.clamp(min=0),
    "silu": lambda x: x / (1 + (-x).exp()),
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
}


@pytest.mark.parametrize("of_input", [False, True], ids=["of the activation", "of the input"])
@pytest.mark.parametrize("activation", NONLINEAR)
@pytest.mark.parametrize(("channels", "stride"), [(4, 1), (8, 2)])
def test_a_residual_block_computes_the_formula_of_its_paper(
    channels: int, stride: int, activation: str, of_input: bool
) -> None:
    torch.manual_seed(1)
    act = NONLINEAR[activation]
    block, x = PreActBlock(4, channels, stride, activation, of_input), torch.randn(2, 4, 6, 6)
    for bn in (block.bn1, block.bn2):
        nn.init.normal_(bn.weight)
        nn.init.normal_(bn.bias)
    activated = act(_batch_norm(x, block.bn1))
    inner = F.conv2d(activated, block.conv1.weight, stride=stride, padding=1)
    inner = F.conv2d(act(_batch_norm(inner, block.bn2)), block.conv2.weight, padding=1)
    taken = x if of_input else activated
    shortcut = x if block.shortcut is None else F.conv2d(taken, block.shortcut.weight, stride=stride)
    torch.testing.assert_close(block(x.clone()), inner + shortcut)


def test_without_the_last_norm_the_pooled_features_are_the_sum_of_the_last_block() -> None:
    torch.manual_seed(0)
    model = build_network(ModelConfig(name="preact-resnet18", width=8, depth=1, final_norm=False), FACTS).eval()
    *body, pool, flatten, linear = model[1]
    features = torch.rand(2, 3, 32, 32)
    for layer in (model[0], *body):
        features = layer(features)
    assert (features < 0).any()  # no activation behind the last block
    expected = features.mean((2, 3)) @ linear.weight.T + linear.bias
    torch.testing.assert_close(linear(flatten(pool(features))), expected)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in body)


def test_a_network_without_the_last_norm_takes_weights_by_their_common_names() -> None:
    names = common_names(ModelConfig(name="preact-resnet18", depth=1, final_norm=False))
    model = build_network(ModelConfig(name="preact-resnet18", depth=1, width=8, final_norm=False), FACTS)
    numbered = {name.partition(".")[0] for name in model[1].state_dict()}
    assert numbered == {*names}


def test_fan_out_weights_have_the_variance_of_their_outputs() -> None:
    torch.manual_seed(0)
    model = build_network(ModelConfig(name="preact-resnet18", width=32, init="fan-out"), FACTS)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    for layer in layers:
        outputs = layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels
        count = layer.weight.numel()
        variance = layer.weight.double().pow(2).mean()
        assert abs(variance / (2 / outputs) - 1) < 6 * (2 / count) ** 0.5  # relative standard error of a variance
    (linear,) = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert not linear.bias.any()


@pytest.mark.parametrize("name", [name.replace("wideresnet", "wideresnet-10-1") for name in NETWORKS_WITH_ACTIVATION])
def test_a_chosen_activation_is_used_in_every_layer(name: str) -> None:
    model = build_network(ModelConfig(name=name, width=4, activation="gelu"), datasets()["cifar10"].facts)
    kinds = {type(layer) for layer in model.modules()}
    assert nn.GELU in kinds
    assert not {nn.ReLU, nn.SiLU} & kinds


def test_a_residual_block_does_not_change_its_input() -> None:
    block, x = PreActBlock(4, 4, 1), torch.randn(2, 4, 6, 6)
    before = x.clone()
    block(x)
    assert torch.equal(x, before)


def test_the_first_layer_of_a_network_normalises_its_images() -> None:
    facts = datasets()["cifar10"].facts
    x = torch.rand(2, 3, 4, 5)
    out = Normalize(facts.mean, facts.std)(x)
    for channel in range(3):
        expected = (x[:, channel] - facts.mean[channel]) / facts.std[channel]
        torch.testing.assert_close(out[:, channel], expected)
    model = build("preact-resnet18", "cifar10")
    assert isinstance(next(model.children()), Normalize)
    assert {"0.mean", "0.std"} <= set(model.state_dict())


def test_initial_weights_depend_on_the_global_seed() -> None:
    one, two = build("digits-cnn", "digits"), build("digits-cnn", "digits")
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize(("name", "drawing"), [("squeezenet1_1", True), ("convnext_tiny", True), ("resnet18", False)])
def test_networks_with_random_layers_are_recognised(name: str, drawing: bool) -> None:
    """Two passes over the same images differ exactly if a network draws random numbers."""
    torch.manual_seed(0)
    model = build_network(ModelConfig(name=name), DatasetFacts(3, 64, 64, 10, 10, (0.5,) * 3, (0.5,) * 3)).train()
    x = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(x), model(x)) is not drawing
    assert has_random_layers(model) is drawing
