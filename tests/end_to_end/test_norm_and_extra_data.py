"""`--norm l2` and `--extra-data` as a shell sees them: what is shown, what is refused, and what can be compared."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.shell import QUICK, fastadv, only_run


def test_a_run_in_l2_shows_plain_sizes_in_every_place(home: Path) -> None:
    trained = fastadv("run", "digits", *QUICK, "--norm", "l2", "--eps", "1.25")
    assert trained.returncode == 0, trained.stderr
    assert "eps 1.25 (l2)" in trained.stdout + trained.stderr
    name = only_run(home).id
    measured = fastadv("eval", name, "--eps", "0.5,1.5")
    assert "l2 eps       0.5  PGD-2" in measured.stdout
    places = [
        fastadv("show", name),
        fastadv("show", name, "--toml"),
        fastadv("runs"),
        fastadv("runs", "--columns", "id,norm,eps,alpha,eval.step_size,evaluations"),
        fastadv("runs", "--format", "csv"),
        fastadv("compare", name, name),
    ]
    shown = "".join(done.stdout + done.stderr for done in (trained, measured, *places))
    assert all(done.returncode == 0 for done in places), shown
    assert "/255" not in shown
    assert "digits-fgsm-l2-eps1.25" in shown
    assert "under PGD-2, l2 eps 0.5, 360 test images of digits" in places[0].stdout
    (row,) = json.loads(fastadv("runs", "--json").stdout)
    assert (row["norm"], row["eps"]) == ("l2", 1.25)
    in_linf = fastadv("eval", name, "--norm", "linf", "--eps", "8")
    assert "eps     8/255  PGD-2" in in_linf.stdout
    (row,) = json.loads(fastadv("runs", "--filter", "norm=l2 eps>1", "--json").stdout)
    assert [record["norm"] for record in row["evaluations"]] == ["l2", "l2", "linf"]


def test_extra_data_are_trained_on_and_are_not_needed_to_evaluate(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "extra.npz"
    np.savez(file, image=np.full((30, 8, 8, 1), 99, np.uint8), label=np.arange(30) % 10)
    trained = fastadv("run", "digits", *QUICK, "--extra-data", str(file), "--extra-fraction", "0.5")
    assert trained.returncode == 0, trained.stderr
    assert "50% of each minibatch are from the 30 images" in trained.stdout + trained.stderr
    file.unlink()
    assert fastadv("eval", only_run(home).id, "--again").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--norm", "l1"], "norm: 'l1' is unknown; use linf or l2"),
        (["--norm", "l2"], "type an eps, as 0.5 or 128/255"),
        (["--norm", "l2", "--eps", "-1"], "0.5 or 128/255"),
        (["--extra-data", "nowhere.npz"], "No such file"),
        (["--extra-data", "bad.npz"], "has no array image"),
        (["--extra-data", "bad.npz", "--extra-fraction", "1"], "extra_fraction"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(home: Path, tmp_path: Path, words: list[str], said: str) -> None:
    np.savez(tmp_path / "bad.npz", label=np.zeros(3))
    done = fastadv("run", "digits", *[str(tmp_path / word) if word.endswith(".npz") else word for word in words])
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / "runs").exists() or not [*(home / "runs").iterdir()]


def test_extra_data_for_a_folder_of_images_are_refused(home: Path, tmp_path: Path) -> None:
    done = fastadv("run", f"imagefolder:{tmp_path}", "--extra-data", "a.npz")
    assert done.returncode == 2
    assert "extra_data is not supported for a folder of images" in done.stderr
