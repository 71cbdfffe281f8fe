"""What one training is: a frozen, nested configuration that refuses unknown keys.

A configuration is written in TOML, or in Python as one expression of the classes below::

    from train.config import Config, Model, Optimiser

    Config(
        model=Model(instruments=("SDSS",), parameters={"redshift": (0.01, 1.0)}),
        optimiser=Optimiser(batch=1024),
    )

A Python file is *read*, never run: literals, arithmetic of literals and these classes.
"""

from __future__ import annotations

import ast
import dataclasses
import operator
import tomllib
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tengri.errors import ConfigError, suggestion, unknown
from tengri.literal import read_value

CONFIG_FOLDER = Path(__file__).parent / "configs"
MAX_CONFIG_BYTES = 1 << 20


@dataclass(frozen=True)
class Model:
    """The exact model that is emulated.

    Attributes
    ----------
    instruments : tuple of str
        Names of the instrument registry; their bands are joined in this order.
    bands : tuple of str
        Further bands by filter name, or all of them.
    ssp : str
        Name or path of the SSP grid; empty means the embedded default.
    histories : tuple of str
        For a target that serves any history: families that train and judge it beside that of
        ``parameters``, with their default priors; ``"dpl+field"`` is a sum.
    parameters : dict
        As in ``Parameters(...)``: a number fixes, a pair is ``Uniform``, a string is a setting
        or the parameter to follow, a table ``{kind = "LogUniform", lo = 1, hi = 9}`` any prior.
    physics : dict
        Versions of the physics, as ``Parameters.physics`` gives them: a run notes them when it
        begins. Empty means today's.
    """

    instruments: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    ssp: str = ""
    histories: tuple[str, ...] = ("tsnorm", "continuity", "dirichlet", "delayed+burst", "dpl+field")
    parameters: dict[str, Any] = field(default_factory=dict)
    physics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Data:
    """Training rows.

    Attributes
    ----------
    source : {"streaming", "stored"}
        Pools made while training, or the data set in ``path``.
    path : str
        Folder of a stored data set.
    rows, shards : int
        Size of a stored data set, and of how many files it consists.
    pool : int
        Rows of one streamed pool.
    reuse : int
        How often each pool is used; 0 chooses it from measured costs.
    sampler : {"sobol", "random"}
        How the prior is drawn.
    chunk : int
        Galaxies per compiled call of the exact model.
    nonfinite : {"stop", "skip"}
        What a row without finite flux does: stop the run, or be counted, named and left out.
    shuffle_targets : bool
        Pair inputs with the fluxes of other rows: a control that must come out useless.
    """

    source: str = "streaming"
    path: str = ""
    rows: int = 131072
    shards: int = 16
    pool: int = 32768
    reuse: int = 0
    sampler: str = "sobol"
    chunk: int = 1024
    nonfinite: str = "stop"
    shuffle_targets: bool = False


@dataclass(frozen=True)
class Network:
    """The network and what it predicts.

    Attributes
    ----------
    name : str
        Of ``emulator.networks.NETWORKS``.
    width, depth : int
        Units per layer; hidden layers of an ``mlp``, blocks of two of a ``resmlp``.
    activation : str
        ``silu``, ``gelu``, ``tanh``, ``smoothstep`` or ``speculator``.
    redshift : {"none", "fourier", "table"}
        Extra features of the redshift.
    knots, features : int
        Size of the learnt table, or twice the number of Fourier frequencies.
    tables : tuple of str
        Inputs that have a learnt table of their own: those in which the exact model interpolates
        between nodes.
    target : str
        Of ``emulator.targets.TARGETS``.
    whiten : bool
        Rotate the outputs to their principal components.
    components : int
        Keep this many principal components, ``width`` at most; 0 keeps all. What those left out
        hold is printed at the start: no network is better than that.
    by_band : bool
        Where the outputs have parts, as the ages of each band in a kernel: this many components
        of each by themselves, which costs less to undo. The last layer's width still limits them
        all.
    """

    name: str = "resmlp"
    width: int = 192
    depth: int = 2
    activation: str = "gelu"
    redshift: str = "table"
    knots: int = 128
    features: int = 16
    tables: tuple[str, ...] = ()
    target: str = "photometry"
    whiten: bool = False
    components: int = 0
    by_band: bool = False


