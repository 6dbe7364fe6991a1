"""A stand-in for CUDA graphs on a CPU, which has what makes a step hard to capture."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from tests.support.operations import waits

# Their schemas do not say that they write the running statistics, which are the arguments number 3 and 4.
WRITING_STATISTICS = {"native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm"}


class Tape(TorchDispatchMode):
    """Records the operations inside the block, and undoes what they have changed. `replay` does them again.

    As in a CUDA graph, each operation gets the same numbers and the same tensors as when it was recorded, and writes
    its result where it wrote it then. So a number that the host has read or made is repeated. What CUDA forbids while
    it captures is refused: that the host waits for the device, and a generator that was not registered.
    """

    def __init__(self, generators: list[torch.Generator]) -> None:
        super().__init__()
        self._generators = {generator._cdata for generator in generators}
        self._operations: list[Callable[[], None]] = []
        self._made: set[int] = set()  # storages
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if waits(func, args):
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        for generator in (value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Generator)):
            if generator._cdata not in self._generators:
                raise RuntimeError("Attempt to increase offset for a CUDA generator not in capture mode.")
        written = _written(func, args, kwargs)
        for tensor in written:
            self._keep(tensor)
        found = func(*args, **kwargs)
        inputs = {_place(value) for value in _tensors((args, kwargs))}
        new = {number: value.detach() for number, value in enumerate(_tensors(found)) if _place(value) not in inputs}
        self._made |= {_place(value) for value in new.values()}
        if new or written:
            self._operations.append(partial(_again, func, *tree_map_only(Tensor, Tensor.detach, (args, kwargs)), new))
        return found

    def _keep(self, tensor: Tensor) -> None:
        """Keep what a tensor from outside holds, before it is written for the first time."""
        place = _place(tensor)
        if place not in self._made and place not in self._before:
            self._before[place] = tensor.untyped_storage(), tensor.untyped_storage().clone()

    def undo(self) -> None:
        """Let tensors from outside hold what they held before: a capture computes nothing."""
        for storage, before in self._before.values():
            storage.copy_(before)

    def replay(self) -> None:
        with torch.no_grad():
            for operation in self._operations:
                operation()


def _again(func: Any, args: Any, kwargs: Any, places: dict[int, Tensor]) -> None:
    """Do an operation again. places: where its results belong, by their numbers among all that it returns."""
    found = _tensors(func(*args, **kwargs))
    for number, place in places.items():
        place.copy_(found[number])


def _written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """The arguments that an operation changes in place."""
    named = zip(func._schema.arguments, args, strict=False)
    marked = [value for argument, value in named if argument.alias_info and argument.alias_info.is_write]
    by_name = {argument.name for argument in func._schema.arguments if argument.alias_info}
    marked += [value for name, value in kwargs.items() if name in by_name]
    if func.overloadpacket.__name__ in WRITING_STATISTICS:
        marked += args[3:5]
    return _tensors(marked)


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


class StandInGraphs:
    """Graphs whose operations a Tape repeats. warmed: steps that ran as they are; captures: graphs so far.

    error: what every capture raises. replays: how often a graph ran.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.warmed = self.captures = self.replays = 0

    @contextlib.contextmanager
    def warming_up(self) -> Iterator[None]:
        self.warmed += 1
        yield

    def capture(self, work: Callable[[], None], rng: torch.Generator) -> Callable[[], None]:
        generators = [rng, torch.default_generator]
        states = [generator.get_state() for generator in generators]
        tape = Tape(generators)
        self.captures += 1
        try:
            with tape:
                work()
                if self.error:
                    raise self.error
        finally:
            tape.undo()
            for generator, state in zip(generators, states, strict=True):
                generator.set_state(state)

        def replay() -> None:
            self.replays += 1
            tape.replay()

        return replay
