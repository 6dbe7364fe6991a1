"""How fast the engine is, as ratios to textbook versions and to well-known libraries, all in one run.

    python tests/benchmarks/speed.py                              everything
    python tests/benchmarks/speed.py step attack --repeats 5      some of it
    python tests/benchmarks/speed.py evaluation --run RUN_FOLDER  with the weights of a run
    python tests/benchmarks/speed.py autoattack --run RUN_FOLDER  not among everything: it takes long
    python tests/benchmarks/speed.py reference                    nor this: 200 textbook steps, 20 minutes on 2 cores
    python tests/benchmarks/speed.py --device cuda                the same on a GPU, timed by its own events

Real images come from $FASTADV_TEST_DATA; without it, speed is measured on noise, and what needs real ones is left out.
torchattacks, foolbox and pyautoattack are measured if they are installed.
"""

import argparse

import torch
from speed_attacks import attack, autoattack, evaluation
from speed_engine import event_writer, overhead, start
from speed_steps import serve
from speed_training import memory, peak, pgd7, reference, step
from timing import machine


def main() -> None:
    sections = {
        "step": step, "pgd7": pgd7, "evaluation": evaluation, "attack": attack, "overhead": overhead,
        "events": event_writer, "memory": memory, "start": start,
    }  # fmt: skip
    everything = [*sections]
    sections |= {"autoattack": autoattack, "reference": reference}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", default=everything)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 16])
    parser.add_argument("--run", help="folder of a run on CIFAR-10 whose weights are evaluated")
    parser.add_argument("--images", type=int, default=100, help="images of the evaluation")
    parser.add_argument("--peak", choices=["textbook", "ours"], help=argparse.SUPPRESS)  # what processes of its own do
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--compile", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.device = torch.device(options.device)
    if options.peak:
        peak(options)
    elif options.serve:
        serve(options)
    else:
        print(machine(options.device))
        for name in options.sections:
            sections[name](options)


if __name__ == "__main__":
    main()
