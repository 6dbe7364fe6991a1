"""Runs of other programs become rows and curves; hostile files are refused by name, and leave nothing behind."""

import contextlib
import json
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.protocol.rundir import RunDir
from engine.protocol.tensorboard.crc import masked_crc
from engine.protocol.tensorboard.messages import event, file_version, restart, scalar, session_start, summary
from engine.protocol.tensorboard.records import MAX_RECORD, framed
from engine.protocol.tensorboard.wire import integer, message, text
from fastadv_tui.api import find_runs
from fastadv_tui.errors import UserError
from fastadv_tui.foreign import found as limits
from fastadv_tui.foreign.figures import parse_maps
from fastadv_tui.foreign.found import ImportFileError
from fastadv_tui.foreign.import_runs import READERS, import_runs
from fastadv_tui.foreign.make import Typed
from fastadv_tui.foreign.wandb_file import HEADER
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import setting_of
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.runs.foreign import Source
from fastadv_tui.terminal.export_formats import export_events
from tests.support import demo_home
from tests.support.shell import fastadv

CURVE = """epoch,train_loss,test_acc,adv_acc
1,2.1,35.0,20.5
2,1.9,45.0,30.5
3,1.5,55.0,0.3
"""
EIGHT = Typed(dataset="cifar", eps="8", attack="pgd-20", images=10_000)


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(source: Source, path: Path, typed: Typed | None = None) -> str:
    """The message of an import that is refused: it names the file, has one line, and nothing was made."""
    with pytest.raises(UserError) as error:
        import_runs(source, path, typed or Typed())
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert [*runs_dir().iterdir()] == []
    return str(error.value)


def test_a_curve_in_percent_becomes_a_row_with_its_curve(tmp_path: Path) -> None:
    (row,) = import_runs("csv", written(tmp_path / "c.csv", CURVE), EIGHT, ["zoo"])
    assert (row.status, row.name, row.dataset, row.tags) == ("foreign", "c", "cifar10", ["zoo"])
    assert (row.eps, row.attack, row.images, row.final) == (8 / 255, "pgd-20", 10_000, False)
    assert row.curve == [(1.0, 0.35, 0.205), (2.0, 0.45, 0.305), (3.0, 0.55, 0.003)]
    assert (row.clean, row.robust) == (pytest.approx(0.55), pytest.approx(0.003))
    assert row.reason == f"imported from csv: {tmp_path}/c.csv"
    assert History().get(row.id) == row
    History().reindex()
    assert History().get(row.id) == row


def test_a_figure_that_the_file_lacks_is_unknown_and_not_zero(tmp_path: Path) -> None:
    import_runs("csv", written(tmp_path / "c.csv", CURVE), EIGHT)
    (run,) = find_runs("status=foreign")
    assert run.curve("loss").values == [2.1, 1.9, 1.5]
    assert [*run.curve("lr")] == [*run.curve("accuracy")] == [*run.curve("images_per_second")] == []
    assert run.settings["model.width"] is None


def test_the_defaults_of_our_settings_are_not_those_of_a_foreign_run() -> None:
    row = Row(id="a", status="foreign", dataset="cifar10", method="pgd", eps=0.25, settings={"bs": 64})
    assert setting_of(row, "optim.lr") is None
    assert (setting_of(row, "bs"), setting_of(row, "method.name"), setting_of(row, "eps")) == (64, "pgd", 0.25)


def test_a_table_of_results_becomes_a_row_for_each_line(tmp_path: Path) -> None:
    table = "name,method,eps,seed,clean,robust\nA,fgsm,8,0,0.8,0.45\nB,pgd,4/255,1,79%,48%\nC,free,8,2,,0.4\n"
    by_eight = 8 / 255
    rows = import_runs("csv", written(tmp_path / "t.csv", table), Typed(dataset="cifar10"))
    assert [(row.name, row.method, row.eps, row.seed, row.clean, row.robust) for row in rows] == [
        ("A", "fgsm", by_eight, 0, 0.8, 0.45),
        ("B", "pgd", 4 / 255, 1, 0.79, 0.48),
        ("C", "free", by_eight, 2, None, 0.4),
    ]
    assert all(row.final and not row.curve for row in rows)


def test_our_own_exports_come_back_with_the_same_curves(tmp_path: Path) -> None:
    demo_home.past()
    own = History().find("p0st00")
    runs = [RunDir(runs_dir() / own.id)]
    export_events(runs, "csv", tmp_path / "own.csv")
    export_events(runs, "tensorboard", tmp_path / "own")
    typed = Typed(dataset="cifar10", eps="8")
    for source, path in (("csv", tmp_path / "own.csv"), ("tensorboard", tmp_path / "own")):
        (row,) = import_runs(source, path, typed)  # type: ignore[arg-type]
        assert row.curve == own.curve
        assert (row.clean, row.robust, row.final) == (pytest.approx(own.clean), pytest.approx(own.robust), True)
    assert row.method == "fgsm"  # of the hparams
    assert row.settings["model.width"] == 64.0


