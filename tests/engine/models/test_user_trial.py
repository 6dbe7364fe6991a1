"""The network of a user's own is tried before a run is queued: what cannot be trained is refused in one line."""

from pathlib import Path

import pytest
import torch

from engine.config.datasets import datasets
from engine.config.errors import ConfigError
from engine.config.presets import build
from engine.models.user_trial import try_user_network
from tests.support import user_networks

FACTS = datasets()["digits"].facts
assert FACTS is not None


def attempt(path: Path, text: str, **settings: object) -> bytes:
    network = user_networks.write(path, text)
    return try_user_network(build("digits", {"model.name": network, **settings}), FACTS, then=lambda: b"further")


@pytest.mark.parametrize("text", [user_networks.RIGHT, user_networks.LINEAR], ids=["right", "linear"])
def test_a_network_that_can_be_trained_passes(tmp_path: Path, text: str) -> None:
    assert attempt(tmp_path / "net.py", text) == b"further"


@pytest.mark.parametrize("fault", user_networks.WRONG)
def test_a_network_that_cannot_be_trained_is_refused_in_one_line(tmp_path: Path, fault: str) -> None:
    text, words = user_networks.WRONG[fault]
    with pytest.raises(ConfigError) as caught:
        attempt(tmp_path / "net.py", text)
    assert str(caught.value).startswith(words.replace("f", "net.py", 1))
    assert "\n" not in str(caught.value)


def test_the_parent_is_as_before(tmp_path: Path) -> None:
    """Neither torch's generator nor its threads nor a module of the child is seen here."""
    torch.manual_seed(3)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    attempt(tmp_path / "net.py", "import torch\ntorch.manual_seed(0)\n" + user_networks.RIGHT)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_what_follows_runs_in_the_child_too(tmp_path: Path) -> None:
    def then() -> bytes:
        raise ConfigError("refused by what follows")

    config = build("digits", {"model.name": user_networks.write(tmp_path / "net.py")})
    with pytest.raises(ConfigError, match="refused by what follows"):
        try_user_network(config, FACTS, then=then)
