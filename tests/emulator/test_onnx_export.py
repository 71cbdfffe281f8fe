"""The ONNX file gives what the NumPy export gives, for every kind of network and target."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from emulator import onnx_export
from emulator.artefact import write
from emulator.onnx_export import CLOSE, to_onnx
from emulator.verification import evaluate, with_checks
from tengri.__main__ import main
from tengri.errors import ConfigError
from tests.emulator.conftest import draws, untrained

runtime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("name", ["sdss_tsnorm", "sdss"])  # end-to-end, and a kernel
def test_published_ones(name, tmp_path, capsys):
    assert main(["export", name, "--onnx", "-o", str(tmp_path), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["difference"] <= CLOSE
    session = runtime.InferenceSession(made["file"])
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["bands"])[0] == "sdss_u"
    inputs = json.loads(facts["inputs"])
    assert session.get_inputs()[0].shape[1] == len(inputs)
    middle = np.zeros((3, len(inputs)), np.float32)
    light = session.run(["light"], {"parameters": middle})[0]
    assert len(light) == 3 and np.isfinite(light).all()


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {"activation": "speculator", "redshift": "fourier"},
    {"activation": "tanh", "redshift": "none", "tables": (0, 2)},
    {"activation": "gelu"}, {"activation": "silu"}, {"activation": "smoothstep"},
])  # fmt: skip
def test_every_kind_of_network(exact, tmp_path, options):
    params = draws(exact.spec, 8, seed=5)
    artefact = with_checks(untrained(exact, **options), params, evaluate(exact, params))
    write(tmp_path / "made.h5", artefact)
    assert to_onnx(tmp_path / "made.h5", tmp_path, "mine").difference <= CLOSE


def test_what_is_refused_says_why(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="a table is algebra of the exact model"):
        to_onnx("sdss_nodes", tmp_path)
    monkeypatch.setattr(onnx_export, "CLOSE", -1.0)
    with pytest.raises(OSError, match="not written"):
        to_onnx("sdss_tsnorm", tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"tengri-sed\[onnx\]"):
        to_onnx("sdss_tsnorm", tmp_path)
    assert not list(tmp_path.iterdir())
