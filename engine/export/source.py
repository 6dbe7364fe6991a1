"""Writes the source of one self-contained Python file that builds a network of ours, and needs torch only.

The file is made of our own source: the function that builds the network, and every definition of ours that it uses,
however many modules they come from. So what is written is what was trained, and a new network needs no code here.
"""

import ast
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import msgspec

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.sections import ModelConfig
from engine.export.known import builder_of
from engine.models.normalize import Normalize

OURS = "engine."
HEAD = '''"""{title}

{about}
The network takes images in [0,1], shape (B, {shape}), and returns logits, (B, {facts.classes}).

    from model import load
    logits = load("weights.pt")(images)

Written by fastadv. The definitions are those that the network was trained with.
"""

from __future__ import annotations

'''
TAIL = '''

NETWORK = SimpleNamespace({network})
IMAGES = SimpleNamespace({images})


def build() -> nn.Module:
    """The network in train mode, with new random weights. Its first layer normalises the images."""
    return nn.Sequential(Normalize(IMAGES.mean, IMAGES.std), {builder}(NETWORK, IMAGES))


def load(path: str | Path = Path(__file__).with_name("weights.pt")) -> nn.Module:
    """The trained network in eval mode, on the CPU."""
    network = build()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()
'''


def standalone_source(config: ModelConfig, facts: DatasetFacts, title: str, about: str) -> str:
    """The source of a file with `build()` and `load(path)`. title, about: the first line and more, for the docstring.

    Raises: ConfigError, if the network is not ours: its code belongs to another package.
    """
    if (builder := builder_of(config.name)) is None:
        raise ConfigError(
            f"{config.name} is not a network of fastadv's own, so no file without its package can build it"
        )
    gathered = _Definitions()
    gathered.add(_module_of(Normalize), Normalize.__name__)
    gathered.add(_module_of(builder), builder.__name__)
    shape = f"{facts.channels}, {facts.height}, {facts.width}"
    imports = {"import torch", "from torch import nn", "from pathlib import Path", "from types import SimpleNamespace"}
    text = "".join(
        [
            HEAD.format(title=_quotable(title), about=_quotable(about), shape=shape, facts=facts),
            "\n".join(_sorted_imports(imports | gathered.imports)),
            "\n\n",
            *(f"{name} = SimpleNamespace  # for annotations\n" for name in sorted(gathered.annotated)),
            *gathered.sources,
            TAIL.format(network=_arguments(config), images=_arguments(facts), builder=builder.__name__),
        ]
    )
    return re.sub("\n{4,}", "\n\n\n", text)


class _Definitions:
    """Collects the source of definitions, and of those that they use, each after what it needs."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.imports: set[str] = set()
        self.annotated: set[str] = set()  # classes of ours that only annotations name
        self._seen: set[tuple[str, str]] = set()
        self._modules: dict[str, _Module] = {}

    def add(self, module: ModuleType, name: str) -> None:
        """Raises: ConfigError, if two modules define the same name differently."""
        if (module.__name__, name) in self._seen:
            return
        if name in {seen for _, seen in self._seen}:
            raise ConfigError(f"two definitions are called {name}; one file cannot hold both")
        self._seen.add((module.__name__, name))
        source = self._modules.setdefault(module.__name__, _Module(module))
        node = source.definitions[name]
        names = _Names(node)
        for used in sorted(names.annotated - names.found - {*source.definitions}):
            module_name, original = source.imported.get(used, ("", ""))
            if module_name.startswith(OURS):
                self.annotated.add(used)
            elif module_name:
                self.imports.add(_import_line(module_name, original, used))
        for used in sorted(names.found - {name}):
            if used in source.definitions:
                self.add(module, used)
            elif used in source.imported:
                self._import(*source.imported[used], used)
        self.sources.append(source.text_of(node))

    def _import(self, module: str, original: str, name: str) -> None:
        if not module.startswith(OURS):
            self.imports.add(_import_line(module, original, name))
            return
        if original != name:
            raise ConfigError(f"{name} is {original} of {module} under another name; one file cannot hold both")
        self.add(importlib.import_module(module), name)


class _Module:
    """The source of a module: its top-level definitions, and what it imports, by name."""

    def __init__(self, module: ModuleType) -> None:
        text = Path(inspect.getfile(module)).read_text()
        self._lines = text.splitlines()
        self.definitions: dict[str, ast.stmt] = {}
        self.imported: dict[str, tuple[str, str]] = {}  # (module, name in it; "" for the module itself)
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.definitions[node.name] = node
            elif isinstance(node, ast.Assign):
                self.definitions |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.definitions[node.target.id] = node
            elif isinstance(node, ast.ImportFrom):
                self.imported |= {item.asname or item.name: (node.module or "", item.name) for item in node.names}
            elif isinstance(node, ast.Import):
                self.imported |= {item.asname or item.name: (item.name, "") for item in node.names}

    def text_of(self, node: ast.stmt) -> str:
        decorators = getattr(node, "decorator_list", [])
        begin = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        text = "\n".join(self._lines[begin - 1 : node.end_lineno])
        return f"\n\n{text}\n\n\n" if isinstance(node, ast.FunctionDef | ast.ClassDef) else f"{text}\n"


class _Names(ast.NodeVisitor):
    """The names in a definition: `found`, which running it looks up, and `annotated`, which only readers look up."""

    def __init__(self, node: ast.stmt) -> None:
        self.found: set[str] = set()
        self.annotated: set[str] = set()
        self.visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self.found.add(node.id)

    def visit_arg(self, node: ast.arg) -> None:
        self._annotation(node.annotation)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._annotation(node.annotation)
        if node.value:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._annotation(node.returns)
        self.generic_visit(node.args)
        for part in (*node.decorator_list, *node.body):
            self.visit(part)

    def _annotation(self, node: ast.expr | None) -> None:
        self.annotated |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} if node else set()


def _import_line(module: str, original: str, name: str) -> str:
    what = f"from {module} import {original}" if original else f"import {module}"
    return what if name in (original, module) else f"{what} as {name}"


def _sorted_imports(lines: set[str]) -> list[str]:
    standard = sorted((line for line in lines if "torch" not in line.split()[1]), key=_module_first)
    return [*standard, "", *sorted(lines - {*standard}, key=_module_first)]


def _module_first(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


def _module_of(thing: object) -> ModuleType:
    module = inspect.getmodule(thing)
    assert module is not None
    return module


def _arguments(values: ModelConfig | DatasetFacts) -> str:
    return "".join(f"\n    {key}={value!r}," for key, value in msgspec.structs.asdict(values).items()) + "\n"


def _quotable(text: str) -> str:
    """A text that cannot end the docstring that it stands in."""
    return text.encode("unicode_escape").decode().replace('"', "'").replace("\\n", "\n")
