"""Files with networks of a user's own, right and wrong."""

from pathlib import Path

RIGHT = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes, image_shape, width=8):
        super().__init__()
        channels, height, side = image_shape
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Linear(width * height * side, classes)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x - 0.5)))
        return self.head(x.flatten(1))
"""
LINEAR = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes, image_shape):
        super().__init__()
        self.head = nn.Linear(image_shape[0] * image_shape[1] * image_shape[2], classes)

    def forward(self, x):
        return self.head(x.flatten(1))
"""


def _forward(line: str) -> str:
    return LINEAR.replace("return self.head(x.flatten(1))", line)


# By name of the fault: the file, and how the refusal begins. `f` stands for the name of the file.
WRONG = {
    "raises": ("x = 1\nraise RuntimeError('boom')\n", "f line 2: RuntimeError: boom"),
    "exits": ("import sys\nsys.exit()\n", "f line 2: exits"),
    "prints": (f"{LINEAR}\n\nprint('hello')\n", "f line 14: prints 'hello'"),
    "prints in each pass": (_forward("print(x.shape); return self.head(x.flatten(1))"), "f line 11: prints"),
    "lacks the name": (LINEAR.replace("Net", "Other"), "f has no Net; it defines Other"),
    "no function": ("Net = 3\n", "f: Net is an int; name a function or class"),
    "no network": ("def Net():\n    return 3\n", "f: Net gives an int, and no torch.nn.Module"),
    "nothing": ("def Net():\n    pass\n", "f: Net gives nothing"),
    "a network already": (f"{LINEAR}\n\nNet = Net(10, (1, 8, 8))\n", "f: Net is a network already"),
    "the same network": (
        f"{LINEAR}\n\nKEPT = Net(10, (1, 8, 8))\ndef Net():\n    return KEPT\n",
        "f: Net gives the same weights at each call",
    ),
    "wrong shape": (
        _forward("return self.head(x.flatten(1))[:, :3]"),
        "f: the network returns (2, 3) for 2 images; return logits of shape (N, 10)",
    ),
    "wrong type": (_forward("return self.head(x.flatten(1)), x"), "f: the network returns a tuple, no tensor"),
    "integers": (_forward("return self.head(x.flatten(1)).long()"), "f: the network returns (2, 10) of int64"),
    "wrong size": (
        LINEAR.replace("image_shape[0] *", "2 *"),
        "f line 11: RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    ),
    "no gradient": (_forward("return self.head(x.flatten(1)).detach()"), "f: what the network returns has no gradient"),
    "no gradient of the image": (_forward("return self.head(x.detach().flatten(1))"), "f: the image gets no gradient"),
    "no gradient of weights": (_forward("return x.flatten(1)[:, :10]"), "f: no parameter of the network gets"),
    "no weights": (
        LINEAR.replace("self.head = ", "self.head = nn.Flatten() or "),
        "f: Net gives a network without parameters",
    ),
    "not finite": (_forward("return self.head(x.flatten(1)) / 0"), "f: the network returns NaN or infinite logits"),
    "changes the image": (_forward("x -= 0.5; return self.head(x.flatten(1))"), "f line 11: RuntimeError: a leaf"),
    "lazy": (
        LINEAR.replace("nn.Linear(image_shape[0] * image_shape[1] * image_shape[2], ", "nn.LazyLinear("),
        "f: its lazy layers have no size yet",
    ),
    "view": (RIGHT.replace("x.flatten(1)", "x.view(len(x), -1)"), "f line 15: view fails"),
    "no arguments": ("def Net(depth):\n    pass\n", "f: TypeError: Net() missing 1 required positional"),
    "crashes": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "f: ends its process (by SIGKILL)"),
}  # fmt: skip


def write(path: Path, text: str = RIGHT) -> str:
    """Write a file, and return what `--model` takes."""
    path.write_text(text)
    return f"{path}:Net"
