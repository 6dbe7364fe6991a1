"""A `config.json` that cannot be read is told in one line that names the setting or the fault."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.protocol.rundir import RunDir, SubmissionError
from tests.support.runs import make_run


def with_setting(place: str, name: str, value: Any) -> Callable[[Path], None]:
    """Change one setting of a file; place: "" or a section of the configuration."""

    def change(path: Path) -> None:
        content = json.loads(path.read_bytes())
        (content["config"][place] if place else content["config"])[name] = value
        path.write_text(json.dumps(content))

    return change


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (with_setting("", "sead", 3), r"config\.json has the unknown setting sead; was it written by a newer version"),
        (with_setting("method", "stepz", 3), r"config\.json has the unknown setting method\.stepz; was it written by"),
        (with_setting("", "epochs", "many"), r"config\.json has a value that is not allowed \(.*\$\.config\.epochs"),
        (lambda path: path.write_text("{"), r"config\.json is damaged \("),
        (lambda path: path.write_bytes(b"\xff\xfe"), r"config\.json is damaged \("),
        (lambda path: path.unlink(), r"config\.json cannot be read \(No such file"),
    ],
)
def test_a_configuration_that_cannot_be_read_names_the_fault(
    tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    rundir = make_run(tmp_path / "k3f9")
    damage(rundir.config)
    with pytest.raises(SubmissionError, match=f"^k3f9: {reason}") as refused:
        RunDir(rundir.path).submission()
    assert refused.value.reason == str(refused.value).removeprefix("k3f9: ")
    assert "\n" not in str(refused.value)