def test_an_import_that_is_repeated_replaces_the_run_and_keeps_its_notes(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", CURVE)
    (first,) = import_runs("csv", path, EIGHT)
    assert fastadv("tag", first.id, "mine").returncode == 0
    written(path, CURVE + "4,1.4,60.0,33.0\n")
    (second,) = import_runs("csv", path, EIGHT, ["zoo"])
    assert (second.id, second.tags, len(second.curve)) == (first.id, ["mine", "zoo"], 4)
    assert len(History().rows()) == 1


def test_a_folder_of_our_own_is_never_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", CURVE)
    (row,) = import_runs("csv", path, EIGHT)
    (runs_dir() / row.id / "foreign.json").unlink()
    with pytest.raises(UserError, match="is in the way, and is no imported run"):
        import_runs("csv", path, EIGHT)


def test_the_command_line_imports_shows_and_compares(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", CURVE.replace("adv_acc", "my_pgd"))
    said = fastadv("import", "csv", str(path), "--dataset", "cifar", "--eps", "8", "--map", "robust=my_pgd")
    run_id = said.stdout.split()[0]
    assert "c: clean 55.0%, robust 0.3%, 3 points" in said.stdout
    shown = fastadv("show", run_id).stdout
    assert "foreign, imported from csv" in shown
    assert not {"alpha", "trained on", "in Python"} & {line.split("  ")[0] for line in shown.splitlines()}
    demo_home.past()
    compared = fastadv("compare", run_id, "p0st00").stdout
    assert "under an unknown attack or PGD-10 while training" in " ".join(compared.split())
    assert "optim.lr" not in compared  # of the foreign run unknown, so no difference
    assert run_id in fastadv("runs", "--filter", "status=foreign").stdout
    for words in (("resume", run_id), ("eval", run_id), ("rerun", run_id)):
        done = fastadv(*words)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), words
        assert done.stderr.startswith(f"fastadv: {run_id}"), words
    assert fastadv("rm", run_id, "--yes").returncode == 0


@pytest.mark.parametrize("source", READERS)
def test_a_path_that_is_not_there_or_empty_is_named(source: Source, tmp_path: Path) -> None:
    refused(source, tmp_path / "none")
    refused(source, written(tmp_path / "empty", b""))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n", "no run"),
        ("step,foo\n1,2\n", "no figure with a known name.* it has foo"),
        ("step,clean,robust\n1,0.5,-0.1\n", "no accuracy"),
        ("step,clean,robust\nx,0.5,0.1\n", "'x' as step in line 2"),
        ("step,clean,robust\n1,2,3,4\n", "4 cells in line 2"),
        ("step,clean,robust\n-1,0.5,0.1\n", "step -1"),
        ("step,clean,robust\n1e300,0.5,0.1\n", "which no training reaches"),
        ("step,clean\n1,0.5\n", "neither a loss nor clean and robust"),
        ("step,clean,robust\n1,0.5," + "9" * 20_000 + "\n", "no CSV that can be read"),
        (",".join(f"c{number}" for number in range(3000)) + "\n", "more than 2,000 columns"),
        ("name,robust,eps\na,0.4,many\n", "the eps 'many'"),
        ("name,robust,seed\na,0.4,1.5\n", "'1.5' as seed"),
        ("name,robust,norm\na,0.4,l7\n", "the norm 'l7'"),
        ("name,robust\n" + "a,0.4\n" * 1001, "more than 1,000 runs"),
        ("step,run,loss\n" + "".join(f"1,{number},2\n" for number in range(1001)), "more than 1,000 runs"),
    ],
)
def test_a_csv_that_cannot_be_is_refused_by_its_fault(content: str, said: str, tmp_path: Path) -> None:
    assert re.search(said, refused("csv", written(tmp_path / "c.csv", content)))


def test_a_csv_with_endless_lines_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_POINTS", 10)
    assert "more than 10 points" in refused("csv", written(tmp_path / "c.csv", "step,loss\n" + "1,2\n" * 11))


def test_a_csv_with_a_line_that_does_not_end_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of zeros, which takes no room
    assert "a line of more than 1,000,000 characters" in refused("csv", path)


