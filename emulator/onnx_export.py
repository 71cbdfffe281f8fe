"""The network of a surrogate as one ONNX file, for programs that have no Python.

Its input ``parameters`` (n, n_in) are values as users give them, in the order that the file's
metadata say; scalings and logarithms are inside. Its outputs:

``log_light``  (n, n_out) what the network says: natural logarithms
``light``      (n, n_bands) of an end-to-end surrogate: fluxes at the source, in units of
               10**(amplitude + ``log10_unit``) Lsun/Hz. Of a kernel (n, n_out): light of every age
               in every band, with dust still to be applied

Distance, amplitude, star-formation history and dust are algebra in double precision, which
``tengri export --numpy`` writes as code; they are no part of a network. Refused are tables
(``band_nodes``), whose answer is algebra alone, and ``per_output``, which would be a graph for each
output.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from emulator import artefact as artefacts
from emulator import export, published
from emulator.artefact import Artefact
from tengri import __version__
from tengri.errors import ConfigError, DataError
from tengri.io import atomic

#: Worst difference of an output to that of the NumPy export, relative where it exceeds one.
CLOSE = 1e-5
OPSET, IR_VERSION = 17, 8
NETWORKS = ("mlp", "resmlp")
F32 = np.float32


class ExportedGraph(NamedTuple):
    """The file, and the worst difference of its outputs to those of the NumPy export."""

    file: Path
    difference: float

    def __str__(self) -> str:
        return f"{self.file}\nagrees with the NumPy export to {self.difference:.1e}"


def to_onnx(
    path_or_name: str | os.PathLike[str], folder: str | os.PathLike[str], name: str | None = None
) -> ExportedGraph:
    """Write ``name.onnx``, run it on the check pairs and compare with the NumPy export.

    Parameters
    ----------
    path_or_name : str or path
        The surrogate.
    folder : path
        Where the file goes; made if it is not there.
    name : str, optional
        Default: the surrogate's.

    Raises
    ------
    ConfigError
        A surrogate without an export, for the reasons above; onnx or onnxruntime is missing.
    DataError
        The file cannot be written, or differs by more than 1e-5.
    """
    _onnx(), _runtime()
    source = published.resolve(path_or_name)
    artefact = artefacts.read(source)
    name = name or (source.parent.name if source.name == published.FILE else source.stem)
    if artefact.network.name not in NETWORKS:
        raise ConfigError(
            f"The network {artefact.network.name!r} has no ONNX export: a table is algebra of the "
            "exact model, per_output a graph for each output. Exported can be: "
            f"{', '.join(NETWORKS)}."
        )
    with tempfile.TemporaryDirectory() as place:
        made = export.to_numpy(source, place, "reference")
        reference = export.module_of(made.code)
        data = _Graph(reference).model(_facts(artefact)).SerializeToString()
    worst = _difference(data, reference, artefact)
    if not worst <= CLOSE:
        raise DataError(f"{name}.onnx differs from the NumPy export by {worst:.1e}: not written.")
    out = Path(folder) / f"{name}.onnx"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out.parent}: cannot be made ({atomic.os_reason(error)}).") from error
    atomic.write_bytes(out, data)
    return ExportedGraph(out, worst)


def _onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise ConfigError("--onnx needs onnx: pip install 'tengri-sed[onnx]'") from None
    return onnx


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ConfigError(
            "--onnx checks what it writes with onnxruntime: pip install 'tengri-sed[onnx]'"
        ) from None
    return onnxruntime


def _facts(artefact: Artefact) -> dict[str, str]:
    """Return the metadata of the file: text by name."""
    target = artefact.target.to_dict()
    kept: dict[str, Any] = {
        "inputs": list(target["input_names"]),
        "bands": list(artefact.band_names),
        "target": target["name"],
        "written_from": artefact.sha256,
        "tengri": __version__,
        **{key: target[key] for key in ("log10_unit", "amplitude") if key in target},
    }
    return {key: json.dumps(value) for key, value in kept.items()}


def _difference(data: bytes, reference: ModuleType, artefact: Artefact) -> float:
    """Return the worst difference to NumPy on the check pairs, relative beyond one."""
    arguments = export.standalone_arguments(artefact, artefact.checks["params"])
    formed = arguments.pop("formed", None)
    p = reference.complete(arguments, None if formed is None else len(formed))
    names = reference.TARGET["input_names"]
    raw = np.concatenate([p[n].reshape(len(p[n]), -1) for n in names], axis=1).astype(F32)
    y = reference.network(reference.inputs(p))
    light = _light(reference, y)
    session = _runtime().InferenceSession(data, providers=["CPUExecutionProvider"])
    found = session.run(["log_light", "light"], {"parameters": raw})
    top = light.max(axis=1, keepdims=True)
    return max(
        float(np.max(np.abs(found[0] - y) / np.maximum(1.0, np.abs(y)))),
        float(np.max(np.abs(found[1] - light) / top)),
    )


def _light(reference: ModuleType, y: np.ndarray) -> np.ndarray:
    is_kernel = not hasattr(reference, "unit_flux")
    found: np.ndarray = reference.exponentials(y) if is_kernel else reference.unit_flux(y)
    return found


class _Graph:
    """Nodes and constants of a graph, in the order of `emulator.standalone`."""

    def __init__(self, reference: ModuleType) -> None:
        self.reference = reference
        self.arrays: dict[str, np.ndarray] = reference.ARRAYS
        self.network: dict[str, Any] = reference.NETWORK
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def model(self, facts: dict[str, str]) -> Any:
        """Return the whole as a model of ONNX."""
        onnx = _onnx()
        helper, kind = onnx.helper, onnx.TensorProto.FLOAT
        n_in = len(self.arrays["scaling/in/centre"])
        y = self._outputs(self._scaled("parameters"))
        light = self._add("Identity", self._of_light(y), name="light")
        self._add("Identity", y, name="log_light")
        graph = helper.make_graph(
            self.nodes,
            "tengri",
            [helper.make_tensor_value_info("parameters", kind, ["n", n_in])],
            [helper.make_tensor_value_info(out, kind, ["n", None]) for out in ("log_light", light)],
            self.constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
            producer_name="tengri", producer_version=__version__,
        )  # fmt: skip
        helper.set_model_props(model, facts)
        onnx.checker.check_model(model)
        return model

    # --- pieces -----------------------------------------------------------------------------

    def _add(self, kind: str, *inputs: Any, name: str = "", **attributes: Any) -> str:
        """Add a node; inputs are names of tensors, or arrays."""
        given = [i if isinstance(i, str) else self._constant(i) for i in inputs]
        out = name or f"t{len(self.nodes)}"
        self.nodes.append(_onnx().helper.make_node(kind, given, [out], **attributes))
        return out

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(F32)
        name = f"c{len(self.constants)}"
        self.constants.append(_onnx().numpy_helper.from_array(array, name))
        return name

    def _scaled(self, raw: str) -> str:
        about = self.reference.ABOUT
        is_log = np.array(about["input_log"])
        if is_log.any():
            shifted = self._add("Add", raw, np.array(about["input_shift"], F32))
            logs = self._add("Log", self._add("Where", is_log, shifted, F32(1.0)))
            raw = self._add("Where", is_log, logs, raw)
        below = self._add("Sub", raw, self.arrays["scaling/in/centre"])
        return self._add("Div", below, self.arrays["scaling/in/half"])

    def _outputs(self, x: str) -> str:
        y = {"mlp": self._mlp, "resmlp": self._resmlp}[self.network["name"]](self._features(x))
        y = self._add("Mul", y, self.arrays["scaling/out/scale"])
        if "scaling/out/rotation" in self.arrays:
            rotation = self.arrays["scaling/out/rotation"]
            blocks = rotation.reshape(-1, *rotation.shape[-2:])
            edges = np.cumsum([0, *(block.shape[1] for block in blocks)])
            parts = [self._add("MatMul", self._columns(y, lo, hi), block.T)
                     for lo, hi, block in zip(edges, edges[1:], blocks)]  # fmt: skip
            y = self._add("Concat", *parts, axis=1)
        return self._add("Add", y, self.arrays["scaling/out/mean"])

    def _of_light(self, y: str) -> str:
        about, target = self.reference.ABOUT, self.reference.TARGET
        u = self._add("Exp", y)
        if not hasattr(self.reference, "unit_flux"):
            if "scaling/out/floor" not in self.arrays:
                return u
            floor = np.exp(self.arrays["scaling/out/floor"].astype(float))
            least = about["below_floor"] * floor
            return self._add("Max", self._add("Sub", u, floor), least)
        softening, n = target["softening"], len(self.reference.BANDS)
        total = self._add("ReduceSum", u, np.array([1], np.int64), keepdims=1)
        total = self._add("Div", total, F32(1.0 + n * softening))
        less = self._add("Sub", u, self._add("Mul", total, F32(softening)))
        return self._add("Max", less, self._add("Mul", total, F32(about["floor"])))

    def _columns(self, x: str, lo: int, hi: int) -> str:
        ends = (np.array([end], np.int64) for end in (lo, hi, 1))
        return self._add("Slice", x, *ends)

    # --- layers -----------------------------------------------------------------------------

    def _weight(self, name: str) -> np.ndarray:
        return self.arrays[f"weights/{name}"]

    def _dense(self, x: str, layer: str) -> str:
        product = self._add("MatMul", x, self._weight(f"{layer}/kernel"))
        return self._add("Add", product, self._weight(f"{layer}/bias"))

    def _mlp(self, h: str) -> str:
        for i in range(self.network["depth"]):
            h = self._activation(self._dense(h, f"layer_{i}"), i)
        return self._dense(h, "out")

    def _resmlp(self, x: str) -> str:
        h = self._dense(x, "layer_0")
        for i in range(self.network["depth"]):
            inner = self._dense(self._activation(h, 2 * i), f"first_{i}")
            h = self._add("Add", h, self._dense(self._activation(inner, 2 * i + 1), f"second_{i}"))
        return self._dense(self._activation(h, 2 * self.network["depth"]), "out")

    def _features(self, x: str) -> str:
        parts, z = [x], self.network["z_column"]
        if self.network["redshift"] == "fourier":
            waves = F32(np.pi) * np.arange(1, self.network["n_features"] + 1, dtype=F32)
            phase = self._add("Mul", self._columns(x, z, z + 1), waves)
            parts += [self._add("Sin", phase), self._add("Cos", phase)]
        if self.network["redshift"] == "table":
            parts.append(self._interpolated(self._weight("redshift/table"), x, z))
        for column in self.network["tables"]:
            parts.append(self._interpolated(self._weight(f"table_{column}/table"), x, column))
        return self._add("Concat", *parts, axis=1)

    def _interpolated(self, table: np.ndarray, x: str, column: int) -> str:
        """Rows of a table over [-1, 1], linear between its knots, constant beyond."""
        last = len(table) - 1
        place = self._add("Mul", self._add("Add", self._columns(x, column, column + 1), F32(1.0)),
                          F32(0.5 * last))  # fmt: skip
        place = self._add("Clip", place, F32(0.0), F32(last))
        below = self._add("Min", self._add("Floor", place), F32(last - 1))
        part = self._add("Sub", place, below)
        row = self._add("Squeeze", self._add("Cast", below, to=_onnx().TensorProto.INT64),
                        np.array([1], np.int64))  # fmt: skip
        one = self._add("Gather", table, row, axis=0)
        step = self._add("Gather", np.diff(table, axis=0), row, axis=0)
        return self._add("Add", one, self._add("Mul", step, part))

    def _activation(self, x: str, i: int) -> str:
        known: dict[str, Callable[[str, int], str]] = {
            "tanh": lambda x, i: self._add("Tanh", x), "gelu": self._gelu,
            "silu": lambda x, i: self._add("Mul", x, self._add("Sigmoid", x)),
            "smoothstep": self._smoothstep, "speculator": self._speculator,
        }  # fmt: skip
        return known[self.network["activation"]](x, i)

    def _gelu(self, x: str, i: int) -> str:
        cube = self._add("Mul", self._add("Mul", self._add("Mul", x, x), x), F32(0.044715))
        inner = self._add("Mul", self._add("Add", x, cube), F32(np.sqrt(2.0 / np.pi)))
        half = self._add("Mul", x, F32(0.5))
        return self._add("Mul", half, self._add("Add", self._add("Tanh", inner), F32(1.0)))

    def _smoothstep(self, x: str, i: int) -> str:
        t = self._add("Add", self._add("Mul", x, F32(0.2128)), F32(0.5))
        t = self._add("Clip", t, F32(0.0), F32(1.0))
        poly = self._add("Sub", self._add("Mul", t, F32(6.0)), F32(15.0))
        poly = self._add("Add", self._add("Mul", t, poly), F32(10.0))
        cube = self._add("Mul", self._add("Mul", t, t), t)
        return self._add("Mul", self._add("Mul", x, cube), poly)

    def _speculator(self, x: str, i: int) -> str:
        alpha, beta = self._weight(f"act_{i}/alpha"), self._weight(f"act_{i}/beta")
        gate = self._add("Sigmoid", self._add("Mul", x, alpha))
        return self._add("Mul", self._add("Add", self._add("Mul", gate, 1.0 - beta), beta), x)
