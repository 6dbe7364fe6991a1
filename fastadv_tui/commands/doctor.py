"""`doctor`: reports the versions, devices, data sets and folders of this machine."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.protocol.exit_code import ExitCode

if TYPE_CHECKING:
    from engine.protocol.requests import MachineReport

LABELS = {
    "fastadv": "fastadv",
    "python": "python",
    "torch": "torch",
    "platform": "platform",
    "cpu": "CPU",
    "gpus": "GPUs",
    "device": "trains on",
    "home": "home folder",
    "data_dir": "data folder",
}


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv doctor")(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False) -> None:
    """Show versions, devices, the chosen precision and why, the data sets found, and the home folder."""
    from msgspec import structs

    from engine.protocol.provenance import package_version
    from fastadv_tui.paths import data_dir, home

    facts: dict[str, Any] = {
        "fastadv": package_version(),
        **structs.asdict(_ask_engine(str(data_dir()))),
        "home": str(home()),
        "data_dir": str(data_dir()),
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for key, label in LABELS.items():
        value = facts.get(key, "")
        print(f"{label:<12} {', '.join(value) or 'none usable' if isinstance(value, list) else value}")
    print(f"{'precision':<12} {facts['precision']} ({facts['precision_reason']})")
    for name, found in facts["data"].items():
        print(f"{name:<12} {found}")


def _ask_engine(data_dir: str) -> "MachineReport":
    """The facts that only a process with torch can find out."""
    from fastadv_tui.runs import engine_client

    print("starting torch, which takes a few seconds ...", file=sys.stderr)
    try:
        return engine_client.doctor(data_dir)
    except engine_client.EngineError:
        print("fastadv: the engine cannot start on this machine; see the lines above", file=sys.stderr)
        raise typer.Exit(ExitCode.FAILED) from None
