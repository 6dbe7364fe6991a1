"""`fastadv doctor`: what the engine knows of this machine, and where things lie."""

import json
import platform
from pathlib import Path

from tests.support.shell import fastadv

KEYS = [
    "fastadv", "python", "torch", "cuda", "platform", "cpu", "gpus", "no_gpu", "device", "precision",
    "precision_reason", "data", "driver", "numbers", "refused", "home", "data_dir",
]  # fmt: skip


def test_its_json_is_one_object_with_the_facts_of_both_sides(home: Path) -> None:
    done = fastadv("doctor", "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, list(facts)) == (0, KEYS)
    assert (facts["python"], facts["home"]) == (platform.python_version(), str(home))
    assert facts["data"]["digits"] == "1,437 training and 360 test images, official release"
    assert set(facts["data"]) == {"digits", "mnist", "cifar10", "cifar100", "svhn", "tiny-imagenet"}
