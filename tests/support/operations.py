"""Counts what a piece of work asks of a device: operations, each about one kernel, and waits of the host."""

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

WITHOUT_KERNEL = {"empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided", "_unsafe_view"}
WITHOUT_KERNEL |= {"_record_function_enter_new", "_record_function_exit"}

# Operations whose result the host reads before it goes on, on a GPU. `_linalg_svd` and `_linalg_eigh` are among them:
# their kernels look at a flag of the solver.
WAITING = {
    "_local_scalar_dense",
    "is_nonzero",
    "equal",
    "nonzero",
    "masked_select",
    "unique_dim",
    "_unique2",
    "_linalg_svd",
    "_linalg_eigh",
    "_linalg_check_errors",
    "linalg_eig",
}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}


class Operations(TorchDispatchMode):
    """Inside the block, counts operations by name. Views, allocations and profiler marks are none."""

    def __init__(self) -> None:
        super().__init__()
        self.by_name: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return self.by_name.total()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if not func.is_view and name not in WITHOUT_KERNEL:
            self.by_name[name] += 1
        if waits(func, args):
            self.waits[name] += 1
        return func(*args, **kwargs or {})


def waits(func: Any, args: Any) -> bool:
    """Whether the host reads the result of an operation before it goes on, on a GPU."""
    name = func.overloadpacket.__name__
    return name in WAITING or (name in INDEXING and _has_mask(args[1]))


def _has_mask(places: Any) -> bool:
    """Whether a tensor is indexed by a mask, whose number of entries the host must know."""
    return any(place is not None and place.dtype in (torch.bool, torch.uint8) for place in places)