@pytest.mark.parametrize("source", READERS)
def test_a_pipe_or_a_device_is_not_read(source: Source, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run-tfevents.wandb")
    for path in (tmp_path / "run-tfevents.wandb", Path("/dev/zero")):
        assert " no " in refused(source, path)
    if source != "csv":
        assert " no " in refused(source, tmp_path)


def test_values_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    content = "step,loss,clean,robust\n1,nan,0.5,0.25\n2,inf,0.5,0.25\n3,1.5,0.6,0.3\n"
    import_runs("csv", written(tmp_path / "c.csv", content), EIGHT)
    (run,) = find_runs("status=foreign")
    assert run.curve("loss").values == [1.5]
    assert run.curve("robust").values == [0.25, 0.25, 0.3]


def tensorboard_file(*events: bytes) -> bytes:
    return b"".join(framed(each) for each in (event(1.0, file_version()), *events))


def test_a_folder_of_tensorboard_runs_is_read_with_restarts_and_settings(tmp_path: Path) -> None:
    hparams = session_start({"epsilon": 8.0, "method": "pgd", "flag": True}, "", 1.0)
    first = tensorboard_file(
        event(1.0, summary([hparams])), *(event(2.0, summary([scalar("loss", 9.0)]), step=step) for step in (10, 20))
    )
    second = tensorboard_file(
        event(3.0, restart(), step=11),
        event(4.0, summary([scalar("loss", 0.5), scalar("val/acc", 0.75), scalar("val/pgd", 0.5)]), step=20),
    )
    written(tmp_path / "logs" / "a" / "events.out.tfevents.1", first)
    written(tmp_path / "logs" / "a" / "events.out.tfevents.2", second)
    written(tmp_path / "logs" / "b" / "deep" / "events.out.tfevents.1", second)
    rows = import_runs("tensorboard", tmp_path / "logs", Typed(maps=parse_maps(["robust=val/pgd"])))
    assert [row.name for row in rows] == ["a", "b/deep"]
    assert (rows[0].method, rows[0].eps, rows[0].robust) == ("pgd", 8 / 255, 0.5)
    assert find_runs(rows[0].id)[0].curve("loss").values == [9.0, 0.5]


@pytest.mark.parametrize(
    "tensor",
    [
        integer(1, 1) + message(4, struct.pack("<f", 0.25)),
        integer(1, 1) + message(5, struct.pack("<f", 0.25)),
        integer(1, 2) + message(6, struct.pack("<d", 0.25)),
    ],
)
def test_scalars_that_are_tensors_are_read(tensor: bytes, tmp_path: Path) -> None:
    """TensorBoard's and TensorFlow 2's own writers write them so."""
    value = text(1, "loss") + message(8, tensor)
    content = tensorboard_file(event(1.0, summary([value]), step=7))
    (row,) = import_runs("tensorboard", written(tmp_path / "events.out.tfevents.1", content), EIGHT)
    assert [*find_runs(row.id)[0].curve("loss").values] == [0.25]


def endless_tags() -> bytes:
    values = [scalar(f"tag{number}", 1.0) for number in range(2001)]
    return tensorboard_file(event(1.0, summary(values), step=1))


def huge_length() -> bytes:
    length = struct.pack("<Q", 1 << 62)
    return length + struct.pack("<I", masked_crc(length))


def broken(content: bytes) -> bytes:
    return content[:-6] + bytes([content[-6] ^ 1]) + content[-5:]


LOSS = tensorboard_file(event(1.0, summary([scalar("loss", 1.0)]), step=1))
HOSTILE: list[tuple[str, Callable[[], bytes]]] = [
    ("more than 2,000 names of figures", endless_tags),
    (f"more than {MAX_RECORD:,}", huge_length),
    ("is damaged: its checksum is wrong", lambda: broken(LOSS)),
    ("no TensorBoard record begins at byte 0", lambda: b"x" * 100),
    ("ends within a field", lambda: framed(b"\x0a\xff\x01a")),
    ("a text of 20,000 characters", lambda: tensorboard_file(event(1.0, summary([scalar("x" * 20_000, 1.0)]), step=1))),
    ("the step -5", lambda: tensorboard_file(event(1.0, summary([scalar("loss", 1.0)]), integer(2, -5)))),
    ("has no figure with a known name", lambda: tensorboard_file()),
]


@pytest.mark.parametrize(("said", "content"), HOSTILE, ids=[said for said, _ in HOSTILE])
def test_a_hostile_event_file_is_refused_by_its_fault(said: str, content: Callable[[], bytes], tmp_path: Path) -> None:
    assert said in refused("tensorboard", written(tmp_path / "events.out.tfevents.1", content()))


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret", LOSS)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events.out.tfevents.1").symlink_to(secret)
    assert "has no event file" in refused("tensorboard", tmp_path / "logs")


def wandb_file(*records: bytes) -> bytes:
    content = HEADER
    for record in records:
        content += struct.pack("<IHB", zlib.crc32(record, zlib.crc32(b"\x01")), len(record), 1) + record
    return content


