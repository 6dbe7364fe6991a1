"""Graphs on a GPU, as far as a machine without one can tell: what is asked of torch, in which order."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from engine.runtime.cuda_graph import CaptureError, CudaGraphs, cause_in_words, open_graphs

DEVICE = torch.device("cuda:1")
GB = 10**9


class Gpu:
    """Stands in for torch.cuda. asked: what the graphs have asked of it; reserved, free: bytes of its memory."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.reserved, self.free = 1 * GB, 10 * GB
        self.default = torch.Generator()
        self.signature = inspect.signature(torch.cuda.graph)
        self.stream = "main"
        patch.setattr(torch.cuda, "Stream", lambda device: Stream(self, "side"))
        patch.setattr(torch.cuda, "current_stream", lambda device: Stream(self, "main"))
        patch.setattr(torch.cuda, "empty_cache", lambda: self.asked.append("empty"))
        patch.setattr(torch.cuda, "memory_reserved", lambda device: self.reserved)
        patch.setattr(torch.cuda, "mem_get_info", lambda device: (self.free, 80 * GB))
        patch.setattr(torch.cuda, "default_generators", (torch.Generator(), self.default))
        patch.setattr(torch.cuda, "CUDAGraph", lambda: Graph(self))
        patch.setattr(torch.cuda, "stream", self._on)
        patch.setattr(torch.cuda, "graph", self._capturing)

    @contextlib.contextmanager
    def _on(self, stream: "Stream") -> Iterator[None]:
        before, self.stream = self.stream, stream.name
        try:
            yield
        finally:
            self.stream = before

    @contextlib.contextmanager
    def _capturing(self, *arguments: Any, **options: Any) -> Iterator[None]:
        """As torch's: after a failure its stream stays the current one, and its own error hides the cause."""
        self.signature.bind(*arguments, **options)
        self.asked.append(f"capture {options['capture_error_mode']}")
        try:
            yield
        except Exception:
            self.stream = options["stream"].name
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")  # noqa: B904


class Stream:
    def __init__(self, gpu: Gpu, name: str) -> None:
        self.gpu, self.name = gpu, name

    def wait_stream(self, other: "Stream") -> None:
        self.gpu.asked.append(f"{self.name} waits for {other.name}")


class Graph:
    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu

    def register_generator_state(self, rng: torch.Generator) -> None:
        self.gpu.asked.append(f"register {rng.initial_seed()}")

    def replay(self) -> None:
        self.gpu.asked.append("replay")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    return Gpu(monkeypatch)


def warmed_up(gpu: Gpu, needed: int = 0) -> CudaGraphs:
    graphs = CudaGraphs(DEVICE)
    with graphs.warming_up():
        gpu.asked.append(f"work on {gpu.stream}")
        gpu.reserved += needed
    return graphs


def test_work_warms_up_and_is_captured_on_a_stream_that_waits_and_is_waited_for(gpu: Gpu) -> None:
    graphs = warmed_up(gpu)
    assert gpu.asked == ["empty", "side waits for main", "work on side", "main waits for side"]
    gpu.asked.clear()
    replay = graphs.capture(lambda: gpu.asked.append(f"work on {gpu.stream}"), torch.Generator().manual_seed(5))
    expected = ["empty", "register 5", "side waits for main", "capture thread_local", "work on side"]
    assert gpu.asked == expected
    replay()
    assert gpu.asked == [*expected, "replay"]
    assert gpu.stream == "main"


def test_a_graph_needs_room_for_its_work_and_as_much_again(gpu: Gpu) -> None:
    gpu.free = 4 * GB
    warmed_up(gpu, 2 * GB).capture(lambda: None, torch.Generator())
    graphs = warmed_up(gpu, 3 * GB)
    with pytest.raises(CaptureError, match=r"^it needs 6.0 GB of GPU memory, and 4.0 are free$"):
        graphs.capture(lambda: None, torch.Generator())
    assert not gpu.asked[-1].startswith("capture")


def test_after_a_capture_that_fails_the_stream_is_as_before_and_generators_draw_again(
    gpu: Gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch up to 2.10 refuses a generator whose capture has not ended, unless it gets another state."""
    renewed: list[torch.Generator] = []
    monkeypatch.setattr("engine.runtime.cuda_graph._forget_capture", renewed.append)
    graphs, rng = warmed_up(gpu), torch.Generator()

    def work() -> None:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore words")

    with pytest.raises(RuntimeError) as raised:
        graphs.capture(work, rng)
    assert gpu.stream == "main"
    assert [each is other for each, other in zip(renewed, (rng, gpu.default), strict=True)] == [True, True]
    words = "RuntimeError: CUDA error: operation not permitted when stream is capturing"
    assert cause_in_words(raised.value) == words


def test_a_cpu_has_no_graphs(gpu: Gpu) -> None:
    assert open_graphs(torch.device("cpu")) is None
    assert isinstance(open_graphs(DEVICE), CudaGraphs)


@pytest.mark.parametrize("name", ["register_generator_state", "replay"])
def test_torch_has_what_the_stand_in_has(name: str) -> None:
    assert callable(getattr(torch.cuda.CUDAGraph, name))
    assert callable(torch.Generator().clone_state)
    assert callable(torch.Generator().graphsafe_set_state)
