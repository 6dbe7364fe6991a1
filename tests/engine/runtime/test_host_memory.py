"""The free memory is that of the machine, or what the limits of control groups leave of it."""

from pathlib import Path

import psutil
import pytest

from engine.runtime.host_memory import free_memory

MB = 2**20


def machine(folder: Path, groups: str = "0::/\n", available_mb: int = 1000) -> Path:
    """A made-up /proc."""
    (folder / "proc" / "self").mkdir(parents=True)
    text = f"MemTotal: 9 kB\nMemFree: 9 kB\nMemAvailable: {1024 * available_mb} kB\n"
    (folder / "proc" / "meminfo").write_text(text)
    (folder / "proc" / "self" / "cgroup").write_text(groups)
    return folder


def version_2(folder: Path, limit: str, used_mb: int, cached_mb: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(limit)
    (folder / "memory.current").write_text(f"{used_mb * MB}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached_mb * MB}\n")


def free(folder: Path) -> int | None:
    found = free_memory(folder / "proc", folder / "groups")
    return None if found is None else found // MB


def test_the_kernel_tells_the_free_memory_of_this_machine() -> None:
    found = free_memory()
    assert found is not None
    assert 0 < found <= psutil.virtual_memory().total


def test_without_limits_the_machine_decides(tmp_path: Path) -> None:
    assert free(machine(tmp_path)) == 1000
    version_2(tmp_path / "groups", "max\n", 10)
    assert free(tmp_path) == 1000


@pytest.mark.parametrize("place", ["/", "/job/step", "/host/path/that/the/container/does/not/see"])
def test_the_limit_of_a_container_counts_and_files_in_its_cache_do_not(tmp_path: Path, place: str) -> None:
    machine(tmp_path, f"0::{place}\n")
    version_2(tmp_path / "groups", f"{500 * MB}\n", 300, cached_mb=50)
    assert free(tmp_path) == 250


def test_the_smallest_limit_of_all_groups_around_counts(tmp_path: Path) -> None:
    machine(tmp_path, "0::/job/step\n")
    version_2(tmp_path / "groups" / "job", f"{400 * MB}\n", 300)
    version_2(tmp_path / "groups" / "job" / "step", "max\n", 300)
    assert free(tmp_path) == 100
    version_2(tmp_path / "groups" / "job" / "step", f"{300 * MB}\n", 400)  # a limit that was lowered
    assert free(tmp_path) == 0


def test_a_limit_of_version_1_counts(tmp_path: Path) -> None:
    machine(tmp_path, "5:cpu:/\n4:memory:/docker/0\n0::/\n")
    group = tmp_path / "groups" / "memory" / "docker" / "0"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text(f"{300 * MB}\n")
    (group / "memory.usage_in_bytes").write_text(f"{200 * MB}\n")
    (group / "memory.stat").write_text(f"total_inactive_file {20 * MB}\n")
    assert free(tmp_path) == 120


def test_a_system_that_does_not_say_is_no_error(tmp_path: Path) -> None:
    assert free(tmp_path) is None
    assert free_memory(machine(tmp_path, "torn") / "proc", tmp_path) is None
