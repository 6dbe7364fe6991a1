"""Every training method on CIFAR-10 with one recipe: `python tests/benchmarks/science.py --width 16 --epochs 10`.

Trains the table `science` of `fastadv reproduce`, evaluates each network under PGD-50-10 and aa-quick on the first N
test images, and writes science.md after each seed. Typed again after an interruption, the command goes on where it was:
the runs, their checkpoints and results are in the folder `--home`.
"""

import argparse
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

import torch

from engine.config.errors import ConfigError
from engine.config.sections import EvalConfig
from engine.protocol.provenance import code_version
from fastadv_tui.history.index import History
from fastadv_tui.history.paper_tables import TABLES
from fastadv_tui.history.row import Row
from fastadv_tui.launch.submission import parse_seeds

NOTE = Path(__file__).with_suffix(".md")
TABLE = TABLES["science"]
AUTO_ATTACK = "aa-quick"
ATTEMPTS = 3  # of a run that fails or is killed
WATCHED = 250  # test images after each epoch: enough to see a collapse, few enough not to blur the times


def main() -> None:
    given = arguments()
    os.environ["FASTADV_HOME"] = str(given.home.absolute())
    for seed in parse_seeds(given.seeds):
        train(given, seed)
        evaluate(given, seed)
        write(given)
    print(NOTE.read_text())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", default="0", help="0-2 or 0,3,7; all methods with the first seed come first")
    parser.add_argument("--images", type=int, default=1000, help="test images of the evaluations, from the first")
    parser.add_argument("--data", type=Path, default=os.environ.get("FASTADV_TEST_DATA"))
    parser.add_argument("--home", type=Path, default=Path.home() / ".cache" / "fastadv-science")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = parser.parse_args()
    if given.data is None:
        parser.error("type --data FOLDER, or set FASTADV_TEST_DATA")
    given.scale = f"{given.width}x{given.epochs}"
    return given


def train(given: argparse.Namespace, seed: int) -> None:
    """Queue what is missing and continue what was interrupted, until every run is done."""
    settings = [
        f"data_dir={Path(given.data).absolute()}",
        f"eval.images={given.images}",
        "eval.attack=pgd-50-10",
        f"watch.images={WATCHED}",
        *given.settings,
    ]
    words = ["reproduce", TABLE.name, "--scale", given.scale, "--seeds", f"{seed}", "--yes"]
    for _ in range(ATTEMPTS):
        fastadv(*words, *(word for pair in settings for word in ("--set", pair)))
        while any(row.live for row in runs(seed)):
            time.sleep(5)
        if all(row.status == "done" for row in runs(seed)):
            return


def evaluate(given: argparse.Namespace, seed: int) -> None:
    """Evaluate under aa-quick. Results that are stored are not measured again."""
    if not known(AUTO_ATTACK):
        print(f"this version has no attack {AUTO_ATTACK}: its column is left out", file=sys.stderr)
        return
    done = [row.id for row in runs(seed) if row.status == "done"]
    for run_id in done:
        fastadv("eval", run_id, "--attack", AUTO_ATTACK, "--limit", f"{given.images}")


def known(attack: str) -> bool:
    try:
        EvalConfig(attack=attack)
    except ConfigError:
        return False
    return True


def runs(seed: int) -> list[Row]:
    return [row for row in History().rows() if TABLE.tag in row.tags and row.seed == seed]


def write(given: argparse.Namespace) -> None:
    """The laboratory note, from the finished runs of this size."""
    shown = ["fastadv", "reproduce", TABLE.name, "--show", "--format", "md", "--scale", given.scale]
    table = subprocess.run([sys.executable, "-P", "-m", "fastadv_tui", *shown[1:]], check=True, capture_output=True)
    words = ["python", "tests/benchmarks/science.py", *sys.argv[1:]]
    NOTE.write_text(
        "# Training methods on CIFAR-10, eps 8/255, with one recipe\n\n"
        f"PreActResNet18 of width {given.width}, {given.epochs} epochs, seeds {given.seeds}, the preset "
        f"`{TABLE.preset}` with every method at its defaults. Each network was evaluated on the first {given.images:,} "
        "test images; a run is one trial, n counts them.\n\n"
        f"{machine()}, {time.strftime('%Y-%m-%d')}, `{shlex.join(words)}`.\n\n{table.stdout.decode()}"
    )


def machine() -> str:
    """Hardware and versions."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} cores of {processor()}"
    code = code_version()
    version = f"fastadv {code.version} (commit {code.commit}, engine {code.fingerprint})"
    return f"{device}, Python {platform.python_version()}, torch {torch.__version__}, {version}"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def fastadv(*words: str) -> None:
    """Run a command; its own lines say what goes wrong, and what is missing is tried again."""
    subprocess.run([sys.executable, "-P", "-m", "fastadv_tui", *words], check=False)


if __name__ == "__main__":
    main()
