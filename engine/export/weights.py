"""Files of weights for other programs: the names of the field's common implementations, and a description inside."""

import io
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from engine.config.errors import ConfigError
from engine.config.sections import ModelConfig
from engine.export.known import common_modules, common_parts
from engine.export.trained import Trained
from engine.models import pretrained
from engine.models.build import build_network
from engine.protocol.weights_description import KEY, WeightsDescription, read_description

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def common_tensors(trained: Trained, dtype: str = "fp32") -> dict[str, Tensor]:
    """The tensors by the names of the field's common implementations, or torchvision's; else by our own.

    The normalisation of images is `mu` and `sigma`, (1, C, 1, 1), as in RobustBench. It keeps fp32: its values decide
    every pixel. dtype: a key of DTYPES, for all other floating-point tensors.
    """
    names = _common_names(trained.network, trained.config.model)
    found = {}
    for name, value in trained.network.state_dict().items():
        small = value.is_floating_point() and not name.startswith("0.")
        found[names[name]] = (value.to(DTYPES[dtype]) if small else value).contiguous()
    return found


def weights_file(trained: Trained, suffix: str, dtype: str, run: str, checkpoint: str) -> bytes:
    """The content of a file of weights. suffix: `.safetensors` (with the description), or `.pt` and `.pth`.

    Raises: ConfigError, for another suffix.
    """
    tensors = common_tensors(trained, dtype)
    if suffix == ".safetensors":
        from safetensors.torch import save

        about = msgspec.json.encode(_description(trained, run, checkpoint)).decode()
        return bytes(save(tensors, metadata={"format": "pt", KEY: about}))
    if suffix in (".pt", ".pth"):
        return saved(tensors)
    raise ConfigError(
        f"weights in a file {suffix or 'without an ending'}: let the name end in .safetensors, .pt or .pth"
    )


def saved(tensors: dict[str, Tensor]) -> bytes:
    """As torch.save writes them to a file."""
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


def load_exported(path: Path) -> nn.Module:
    """The network of a safetensors file that `fastadv export --weights` wrote, in eval mode on the CPU.

    Raises: ConfigError, if the file is damaged, or has no description of its network.
    """
    weights = pretrained.read(path)
    if (about := read_description(path)) is None:
        raise ConfigError(
            f"{path} does not say which network it belongs to; `fastadv export RUN --weights FILE.safetensors` writes "
            "files that do"
        )
    model = build_network(about.model, about.facts)
    pretrained.load_into(model, weights, about.model, about.facts)
    return model.eval()


def _description(trained: Trained, run: str, checkpoint: str) -> WeightsDescription:
    config = trained.config
    return WeightsDescription(
        model=config.model,
        facts=trained.facts,
        dataset=config.dataset,
        norm=config.norm,
        eps=config.eps,
        run=run,
        checkpoint=checkpoint,
        step=trained.step,
    )


def _common_names(network: nn.Module, config: ModelConfig) -> dict[str, str]:
    """The exported name of each tensor: `1.3.conv1.weight` is `layer1.2.conv1.weight`."""
    modules = common_modules(config)
    found = {"0.mean": "mu", "0.std": "sigma"}
    for name in network.state_dict():
        if name in found:
            continue
        _, _, rest = name.partition(".")  # the number in the Sequential of normalisation and network
        if modules is None:
            found[name] = rest
            continue
        number, _, inside = rest.partition(".")
        found[name] = common_parts(f"{modules[number]}.{inside}", config.name)
    return found
