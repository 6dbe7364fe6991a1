"""A trained run goes to other programs and to the Hub, and comes back, on the real command line."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from engine import load_model
from engine.protocol.rundir import RunDir
from tests.support.fake_hub import TOKEN, FakeHub, fake_hub
from tests.support.shell import QUICK, fastadv, only_run
from tests.support.waiting import seconds

WITH_HUB = pytest.mark.skipif(find_spec("huggingface_hub") is None, reason="needs huggingface_hub")


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a run that is done."""
    folder = tmp_path_factory.mktemp("trained") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTADV_HOME", str(folder))
        done = fastadv("run", "digits", *QUICK)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(trained_home: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    """A run that is done, in a home of this test's own. The working folder is that of the test."""
    shutil.copytree(trained_home, home)
    monkeypatch.chdir(tmp_path)
    return only_run(home)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    with fake_hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        yield found


def test_exported_weights_are_evaluated_without_a_word_about_the_network(run: RunDir, tmp_path: Path) -> None:
    exported = fastadv("export", run.id, "--weights", "w.safetensors")
    assert (exported.returncode, exported.stdout) == (0, "w.safetensors\n"), exported.stderr
    images = torch.rand(4, 1, 8, 8)
    assert torch.equal(load_model(tmp_path / "w.safetensors")(images), load_model(run.path)(images))
    by_file = fastadv("eval", "w.safetensors", "--attack", "pgd-2", "--json")
    by_run = fastadv("eval", run.id, "--again", "--json")
    assert by_file.returncode == 0, by_file.stderr
    measured = [json.loads(done.stdout.splitlines()[-1]) for done in (by_file, by_run)]
    for key in ("clean", "robust", "eps", "images", "norm"):
        assert measured[0][key] == measured[1][key], key


def test_the_folder_for_robustbench_stands_alone(run: RunDir, tmp_path: Path) -> None:
    assert fastadv("eval", run.id, "--attack", "pgd-3").returncode == 0
    done = fastadv("export", run.id, "--format", "robustbench", "-o", "mine")
    assert (done.returncode, done.stdout) == (0, "mine\n"), done.stderr
    assert f"fastadv eval {run.id} --attack aa" in done.stderr
    code = "import sys; sys.modules['engine'] = None; sys.path.insert(0, 'mine'); import model, torch\n"
    code += "print(model.load()(torch.ones(1, 1, 8, 8) / 2).tolist())"
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=seconds(60))
    assert alone.returncode == 0, alone.stderr
    expected = load_model(run.path)(torch.ones(1, 1, 8, 8) / 2)
    torch.testing.assert_close(torch.tensor(json.loads(alone.stdout)), expected, rtol=0, atol=1e-5)
    (info,) = (tmp_path / "mine" / "model_info").rglob("*.json")
    assert info.parent == tmp_path / "mine" / "model_info" / "other" / "Linf"
    again = fastadv("export", run.id, "--format", "robustbench", "-o", "mine")
    assert (again.returncode, again.stderr) == (
        2, "fastadv: mine exists already; remove it, or choose another name with -o\n",
    )  # fmt: skip
    assert sorted(os.listdir()) == ["home", "mine"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--weights", "w.bin"], "let the name end in .safetensors, .pt or .pth"),
        (["--weights", "missing/w.pt"], "missing is no folder"),
        (["--weights", "w.pt", "--dtype", "fp8"], "--dtype 'fp8': use fp32, fp16, bf16"),
        (["--weights", "w.pt", "--format", "csv"], "--weights FILE names the format and the file"),
        (["--format", "onyx"], "use jsonl, csv, corruptions, parquet, tensorboard, onnx, robustbench or card"),
        (["--format", "csv", "-o", "home"], "cannot write"),
        (["--format", "card", "--dtype", "fp16"], "--dtype is for --weights"),
        (["--weights", "w.pt", "--license", "mit"], "--license is for --format card"),
        (["--which", "best"], "--which is for the network of a run"),
        (["--weights", "home"], "home is a folder; type the name of a file"),
        (["--format", "card", "--which", "middle"], "--which 'middle': use last or best"),
    ],
)
def test_a_wrong_option_is_one_line_and_leaves_nothing(run: RunDir, words: list[str], said: str) -> None:
    done = fastadv("export", run.id, *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert os.listdir() == ["home"]


@WITH_HUB
def test_a_run_goes_to_the_hub_and_is_evaluated_from_there(run: RunDir, hub: FakeHub) -> None:
    done = fastadv("push", run.id, "me/net", "--license", "mit")
    assert (done.returncode, done.stdout) == (0, f"{hub.url}/me/net\n"), done.stderr
    assert hub.private == {"me/net": True}
    assert {*hub.repos["me/net"]} == {"README.md", "model.safetensors"}
    card = hub.repos["me/net"]["README.md"].decode()
    assert 'license: "mit"' in card
    assert "fastadv eval hf:me/net --eps 51" in card
    measured = fastadv("eval", "hf:me/net", "--attack", "pgd-2", "--json")
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout.splitlines()[-1])["eps"] == [0.2]
    public = fastadv("push", run.id, "me/other", "--public")
    assert public.returncode == 0, public.stderr
    assert hub.private["me/other"] is False


@WITH_HUB
def test_a_push_that_the_hub_refuses_is_one_line_without_the_secret(
    run: RunDir, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wr0ng")
    refused = fastadv("push", run.id, "me/net")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert "401: no token of the Hub: type `hf auth login`, or set HF_TOKEN" in refused.stderr
    assert "hf_wr0ng" not in refused.stderr
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    gone = fastadv("push", run.id, "me/net")
    assert (gone.returncode, gone.stderr.count("\n")) == (2, 1)
    assert "cannot push to http://127.0.0.1:9/me/net" in gone.stderr


def test_a_name_with_tricks_is_refused_before_anything_starts(home: Path) -> None:
    for name in ("../x", "me/../../x", "https://huggingface.co/me/net", "me net/x", "me"):
        done = fastadv("push", "last", name)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "is no repository of the Hub; write USER/REPO" in done.stderr
