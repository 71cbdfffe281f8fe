"""The options of a training, section by section: types, limits and defaults.

They are declared here and nowhere else: pydantic checks what is given against them, and says of
every mistake at once where it is.
"""

from __future__ import annotations

import math
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic.dataclasses import dataclass

from tengri.errors import ConfigError, unknown

#: Unknown options are refused; those that do not exist are no silent mistakes.
CLOSED = ConfigDict(extra="forbid")


def _number(value: Any) -> Any:
    """Refuse what pydantic would read as a number: truth values and texts."""
    if isinstance(value, (bool, str)):
        raise ValueError(f"must be a number, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"must be finite, got {value!r}")
    return value


def _listed(value: Any) -> Any:
    """Take a single name as a list of one."""
    return (value,) if isinstance(value, str) else value


def _optimiser(name: str) -> str:
    from train.optimisers import OPTIMISERS  # with optax, only once a configuration is read

    if name not in OPTIMISERS:
        raise ValueError(str(unknown("optimiser", name, tuple(OPTIMISERS))).rstrip("."))
    return name


def _populations(names: tuple[str, ...]) -> tuple[str, ...]:
    from train import populations  # with the surrogates, only where some are named

    for name in names:
        try:
            populations.check(name)
        except ConfigError as error:
            raise ValueError(str(error).rstrip(".")) from None
    return names


def _two_or_more(keep: int) -> int:
    if keep < 2:
        raise ValueError("must be 2 or more: one is whole while the next is written")
    return keep


def _percentile(text: str) -> str:
    if text:
        try:
            parse_until(text)
        except ConfigError as error:
            raise ValueError(str(error).rstrip(".")) from None
    return text


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Positive = Annotated[int, Field(gt=0), BeforeValidator(_number)]
Count = Annotated[int, Field(ge=0), BeforeValidator(_number)]
Seed = Annotated[int, Field(ge=0, lt=1 << 32), BeforeValidator(_number)]
PositiveNumber = Annotated[float, Field(gt=0.0), BeforeValidator(_number)]
Amount = Annotated[float, Field(ge=0.0), BeforeValidator(_number)]
Share = Annotated[float, Field(ge=0.0, le=1.0), BeforeValidator(_number)]


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


@dataclass(frozen=True, config=CLOSED)
class ModelOptions:
    """The exact model that is emulated.

    Attributes
    ----------
    instruments : tuple of str
        Names of the instrument registry; their bands are joined in this order.
    bands : tuple of str
        Further bands by filter name, or all of them.
    ssp : str
        Name or path of the SSP grid; empty means the embedded default.
    ssp_stars : str
        Of a target of spectra: the grid of stars alone that serves specs with gas around them.
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

    instruments: Names = ()
    bands: Names = ()
    ssp: str = ""
    ssp_stars: str = ""
    histories: Names = ("tsnorm", "continuity", "dirichlet", "delayed+burst", "dpl+field")
    parameters: dict[str, Any] = field(default_factory=dict)
    physics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, config=CLOSED)
class DataOptions:
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

    source: Literal["streaming", "stored"] = "streaming"
    path: str = ""
    rows: Positive = 131072
    shards: Positive = 16
    pool: Positive = 32768
    reuse: Count = 0
    sampler: Literal["sobol", "random"] = "sobol"
    chunk: Positive = 1024
    nonfinite: Literal["stop", "skip"] = "stop"
    shuffle_targets: StrictBool = False

    @property
    def largest_pool(self) -> int:
        """Rows that steps can draw from at a time."""
        return self.pool if self.source == "streaming" else self.rows


@dataclass(frozen=True, config=CLOSED)
class NetworkOptions:
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
        Size of the learnt table, or twice the number of Fourier frequencies; knots of the
        network ``table``.
    tables : tuple of str
        Inputs that have a learnt table of their own: those in which the exact model interpolates
        between nodes.
    target : str
        Of ``emulator.targets.TARGETS``, or ``spectrum``.
    whiten : bool
        Rotate the outputs to their principal components.
    components : int
        Keep this many principal components, ``width`` at most; 0 keeps all. What those left out
        hold is printed at the start: no network is better than that.
    by_band : bool
        Where the outputs have parts, as the ages of each band in a kernel: this many components
        of each by themselves, which costs less to undo. The last layer's width still limits them
        all.
    eigenspectra : int
        Of a target that is tabulated: how many spectra its young populations are mixed of, and as
        many its old ones.
    rounding : float
        To what share of a band's light the table is rounded: the file packs what is left.
    young_eigenspectra : int
        Of a target of spectra: those of the young populations alone; 0: as many as of the old.
    span : (float, float)
        Of a target of spectra: the rest wavelengths [Å] that are kept.
    beyond : {"none", "compact"}
        Of a target of spectra: what is kept outside of ``span``, nothing or the wavelengths of
        the compact grids, for bands and for the heat of dust.
    """

    name: str = "resmlp"
    width: Positive = 192
    depth: Positive = 2
    activation: str = "gelu"
    redshift: Literal["none", "fourier", "table"] = "table"
    knots: Positive = 128
    features: Positive = 16
    tables: Names = ()
    target: str = "photometry"
    whiten: StrictBool = False
    components: Count = 0
    by_band: StrictBool = False
    eigenspectra: Positive = 24
    rounding: PositiveNumber = 1e-5
    young_eigenspectra: Count = 0
    span: tuple[float, float] = (0.0, 1e10)
    beyond: Literal["none", "compact"] = "none"


@dataclass(frozen=True, config=CLOSED)
class OptimiserOptions:
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

    name: Annotated[str, AfterValidator(_optimiser)] = "muon"
    learning_rate: PositiveNumber = 2e-2
    schedule: Literal["cosine", "staged"] = "cosine"
    batch: Positive = 1024
    late_batch: Positive = 4096
    late: Share = 0.0
    warmup: Share = 0.03
    final: Share = 0.0
    weight_decay: Amount = 0.0
    clip: Amount = 0.0
    ema: Share = 0.995
    loss: Literal["mse", "huber", "log_cosh"] = "mse"
    sobolev: Amount = 0.0
    faint: Amount = 1e-4
    polish: Count = 0
    polish_rows: Positive = 16384


@dataclass(frozen=True, config=CLOSED)
class RunOptions:
    """How long, how often, and which random numbers.

    Attributes
    ----------
    steps : int
        Steps of the schedule; 0 takes as many as fit into ``minutes``.
    minutes : float
        Budget of the whole, turned into steps by measurement at the start: planning, training and
        what follows, which leaves out derivatives and timings that it has no time for.
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
    populations : tuple of str
        Populations beside the prior for which error bars are made to hold: names of
        ``train.populations.POPULATIONS``, or catalogues of parameters.
    population_rows : int
        Galaxies of each.
    """

    steps: Count = 0
    minutes: Amount = 5.0
    seed: Seed = 0
    dispatch: Positive = 32
    validation_rows: Positive = 2048
    evaluation_rows: Positive = 20000
    validate_seconds: Amount = 10.0
    save_seconds: Amount = 60.0
    log_seconds: Amount = 10.0
    keep: Annotated[Positive, AfterValidator(_two_or_more)] = 2
    start: str = ""
    until: Annotated[str, AfterValidator(_percentile)] = ""
    timing_rows: Count = 100000
    jacobian_rows: Count = 128
    populations: Annotated[Names, AfterValidator(_populations)] = ()
    population_rows: Positive = 12000


@dataclass(frozen=True, config=CLOSED)
class Config:
    """One training; see the classes of its sections."""

    model: ModelOptions = field(default_factory=ModelOptions)
    data: DataOptions = field(default_factory=DataOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    optimiser: OptimiserOptions = field(default_factory=OptimiserOptions)
    run: RunOptions = field(default_factory=RunOptions)

    def __post_init__(self) -> None:
        """Check what concerns more than one option."""
        if not (self.model.instruments or self.model.bands):
            raise ValueError("model.instruments or model.bands must name what is observed")
        if self.data.source == "stored" and not self.data.path:
            raise ValueError('data.source = "stored" needs data.path, the folder of the data set')
        if not (self.run.steps or self.run.minutes):
            raise ValueError("run.steps or run.minutes must say how long to train")
        if max(self.optimiser.batch, self.optimiser.late_batch) > self.data.largest_pool:
            raise ValueError(
                "optimiser.batch and late_batch must fit into data.pool (or data.rows)"
            )
        if self.network.components > self.network.width:
            raise ValueError(
                f"network.components = {self.network.components}, but a last layer of width "
                f"{self.network.width} has no more than that many to give: make network.width "
                "larger"
            )
        if self.network.by_band and not self.network.components:
            raise ValueError(
                "network.by_band says how components are kept: give network.components, how many "
                "of each band, or leave it out"
            )
