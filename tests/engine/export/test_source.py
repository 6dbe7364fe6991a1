"""The written Python file needs torch only, and its network gives the logits of ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.config.errors import ConfigError
from engine.config.networks import NETWORKS
from engine.export.source import standalone_source
from engine.export.weights import saved
from tests.support.exports import images_for, logits, trained
from tests.support.waiting import seconds

VARIANTS = {
    **{name: (name, {}) for name in NETWORKS},
    "wide enough": ("preact-resnet18", {"model.width": 8, "model.depth": 1}),
    "of wong": ("preact-resnet18", {"model.shortcut": "input", "model.final_norm": False}),
    "silu": ("preact-resnet18", {"model.activation": "silu"}),
    "gelu": ("pooled-cnn", {"model.activation": "gelu", "model.depth": 3}),
    "fan-out": ("pooled-cnn", {"model.init": "fan-out"}),
}
LOADING = """
import importlib.util, json, pathlib, sys
for name in ("engine", "fastadv_tui", "msgspec", "torchvision"):
    sys.modules[name] = None  # an import of it raises
import torch
answers = {}
for folder in pathlib.Path(sys.argv[1]).iterdir():
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load()
    assert not network.training
    with torch.no_grad():
        answers[folder.name] = network(torch.load(folder / "images.pt")).tolist()
print(json.dumps(answers))
"""


def test_every_network_gives_equal_logits_in_a_process_without_our_package(tmp_path: Path) -> None:
    wanted = {}
    for name, (network, settings) in VARIANTS.items():
        folder, of = tmp_path / name, trained(network, **settings)
        folder.mkdir()
        images = images_for(of)
        (folder / "model.py").write_text(standalone_source(of.config.model, of.facts, name, "a test"))
        (folder / "weights.pt").write_bytes(saved(of.network.state_dict()))
        torch.save(images, folder / "images.pt")
        wanted[name] = logits(of.network, images)
    words = [sys.executable, "-I", "-c", LOADING, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds(120), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        assert expected.std() > 1e-3, name  # the network does something
        torch.testing.assert_close(torch.tensor(found[name]), expected, rtol=0, atol=1e-5, msg=name)


def test_no_title_ends_the_docstring() -> None:
    of = trained("digits-cnn")
    title = 'x"""; import os; os.system("boom")\n"""\\'
    source = standalone_source(of.config.model, of.facts, title, title)
    assert compile(source, "model.py", "exec").co_consts[0].startswith("x'''; import os")


def test_a_network_of_another_package_is_refused() -> None:
    of = trained("digits-cnn")
    theirs = trained("resnet18").config.model
    with pytest.raises(ConfigError, match="resnet18 is not a network of fastadv's own"):
        standalone_source(theirs, of.facts, "", "")