def history(step: int, **values: Any) -> bytes:
    items = {"step": step, **{name.replace("__", "/"): value for name, value in values.items()}}
    parts = [message(1, text(2, name), text(16, json.dumps(value))) for name, value in items.items()]
    return message(2, *parts)


def config(**values: Any) -> bytes:
    return message(5, *(message(1, text(1, name), text(16, json.dumps(value))) for name, value in values.items()))


def test_an_offline_run_of_wandb_is_read(tmp_path: Path) -> None:
    records = (
        message(17, text(1, "abc"), text(8, "my run")),
        config(eps=8, method="pgd", nested={"a": 1}),
        history(10, train__loss=2.0, epoch=1),
        history(20, train__loss=1.0, epoch=2, **{"test__acc": 70.0, "test__adv_acc": 40.0}),
    )
    folder = tmp_path / "wandb" / "offline-run-1"
    written(folder / "run-abc.wandb", wandb_file(*records))
    (row,) = import_runs("wandb-offline", tmp_path / "wandb", Typed(dataset="cifar10"))
    assert (row.name, row.method, row.eps, row.clean, row.robust) == ("my run", "pgd", 8 / 255, 0.7, 0.4)
    assert row.settings["nested"] == '{"a": 1}'
    assert find_runs(row.id)[0].curve("loss").epochs == [1.0, 2.0]


def test_a_record_over_several_blocks_is_read(tmp_path: Path) -> None:
    rest = history(10, train__loss=2.0, **{f"{number:050d}": 0.5 for number in range(1200)})
    content, kind = HEADER, 2
    while rest:
        room = 32768 - len(content) % 32768 - 7
        part, rest = rest[:room], rest[room:]
        kind = kind if rest else 4
        content += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
        kind = 3
    assert len(content) > 2 * 32768
    (row,) = import_runs("wandb-offline", written(tmp_path / "run-abc.wandb", content), EIGHT)
    assert find_runs(row.id)[0].curve("loss").values == [2.0]


@pytest.mark.parametrize(
    ("said", "content"),
    [
        ("its first bytes are wrong", b"PK\x03\x04" + bytes(50)),
        ("its checksum is wrong", broken(wandb_file(history(1, loss=1.0)))),
        ("its parts do not fit", HEADER + struct.pack("<IHB", zlib.crc32(b"a", zlib.crc32(b"\x03")), 1, 3) + b"a"),
        ("a text of 20,002 characters", wandb_file(history(1, loss="x" * 20_000))),
        ("has no figure", wandb_file(message(17, text(8, "name")))),
        ("neither a loss", wandb_file(history(1, clean=0.5))),
    ],
)
def test_a_hostile_file_of_wandb_is_refused_by_its_fault(said: str, content: bytes, tmp_path: Path) -> None:
    assert said in refused("wandb-offline", written(tmp_path / "run-a.wandb", content))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), source=st.sampled_from([*READERS]))
def test_a_damaged_file_is_read_or_refused(data: st.DataObject, source: Source, tmp_path: Path) -> None:
    """Any bytes, and valid files with changed bytes: no error but one that names the file."""
    whole = {
        "csv": CURVE.encode(),
        "tensorboard": LOSS,
        "wandb-offline": wandb_file(history(10, loss=2.0), config(eps=8)),
    }[source]
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = written(tmp_path / "run-a.wandb", bytes(content[: data.draw(st.integers(0, len(content)))]))
    with contextlib.suppress(UserError):
        READERS[source](path)


def test_no_name_of_a_run_is_a_path(tmp_path: Path) -> None:
    """Names come from the file; folders are named by a hash of them."""
    content = "name,robust\n../../evil,0.4\n/etc/passwd,0.3\n"
    rows = import_runs("csv", written(tmp_path / "t.csv", content), EIGHT)
    assert sorted(os.listdir(runs_dir())) == sorted(row.id for row in rows)
    assert all(row.id.isalnum() for row in rows)


def test_one_name_for_several_runs_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "name,robust\nA,0.4\nB,0.3\n")
    assert "2 runs, which cannot have one name" in refused("csv", path, Typed(name="mine"))


@pytest.mark.parametrize("word", ["robust", "rubust=x", "robust="])
def test_a_wrong_map_is_refused_with_the_figures(word: str) -> None:
    with pytest.raises(UserError, match="type FIGURE=NAME"):
        parse_maps([word])


def test_a_typed_figure_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    typed = Typed(maps=parse_maps(["robust=val/pgd"]))
    assert "has no 'val/pgd'; it has adv_acc" in refused("csv", written(tmp_path / "c.csv", CURVE), typed)


def test_errors_of_import_name_the_class_that_the_face_prints() -> None:
    assert issubclass(ImportFileError, UserError)
