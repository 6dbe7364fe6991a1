"""`doctor`: reports the versions, devices, data sets and folders of this machine."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.protocol.exit_code import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.protocol.requests import MachineReport
    from fastadv_tui.hardware.gpus import Device

WIDTH = 13  # of the labels
LABELS = {
    "fastadv": "fastadv",
    "python": "python",
    "torch": "torch",
    "cuda": "its CUDA",
    "platform": "platform",
    "cpu": "CPU",
    "driver": "GPU driver",
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
    from fastadv_tui.hardware import gpus
    from fastadv_tui.paths import data_dir, home

    found = gpus.read()
    report = _ask_engine(str(data_dir()))
    facts: dict[str, Any] = {
        "fastadv": package_version(),
        **structs.asdict(report),
        "driver": found.driver or found.driver_error,
        "numbers": _numbered(gpus.visible(found.devices)),
        "refused": _why_auto_is_refused(report),
        "home": str(home()),
        "data_dir": str(data_dir()),
    }
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        _print(facts)


def _print(facts: dict[str, Any]) -> None:
    """Print the facts, one per line."""
    shown = {
        **facts,
        "cuda": facts["cuda"] or "none: a build for the CPU",
        "driver": facts["driver"] or ("unknown" if facts["numbers"] else "none"),
        "gpus": ", ".join(facts["gpus"]) or "none usable",
        "device": facts["refused"] or facts["device"],
    }
    for key, label in LABELS.items():
        print(f"{label:<{WIDTH}} {shown[key]}")
    for number, name in facts["numbers"].items():
        print(f"{number:<{WIDTH}} {name}")
    print(f"{'precision':<{WIDTH}} {facts['precision']} ({facts['precision_reason']})")
    for name, found in facts["data"].items():
        print(f"{name:<{WIDTH}} {found}")


def _numbered(devices: "Sequence[Device]") -> dict[str, str]:
    """By the value of the setting `device`: the GPU as nvidia-smi knows it, or what is wrong with it."""
    names = [device.problem or f"GPU {device.number} {device.uuid}" for device in devices]
    return {f"cuda:{number}": name for number, name in enumerate(names)}


def _why_auto_is_refused(report: "MachineReport") -> str:
    """Why no run starts here with `--device auto`; empty if runs start."""
    from fastadv_tui.errors import DeviceError
    from fastadv_tui.supervise.slots import takes_gpu

    try:
        on_gpu = takes_gpu("auto")
    except DeviceError as error:
        return f"nothing: {error}"
    return f"nothing: torch cannot use the GPU: {report.no_gpu}" if on_gpu and report.no_gpu else ""


def _ask_engine(data_dir: str) -> "MachineReport":
    """The facts that only a process with torch can find out."""
    from fastadv_tui.runs import engine_client

    print("starting torch, which takes a few seconds ...", file=sys.stderr)
    try:
        return engine_client.doctor(data_dir)
    except engine_client.EngineError:
        print("fastadv: the engine cannot start on this machine; see the lines above", file=sys.stderr)
        raise typer.Exit(ExitCode.FAILED) from None