@dataclass(frozen=True)
class Optimiser:
    """How the loss is brought down.

    Attributes
    ----------
    name : str
        Of ``train.optimisers.OPTIMISERS``: ``muon``, ``adamw`` or ``nadam``.
    learning_rate : float
        Peak of the schedule.
    schedule : {"cosine", "staged"}
        Warm-up and half a cosine, or three stages, each at a tenth of the rate before.
    batch, late_batch : int
        Rows per step, and per step in the last part of the run.
    late : float
        Share of the rows seen that is spent at ``late_batch``.
    warmup, final : float
        Share of the steps in the warm-up; learning rate at the end over its peak.
    weight_decay, clip, ema : float
        Decoupled decay; limit of the gradient's norm (0: none); decay of the averaged weights.
    loss : {"mse", "huber", "log_cosh"}
        In the standardised softened-log outputs.
    sobolev : float
        What an error in the slope along a random direction counts beside one in the value; 0
        leaves slopes out.
    faint : float
        Bands fainter than this share of the brightest count less, in proportion to their flux;
        0 counts all alike. Principal components of bands always do.
    polish, polish_rows : int
        L-BFGS iterations after the schedule, on a fixed set of this many rows.
    """

    name: str = "muon"
    learning_rate: float = 2e-2
    schedule: str = "cosine"
    batch: int = 1024
    late_batch: int = 4096
    late: float = 0.0
    warmup: float = 0.03
    final: float = 0.0
    weight_decay: float = 0.0
    clip: float = 0.0
    ema: float = 0.995
    loss: str = "mse"
    sobolev: float = 0.0
    faint: float = 1e-4
    polish: int = 0
    polish_rows: int = 16384


@dataclass(frozen=True)
class Run:
    """How long, how often, and which random numbers.

    Attributes
    ----------
    steps : int
        Steps of the schedule; 0 takes as many as fit into ``minutes``.
    minutes : float
        Budget of training and generation, turned into steps by measurement at the start.
    seed : int
        Of everything random.
    dispatch : int
        Steps per compiled call.
    validation_rows, evaluation_rows : int
        Held-out rows of the live numbers, and of the final accuracy.
    validate_seconds, save_seconds, log_seconds : float
        Pace of the live numbers, of checkpoints and of plain progress lines.
    keep : int
        Recent checkpoints that are kept beside the best one, two or more: one of them is whole
        while the next is written.
    start : str
        A surrogate (file, run or published name) with the same target and network, whose weights
        the training starts from; empty starts from random ones.
    until : str
        Stop when reached, e.g. ``p99=5mmag``; not reaching it is a failure.
    timing_rows : int
        Largest batch of the throughput table; 0 leaves it out.
    jacobian_rows : int
        Galaxies whose derivatives are compared; 0 leaves them out.
    """

    steps: int = 0
    minutes: float = 5.0
    seed: int = 0
    dispatch: int = 32
    validation_rows: int = 2048
    evaluation_rows: int = 20000
    validate_seconds: float = 10.0
    save_seconds: float = 60.0
    log_seconds: float = 10.0
    keep: int = 2
    start: str = ""
    until: str = ""
    timing_rows: int = 100000
    jacobian_rows: int = 128


@dataclass(frozen=True)
class Config:
    """One training; see the classes of its sections."""

    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=Network)
    optimiser: Optimiser = field(default_factory=Optimiser)
    run: Run = field(default_factory=Run)

    def __post_init__(self) -> None:
        _check(self)


# --- reading --------------------------------------------------------------------------------


def names() -> list[str]:
    """Return the names of the configurations that come with the package."""
    files = CONFIG_FOLDER.glob("[a-z]*.*")
    return sorted(p.stem for p in files if p.suffix in (".toml", ".py"))


def locate(name_or_path: str) -> Path:
    """Return the file of a shipped name or of a path."""
    path = Path(name_or_path)
    if path.suffix in (".toml", ".py"):
        if not path.is_file():
            raise ConfigError(f"No configuration file {path}.")
        return path
    for suffix in (".py", ".toml"):
        shipped = CONFIG_FOLDER / f"{name_or_path}{suffix}"
        if shipped.parent == CONFIG_FOLDER and shipped.is_file():
            return shipped
    raise ConfigError(
        f"Unknown configuration {name_or_path!r}.{suggestion(name_or_path, names())} "
        "Your own is a file ending in .toml or .py."
    )


def load(name_or_path: str, overrides: Iterable[str] = ()) -> Config:
    """Read a configuration and apply ``section.key=value`` overrides.

    Raises
    ------
    ConfigError
        No such file, an unknown section or key (with near matches), a value of another type.
    """
    path = locate(name_or_path)
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path} is no configuration: larger than {MAX_CONFIG_BYTES} bytes.")
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else _read_python(text, path)
    except ConfigError:
        raise
    except (ValueError, OSError, RecursionError) as error:
        raise ConfigError(f"{path}: not a readable configuration: {error}.") from None
    for item in overrides:
        _override(data, item)
    return from_dict(data)


