"""Python's garbage collector, which waits while a process loads torch.

The collector looks for cycles of references again and again while modules are imported. Modules are never garbage: the
looks took a quarter of the processor time until a run could train.
"""

import gc


def postpone_garbage_collection() -> None:
    """Collect no garbage until `resume_garbage_collection`. Call this before torch loads."""
    gc.disable()


def resume_garbage_collection() -> None:
    """Collect garbage from now on, and never look at what is there already. No effect if nothing was postponed."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
