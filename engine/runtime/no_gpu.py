"""Why torch can use no GPU, and what to install then."""

import re
import warnings

import torch

# The newest wheels that run on drivers below 580, and on GPUs before Turing. PyPI's own wheels are for CUDA 13.
OLDER_WHEELS = "https://download.pytorch.org/whl/cu126"
OLDER_CUDA = 12  # the driver of any CUDA 12 runs these wheels
REINSTALL = "pip install --force-reinstall torch torchvision"


def can_use_gpu() -> bool:
    """Whether torch finds a GPU. torch's own warning is not shown, because `why_no_gpu` says what it says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.cuda.is_available()


def why_no_gpu() -> str:
    """Why torch can use none of the GPUs, with the command that helps, in one line. Empty if it can use one."""
    version = f"torch {torch.__version__}"
    if can_use_gpu():
        capabilities = [torch.cuda.get_device_capability(number) for number in range(torch.cuda.device_count())]
        reasons = [_why_no_code(version, torch.cuda.get_arch_list(), capability) for capability in capabilities]
        return reasons[0] if reasons and all(reasons) else ""
    if torch.version.cuda is None:
        drivers = f"with --index-url {OLDER_WHEELS} if the driver is older than 580"
        return f"{version} is built without CUDA; type `{REINSTALL}`, {drivers}"
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except Exception as error:  # a RuntimeError, and of a broken build an AssertionError
        return _in_words(version, str(error))
    return f"{version} finds none"


def _in_words(version: str, cause: str) -> str:
    """What torch says when it cannot start CUDA, with a way out."""
    if found := re.search(r"driver on your system is too old \(found version (\d+)\)", cause):
        return _too_old(version, int(found[1]))
    if "no NVIDIA driver" in cause:
        return f"{version} finds no CUDA driver; in a container, NVIDIA_DRIVER_CAPABILITIES must name `compute`"
    return f"{version} says: {cause.strip().partition(chr(10))[0]}"


def _too_old(version: str, driver: int) -> str:
    """driver: the newest CUDA version that the driver runs, as 12040 for 12.4."""
    major, minor = driver // 1000, driver % 1000 // 10
    newest = f"{version} needs a driver for CUDA {torch.version.cuda}, and this driver is for CUDA {major}.{minor}"
    wheels = int(str(torch.version.cuda).partition(".")[0])
    if wheels > OLDER_CUDA <= major:
        return f"{newest}; type `{REINSTALL} --index-url {OLDER_WHEELS}`, or install a newer driver"
    return f"{newest}; install a newer driver"


def _why_no_code(version: str, built_for: list[str], capability: tuple[int, int]) -> str:
    """Why a build of torch has no code for a GPU; empty if it has. built_for: such as sm_75 and compute_90."""
    found = re.findall(r"(sm|compute)_(\d+)", " ".join(built_for))
    codes = [(kind, divmod(int(number), 10)) for kind, number in found]
    if not codes or any(_runs(kind, code, capability) for kind, code in codes):
        return ""
    newer = capability > max(code for _, code in codes)
    install = "pip install --upgrade torch torchvision" if newer else f"{REINSTALL} --index-url {OLDER_WHEELS}"
    return f"{version} has no code for a GPU of compute capability {capability[0]}.{capability[1]}; type `{install}`"


def _runs(kind: str, code: tuple[int, int], capability: tuple[int, int]) -> bool:
    """Whether a GPU runs code: binaries (sm) of its own major version, and any PTX (compute) that is not newer."""
    return code <= capability and (kind == "compute" or code[0] == capability[0])
