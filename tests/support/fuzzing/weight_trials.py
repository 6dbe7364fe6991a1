"""Mutated files of weights, in every form that is read, and what a network must hold after reading them."""

import gzip
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn

from engine.config.datasets import datasets
from engine.config.errors import ConfigError
from engine.config.sections import ModelConfig
from engine.models import pretrained
from engine.models.build import build_network
from engine.models.weight_candidates import counts
from engine.protocol.requests import Refused
from tests.support.fuzzing.byte_mutations import mutated
from tests.support.fuzzing.tensor_mutations import TENSOR_MUTATIONS, Content, State
from tests.support.fuzzing.trial import Trial, WrongError

FACTS = datasets()["digits"].facts
NETWORKS = {
    "digits-cnn": ModelConfig(name="digits-cnn", width=4),
    "preact-resnet18": ModelConfig(name="preact-resnet18", width=4, depth=1),
}


@cache
def network(name: str) -> nn.Module:
    """A network with random weights and statistics."""
    torch.manual_seed(0)
    model = build_network(NETWORKS[name], FACTS)
    for buffer, value in model.named_buffers():
        if value.is_floating_point() and not buffer.startswith("0."):
            value.copy_(torch.rand(value.shape) + 0.5)
    return model


def original(name: str) -> State:
    """The tensors that the file of a network must bring, by our names."""
    return {key: value.clone() for key, value in network(name).state_dict().items() if counts(key)}


def weight_trial(rng: Random, folder: Path) -> Trial:
    """A file of weights in `folder`. One half of the mutations are of bytes, and the others of tensors."""
    model = rng.choice([*NETWORKS])
    content = _unchanged(model)
    if rng.random() < 0.3:  # of the network alone, without our normalisation
        content.state = {key[2:]: value for key, value in content.state.items() if key.startswith("1.")}
        content.expected = {key: value for key, value in original(model).items() if key.startswith("1.")}
    if rng.random() < 0.5:
        path, form, content = _with_other_tensors(rng, folder, model, content)
    else:
        form = rng.choice([*FORMS])
        path, has_checksums = FORMS[form](folder, content.state, rng, content)
        content.refused, content.expected = None, content.expected if has_checksums else None
    words = ["--model", model, "--set", "model.width=4"]
    words += ["--set", "model.depth=1"] if model.startswith("preact") else []
    return Trial(
        f"{form} of {model}: {content.what}",
        lambda: _read(path, model, content),
        ("eval", str(path), "--dataset", "digits", "--eps", "0.1", "--attack", "pgd-1", "--limit", "20", *words),
    )


def _unchanged(model: str) -> Content:
    return Content(dict(network(model).state_dict()), original(model), refused=False, what="nothing")


def _with_other_tensors(rng: Random, folder: Path, model: str, content: Content) -> tuple[Path, str, Content]:
    """Write a file of mutated tensors; of the tensors as they are, if the form cannot hold the others."""
    name = content.what = rng.choice([*TENSOR_MUTATIONS])
    content.refused = None
    TENSOR_MUTATIONS[name](rng, content)
    form = rng.choice([*FORMS])
    try:
        return FORMS[form](folder, content.state, None, content)[0], form, content
    except Exception as error:  # such as a sparse tensor for safetensors
        content = _unchanged(model)
        content.what = f"no {name}: {error}"
        return FORMS[form](folder, content.state, None, content)[0], form, content


def _read(path: Path, name: str, content: Content) -> None:
    model = build_network(NETWORKS[name], FACTS)
    try:
        loaded = pretrained.load_into(model, pretrained.read(path), NETWORKS[name], FACTS)
    except ConfigError as error:
        if content.refused is False:
            raise WrongError(f"a good file was refused: {error}") from None
        raise
    words = (loaded.source, *loaded.others, *loaded.ignored, *loaded.places.values())
    try:
        msgspec.json.encode(Refused(message=" ".join(words)))
    except UnicodeEncodeError as error:
        raise WrongError(f"a name that cannot be sent: {error}") from None
    if content.refused:
        raise WrongError("the file was taken")
    found = {key: value for key, value in model.state_dict().items() if counts(key)}
    for key, value in found.items():
        if not bool(value.isfinite().all()):
            raise WrongError(f"{key} of the network is not finite")
        if content.expected is not None and key in content.expected and not _equal(value, content.expected[key]):
            raise WrongError(f"{key} of the network does not hold the values of the file")


def _equal(found: Tensor, wanted: Tensor) -> bool:
    return found.shape == wanted.shape and torch.equal(found, wanted)


# -- forms --------------------------------------------------------------------------------------------------------


def _wrapped(content: Content, state: dict[Any, Any]) -> Any:
    found: Any = state
    for key in content.wrap:
        found = {"epoch": 3, key: found, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}}
    return found


def _torch_bytes(content: Content, state: dict[Any, Any], zipped: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(_wrapped(content, state), file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def _safetensors(content: Content, state: dict[Any, Any]) -> bytes:
    return safetensors_bytes({key: value.clone(memory_format=torch.contiguous_format) for key, value in state.items()})


Writer = Callable[[Content, dict[Any, Any]], bytes]
Form = Callable[[Path, dict[Any, Any], Random | None, Content], tuple[Path, bool]]


def _file(write: Writer, has_checksums: bool) -> Form:
    """One file. If `rng` is given, its bytes are mutated."""

    def form(folder: Path, state: dict[Any, Any], rng: Random | None, content: Content) -> tuple[Path, bool]:
        data, path = write(content, state), folder / "weights"
        if rng is not None:
            data, content.what = mutated(rng, data)
        path.write_bytes(data)
        return path, has_checksums

    return form


def _shards(folder: Path, state: dict[Any, Any], rng: Random | None, content: Content) -> tuple[Path, bool]:
    """Two shards and their index. If `rng` is given, the bytes of one of the three are mutated."""
    names, cut = [*state], len(state) // 2
    parts = {"one": names[:cut], "two": names[cut:]}
    files = {shard: _safetensors(content, {name: state[name] for name in inside}) for shard, inside in parts.items()}
    places = {name: shard for shard, inside in parts.items() for name in inside}
    files["model.safetensors.index.json"] = json.dumps({"metadata": {}, "weight_map": places}).encode()
    if rng is not None:
        hit = rng.choice([*files])
        files[hit], content.what = mutated(rng, files[hit])
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder / "model.safetensors.index.json", False


FORMS: dict[str, Form] = {
    "torch": _file(_torch_bytes, True),
    "torch before 1.6": _file(lambda content, state: _torch_bytes(content, state, zipped=False), False),
    "safetensors": _file(_safetensors, False),
    "gzip": _file(lambda content, state: gzip.compress(_torch_bytes(content, state), 1, mtime=0), True),
    "gzip of torch before 1.6": _file(
        lambda c, state: gzip.compress(_torch_bytes(c, state, zipped=False), 1, mtime=0), True
    ),
    "shards": _shards,
}
