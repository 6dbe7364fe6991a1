"""The description in a file of weights is read without torch, and no file can make the reader fail."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.config.networks import NETWORKS
from engine.protocol.weights_description import KEY, PLAIN, read_description


def header(content: object, claimed: int | None = None) -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return (len(text) if claimed is None else claimed).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x05", header({}), header({"__metadata__": {}}), header({"__metadata__": 7}),
        header({"__metadata__": {KEY: "{}"}}), header({"__metadata__": {KEY: "[" * 5000}}),
        header({"__metadata__": {KEY: 7}}), header(b"\xff\xfe"), header(b"[" * 5000),
        header({"__metadata__": {}}, claimed=2**63), header({"__metadata__": {}}, claimed=2**40),
    ],
)  # fmt: skip
def test_a_file_without_a_description_gives_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    assert read_description(tmp_path / "w.safetensors") is None


@pytest.mark.parametrize("name", ["os:system", "evil.py:make", "/tmp/evil.py:make", "a/b", "timm:../x", "x y"])
def test_a_description_cannot_name_code(name: str) -> None:
    assert not PLAIN.fullmatch(name)


@pytest.mark.parametrize("name", [*NETWORKS, "resnet50", "wide_resnet50_2", "timm:resnet18.a1_in1k"])
def test_a_description_names_networks_that_are_known(name: str) -> None:
    assert PLAIN.fullmatch(name)


def test_a_file_of_another_program_gives_none(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(3)}, tmp_path / "w.safetensors", metadata={"format": "pt"})
    assert read_description(tmp_path / "w.safetensors") is None
    assert read_description(tmp_path) is None
    assert read_description(tmp_path / "missing") is None