def overridden(config: Config, overrides: Iterable[str]) -> Config:
    """Return a configuration with ``section.key=value`` overrides; raises as `load` does."""
    data = to_dict(config)
    for item in overrides:
        _override(data, item)
    return from_dict(data)


def from_dict(data: Mapping[str, Any]) -> Config:
    """Build a configuration from nested plain values."""
    return _build(Config, data, "")


def to_dict(config: Config) -> dict[str, Any]:
    """Return nested plain values, JSON-serialisable."""
    return _plain(dataclasses.asdict(config))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def _override(data: dict[str, Any], item: str) -> None:
    key, equals, text = item.partition("=")
    *sections, last = key.strip().split(".")
    if not equals or not sections:
        raise ConfigError(f"--set {item!r}: write it as section.key=value.")
    place = data
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {item!r}: {section} is not a section.")
    place[last] = read_value(text.strip())


def _build(cls: type, data: Any, where: str) -> Any:
    """Build the dataclass ``cls``; ``where`` is the dotted path for messages."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"[{where}] must be a table of keys, got {data!r}.")
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in data.items():
        if key not in hints:
            kind = f"key of [{where}]" if where else "section"
            raise unknown(kind, str(key), hints)
        values[key] = _convert(hints[key], value, f"{where}.{key}".lstrip("."))
    return cls(**values)


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Return ``value`` as the annotated type, or raise naming the key."""
    if dataclasses.is_dataclass(hint):
        return _build(typing.cast(type, hint), value, where)
    kind = typing.get_origin(hint) or hint
    if kind is tuple and isinstance(value, (list, tuple, str)):
        items = (value,) if isinstance(value, str) else tuple(value)
        if all(isinstance(item, str) for item in items):
            return items
    elif kind is dict and isinstance(value, Mapping):
        return {str(k): v for k, v in value.items()}
    elif kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    elif isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    name = kind.__name__ if kind is not tuple else "list of names"
    raise ConfigError(f"{where} must be a {name}, got {value!r}.")


# --- Python files: a small literal reader ---------------------------------------------------

_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}  # fmt: skip


def _read_python(text: str, path: Path) -> dict[str, Any]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, MemoryError) as error:
        raise ConfigError(f"{path}: {error}.") from None
    values = [_expression(node) for node in tree.body]
    configs = [node for node in values if node is not None]
    if len(configs) != 1 or not isinstance(configs[0], ast.Call):
        raise ConfigError(f"{path}: expected one expression Config(...), found {len(configs)}.")
    data = _literal(configs[0], path)
    if _called(configs[0]) != "Config":
        raise ConfigError(f"{path}: the expression must be Config(...).")
    return data


def _expression(node: ast.stmt) -> ast.expr | None:
    """Return the value of an expression or assignment; docstring and imports are None."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return None
    value = getattr(node, "value", None)
    if isinstance(node, (ast.Expr, ast.Assign)) and value is not None:
        return None if isinstance(value, ast.Constant) else value
    raise ConfigError(f"line {node.lineno}: a configuration holds one Config(...) and no code.")


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _literal(node: ast.expr, path: Path) -> Any:
    """Return the value of a literal expression; calls of section classes become dicts."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Tuple() | ast.List():
            return [_literal(item, path) for item in node.elts]
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_literal(typing.cast(ast.expr, k), path): _literal(v, path)
                    for k, v in zip(keys, values)}  # fmt: skip
        case ast.UnaryOp(op=ast.USub()):
            return -_number(_literal(node.operand, path), node, path)
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            left, right = (_number(_literal(n, path), n, path) for n in (node.left, node.right))
            return _arithmetic(node, left, right, path)
        case ast.Call(args=[]) if all(k.arg for k in node.keywords):
            return _call(node, path)
    raise _not_literal(node, path)


def _arithmetic(node: ast.BinOp, left: Any, right: Any, path: Path) -> Any:
    try:
        return _ARITHMETIC[type(node.op)](left, right)
    except ArithmeticError:
        raise _not_literal(node, path) from None


def _call(node: ast.Call, path: Path) -> dict[str, Any]:
    from tengri.priors import KINDS

    name = _called(node)
    values = {str(k.arg): _literal(k.value, path) for k in node.keywords}
    if name in KINDS:
        return {"kind": name, **values}
    classes = [c.__name__ for c in (Config, Model, Data, Network, Optimiser, Run)]
    if name not in classes:
        raise unknown("configuration class", name, [*classes, *KINDS])
    return values


