"""`doctor`: what this machine has, and what is in the way."""

import json
import subprocess
import sys
from typing import Annotated, Any

import typer

ROWS = {
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


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Versions, devices, the precision chosen and why, the data found, the home folder."""
    from engine.protocol.provenance import package_version
    from fastadv_tui.paths import data_dir, home

    facts = {
        "fastadv": package_version(),
        **_ask_engine(str(data_dir())),
        "home": str(home()),
        "data_dir": str(data_dir()),
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for key, label in ROWS.items():
        value = facts.get(key, "")
        print(f"{label:<12} {', '.join(value) or 'none usable' if isinstance(value, list) else value}")
    print(f"{'precision':<12} {facts['precision']} ({facts['precision_reason']})")
    for name, found in facts["data"].items():
        print(f"{name:<12} {found}")


def _ask_engine(data_dir: str) -> dict[str, Any]:
    """What only torch knows, asked of the engine in a process of its own."""
    from engine.protocol.provenance import engine_command

    print("asking torch, a few seconds ...", file=sys.stderr)
    done = subprocess.run(engine_command("--doctor", data_dir), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        print("fastadv: the engine cannot start on this machine; see the lines above", file=sys.stderr)
        raise typer.Exit(1)
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts
