"""torch.compile: what a version or a machine may lack."""

from types import SimpleNamespace

import pytest

from engine.runtime.compile import MAX_GRAPHS, allow_graphs


class Strict(SimpleNamespace):
    """As torch's configuration objects: a name that it does not know cannot be set."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.__dict__:
            raise AttributeError(f"{name} does not exist")
        super().__setattr__(name, value)


@pytest.mark.parametrize("name", ["recompile_limit", "cache_size_limit"])  # torch 2.7 and later; 2.5 and 2.6
def test_the_limit_of_graphs_is_set_under_the_name_of_the_torch_version(name: str) -> None:
    config = Strict(**{name: 8})
    allow_graphs(config)
    assert vars(config) == {name: MAX_GRAPHS}
