"""ONNX files give the logits of the network in onnxruntime, for any number of images."""

from importlib.util import find_spec

import pytest
import torch

from engine.config.errors import ConfigError
from engine.config.networks import NETWORKS
from engine.export import onnx
from tests.support.exports import images_for, logits, trained

WITH_ONNX = pytest.mark.skipif(
    not all(map(find_spec, (*onnx.NEEDED, "onnxruntime"))), reason="needs onnx, onnxscript and onnxruntime"
)


@WITH_ONNX
@pytest.mark.filterwarnings("ignore")  # of the packages that torch writes with
@pytest.mark.parametrize("name", NETWORKS)
def test_onnxruntime_gives_equal_logits(name: str) -> None:
    import onnxruntime

    of = trained(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx.onnx_file(of), options, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["images"]
    assert [value.name for value in session.get_outputs()] == ["logits"]
    for count in (1, 7):
        images = images_for(of, count)
        (found,) = session.run(None, {"images": images.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), logits(of.network, images), rtol=0, atol=1e-4)


def test_without_the_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"ONNX needs onnx and onnxscript: pip install 'fastadv\[onnx\]'"):
        onnx.onnx_file(trained("digits-cnn"))