def _number(value: Any, node: ast.expr, path: Path) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise _not_literal(node, path)


def _not_literal(node: ast.expr, path: Path) -> ConfigError:
    return ConfigError(
        f"{path}, line {node.lineno}: {ast.unparse(node)[:60]!r} is no literal. A configuration is "
        "read, not run: numbers, strings, lists, dicts and the classes of train.config."
    )


# --- checks ---------------------------------------------------------------------------------

_CHOICES = {
    "data.source": ("streaming", "stored"),
    "data.sampler": ("sobol", "random"),
    "data.nonfinite": ("stop", "skip"),
    "network.redshift": ("none", "fourier", "table"),
    "optimiser.schedule": ("cosine", "staged"),
    "optimiser.loss": ("mse", "huber", "log_cosh"),
}
_POSITIVE = (
    "data.rows", "data.shards", "data.pool", "data.chunk",
    "network.width", "network.depth", "network.knots", "network.features",
    "optimiser.learning_rate", "optimiser.batch", "optimiser.late_batch",
    "optimiser.polish_rows", "run.dispatch", "run.validation_rows",
    "run.evaluation_rows", "run.keep",
)  # fmt: skip
_NOT_NEGATIVE = (
    "data.reuse", "optimiser.weight_decay", "optimiser.clip", "optimiser.faint",
    "optimiser.polish", "run.timing_rows", "run.jacobian_rows",
    "run.steps", "run.minutes", "run.seed",
    "run.validate_seconds", "run.save_seconds", "run.log_seconds",
)  # fmt: skip
_SHARES = ("optimiser.late", "optimiser.warmup", "optimiser.final", "optimiser.ema")


def _check(config: Config) -> None:
    """Raise for values that no run could use."""
    from train.optimisers import OPTIMISERS  # with optax, only once a configuration is read

    for key, valid in {**_CHOICES, "optimiser.name": tuple(OPTIMISERS)}.items():
        if (value := _get(config, key)) not in valid:
            raise unknown(f"value of {key}", str(value), valid)
    for key in _POSITIVE:
        if not 0 < (value := _get(config, key)) < float("inf"):
            raise ConfigError(f"{key} must be positive, got {value!r}.")
    for key in _NOT_NEGATIVE:
        if not 0 <= (value := _get(config, key)) < float("inf"):
            raise ConfigError(f"{key} must be 0 or more, got {value!r}.")
    for key in _SHARES:
        if not 0.0 <= (value := _get(config, key)) <= 1.0:
            raise ConfigError(f"{key} is a share between 0 and 1, got {value!r}.")
    if not (config.model.instruments or config.model.bands):
        raise ConfigError("model.instruments or model.bands must name what is observed.")
    if config.data.source == "stored" and not config.data.path:
        raise ConfigError('data.source = "stored" needs data.path, the folder of the data set.')
    if not (config.run.steps or config.run.minutes):
        raise ConfigError("run.steps or run.minutes must say how long to train.")
    if max(config.optimiser.batch, config.optimiser.late_batch) > _largest_pool(config.data):
        raise ConfigError("optimiser.batch and late_batch must fit into data.pool (or data.rows).")
    if config.network.components > config.network.width:
        raise ConfigError(
            f"network.components = {config.network.components}, but a last layer of width "
            f"{config.network.width} has no more than that many to give: make network.width larger."
        )
    if config.network.by_band and not config.network.components:
        raise ConfigError(
            "network.by_band says how components are kept: give network.components, how many of "
            "each band, or leave it out."
        )
    if config.run.keep < 2:
        raise ConfigError("run.keep must be 2 or more: one is whole while the next is written.")
    if config.run.until:
        parse_until(config.run.until)


def _largest_pool(data: Data) -> int:
    return data.pool if data.source == "streaming" else data.rows


def _get(config: Config, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def parse_until(text: str) -> tuple[float, float]:
    """Return (percentile, mmag) of ``p99=5mmag``."""
    left, _, right = text.replace(" ", "").partition("=")
    scale = 1.0 if right.endswith("mmag") else 1000.0
    try:
        percentile = float(left.removeprefix("p"))
        target = scale * float(right.removesuffix("mmag").removesuffix("mag"))
    except ValueError:
        raise ConfigError(f"until {text!r}: write it as p99=5mmag.") from None
    if not (left.startswith("p") and right.endswith("mag") and 0 < percentile < 100 and target > 0):
        raise ConfigError(f"until {text!r}: write it as p99=5mmag, a percentile and a magnitude.")
    return percentile, target
