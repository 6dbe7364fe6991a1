"""The answers of `engine --check` and `--doctor`: one JSON line, and exit code 2 for what cannot start."""

import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.commands import check
from engine.config.presets import build
from tests.support.engine import ask
from tests.support.folders import tree
from tests.support.official_data import write_cifar10, write_mnist


def answer(capfdbinary: pytest.CaptureFixture[bytes], request: bytes) -> tuple[int, dict[str, Any]]:
    code = check.check(request)
    out = capfdbinary.readouterr().out
    assert out.count(b"\n") == 1
    return code, msgspec.json.decode(out)


def asked(dataset: str, typed: dict[str, Any]) -> bytes:
    return msgspec.json.encode(build(dataset, typed))


def test_check_answers_with_facts_of_the_data_set(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, facts = answer(capfdbinary, asked("digits", {}))
    assert (code, facts["type"]) == (0, "Checked")
    assert (facts["train_images"], facts["test_images"], facts["official_data"]) == (1437, 360, True)
    assert len(facts["data_fingerprint"]) == 12


def test_check_answers_once_for_several_runs(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    fine, refused = asked("digits", {"batch_size": 7}), asked("digits", {"batch_size": 1438})
    code, facts = answer(capfdbinary, fine + b"\n" + asked("digits", {"holdout": 100}))
    assert (code, facts["type"], facts["train_images"]) == (0, "Checked", 1337)
    for lines in ([refused, fine], [fine, refused], [fine, refused, fine]):
        code, said = answer(capfdbinary, b"\n".join(lines))
        assert (code, said["type"]) == (2, "Refused")
        assert "batch_size = 1438" in said["message"]


@pytest.mark.parametrize("which", ["digits", "cifar10", "mnist"])
def test_check_of_a_data_set_in_memory_loads_no_torch(tmp_path: Path, which: str) -> None:
    """Loading torch would take ten times as long as the rest."""
    write_mnist(tmp_path / "data", packed=True)
    write_cifar10(tmp_path / "data")
    typed = {"device": "cpu", "data_dir": str(tmp_path / "data"), "batch_size": 3}
    code, out, err = ask("--check", stdin=asked(which, typed), PYTHONPROFILEIMPORTTIME="1")
    assert (code, msgspec.json.decode(out)["type"]) == (0, "Checked"), err
    imported = {line.rpartition("|")[2].strip() for line in err.decode().splitlines()}
    assert "numpy" in imported
    assert not {"torch", "torchvision", "sklearn"} & imported


@pytest.mark.parametrize(
    ("dataset", "typed", "error"),
    [
        ("digits", {"batch_size": 1438}, "batch_size = 1438"),
        ("digits", {"device": "cuda:99"}, "device = cuda:99 is not there"),
        ("digits", {"capture": "on"}, "capture = on, but the run gets no GPU; use --set capture=auto"),
        ("mnist", {"data_dir": "/nowhere/at/all"}, "/nowhere/at/all does not exist"),
    ],
)
def test_check_refuses_a_run_that_cannot_start_in_one_line(
    capfdbinary: pytest.CaptureFixture[bytes], dataset: str, typed: dict[str, Any], error: str
) -> None:
    code, said = answer(capfdbinary, asked(dataset, typed))
    assert code == 2
    assert list(said) == ["type", "message"]
    assert said["type"] == "Refused"
    assert error in said["message"]
    assert "\n" not in said["message"]


def test_check_names_a_damaged_file(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    path.write_bytes(path.read_bytes()[:100])
    code, said = answer(capfdbinary, asked("cifar", {"data_dir": str(tmp_path), "batch_size": 2}))
    assert code == 2
    assert str(path) in said["message"]


def test_check_names_a_file_whose_name_is_not_utf8(capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    (tree(tmp_path) / "train" / os.fsdecode(b"\xff")).write_bytes(b"no class")
    code, said = answer(capfdbinary, asked(f"imagefolder:{tmp_path}", {}))
    assert code == 2
    assert rf"{tmp_path}/train/\udcff is a file; expected a folder for each class" in said["message"]


@pytest.mark.parametrize(
    "request_", [b"", b"{torn", b"\xff\xfe", b"[]", b'{"dataset":"\xff"}', b'{"dataset":"digits"}', b"null"]
)
def test_check_refuses_input_that_is_no_configuration(
    capfdbinary: pytest.CaptureFixture[bytes], request_: bytes
) -> None:
    code, said = answer(capfdbinary, request_)
    assert code == 2
    assert "the configuration is not valid" in said["message"]


def test_the_check_process_answers_with_one_json_line_on_standard_output() -> None:
    code, out, err = ask("--check", stdin=asked("digits", {"device": "cuda:0"}))
    assert code == 2
    assert "this machine has no usable GPU" in msgspec.json.decode(out)["message"]
    assert err == b""


def test_the_check_of_a_run_that_takes_a_gpu_looks_at_torch() -> None:
    code, out, err = ask("--check", "gpu", stdin=asked("digits", {}))
    assert code == 2
    assert msgspec.json.decode(out)["message"].startswith("device = auto: torch cannot use this machine's GPU: ")
    assert err == b""


def test_doctor_reports_the_device_and_what_it_finds_of_each_data_set(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    code, out, _ = ask("--doctor", str(tmp_path))
    facts = msgspec.json.decode(out)
    assert code == 0
    assert facts["device"] == "cpu"
    assert "20 training and 4 test images, not the official files" in facts["data"]["cifar10"]
    assert "official release" in facts["data"]["digits"]
    assert "no mnist in" in facts["data"]["mnist"]


def test_a_machine_without_a_folder_for_temporary_files_is_told_what_to_do(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_training_data(config: object, fetch: bool) -> None:
        tempfile.gettempdir()

    with monkeypatch.context() as patch:  # pytest needs such a folder, too
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere/at/all"])
        patch.setattr(check, "open_training_data", open_training_data)
        code, said = answer(capfdbinary, asked("digits", {}))
    assert code == 2
    assert said["message"] == (
        "No usable temporary directory found in ['/nowhere/at/all']; make room in one of them, or set TMPDIR to "
        "another folder"
    )
