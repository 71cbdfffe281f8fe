"""Stages of RAIL: mock photometry of a model, photometric redshifts of a fit in qp ensembles.

    python docs/engines/rail_stages.py [--rows 2000] [-o photoz.hdf5]
    python docs/engines/rail_stages.py --pipeline pipe.yml [--rows 2000]   # and then, by ceci,
    PYTHONPATH=docs/engines ceci pipe.yml

`TengriModeler` and `TengriCreator` make magnitudes with errors of galaxies of the prior,
`TengriInformer` writes down model and settings, `TengriEstimator` fits: the stages that RAIL (and
ceci, from its YAML) connects. What `CatEstimator` reads are magnitudes ``mag_u_lsst`` … with
``mag_err_u_lsst`` …, as RAIL names them. Needs pz-rail-base
(``docs/engines/requirements-rail.txt``).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import qp
import tables_io
from ceci import PipelineStage
from ceci.config import StageParameter as Param
from rail.core.data import DataStore
from rail.core.stage import RailPipeline
from rail.creation.engine import Creator, Modeler
from rail.estimation.estimator import CatEstimator
from rail.estimation.informer import CatInformer

import tengri
from tengri.inference import Observations, fit
from tengri.inference.observations import UNUSABLE

BAND, ERROR = "mag_{}_lsst", "mag_err_{}_lsst"
LN_PER_MAG = np.log(10.0) / 2.5
SURROGATE = Param(str, "lsst", msg="a surrogate's name or file")


def letters(model) -> list[str]:
    """Return the letters that RAIL calls the bands by: u of lsst_u."""
    return [name.rpartition("_")[2] for name in model.filter_names]


class TengriModeler(Modeler):
    """The model that mock galaxies are drawn from: a surrogate, and the errors of a survey."""

    name = "TengriModeler"
    config_options = Modeler.config_options.copy()
    config_options.update(surrogate=SURROGATE, snr=Param(float, 30.0, msg="S/N at limit/30"))

    def run(self):
        self.add_data("model", {"surrogate": self.config.surrogate, "snr": self.config.snr})


class TengriCreator(Creator):
    """Magnitudes, errors and true redshifts of galaxies of the prior."""

    name = "TengriCreator"
    config_options = Creator.config_options.copy()

    def run(self):
        model = tengri.load_model(self.model["surrogate"], units="nJy")
        n, seed = self.config.n_samples, self.config.seed
        drawn = {name: np.asarray(v) for name, v in model.spec.sample_sobol(n, seed=seed).items()}
        flux = np.asarray(model.predict_photometry_batch(drawn), float)
        error = flux / self.model["snr"]
        seen = flux + error * np.random.default_rng(seed).normal(size=flux.shape)
        columns = {"redshift": drawn["redshift"], "object_id": np.arange(n)}
        for i, letter in enumerate(letters(model)):
            columns[BAND.format(letter)] = 31.4 - 2.5 * np.log10(seen[:, i])
            columns[ERROR.format(letter)] = error[:, i] / seen[:, i] / LN_PER_MAG
        self.add_data("output", columns)


class TengriInformer(CatInformer):
    """Model and settings of the fit; it learns nothing from the galaxies it is shown."""

    name = "TengriInformer"
    config_options = CatInformer.config_options.copy()
    config_options.update(
        surrogate=SURROGATE,
        library=Param(int, 1 << 16, msg="draws of the library, a power of two"),
        floor=Param(float, 0.02, msg="error floor as a share of the flux"),
    )

    def run(self):
        self.add_data(
            "model", {name: self.config[name] for name in ("surrogate", "library", "floor")}
        )


class TengriEstimator(CatEstimator):
    """P(z) of galaxies on the grid of RAIL; the flag of the fit travels in the ensemble's table."""

    name = "TengriEstimator"
    config_options = CatEstimator.config_options.copy()

    def open_model(self, tag="model", **kwargs):
        settings = super().open_model(tag, **kwargs)
        if settings is not None:
            self.fast = tengri.load_model(settings["surrogate"], units="nJy")
        return settings

    def _process_chunk(self, start, end, data, first):
        names = letters(self.fast)
        magnitude = np.stack([np.asarray(data[BAND.format(b)], float) for b in names], axis=1)
        error = np.stack([np.asarray(data[ERROR.format(b)], float) for b in names], axis=1)
        observed = Observations.of(magnitude, error, self.fast.filter_names, units="mag_ab",
                                   floor=self.model["floor"])  # fmt: skip
        found = fit(self.fast, observed, method="library", draws=400, derived=False,
                    library=self.model["library"])  # fmt: skip
        draws = found.draws[:, :, list(found.names).index("redshift")]
        edges = np.linspace(self.config.zmin, self.config.zmax, self.config.nzbins + 1)
        made = qp.Ensemble(qp.hist, data={"bins": edges, "pdfs": histograms(draws, edges)})
        flag = np.asarray(found.columns["flag"])
        made.set_ancil({"tengri_flag": flag, "usable": (flag & UNUSABLE) == 0,
                        "zmode": np.asarray(found.columns["redshift_peak"])})  # fmt: skip
        self._do_chunk_output(made, start, end, first, data=data)


def histograms(draws: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return densities (n, n_bins) of draws (n, m); without any, all redshifts are as likely."""
    place = np.searchsorted(edges, draws, side="right") - 1
    inside = (place >= 0) & (place < len(edges) - 1) & np.isfinite(draws)
    counts = np.zeros((len(draws), len(edges) - 1))
    rows = np.broadcast_to(np.arange(len(draws))[:, None], draws.shape)
    np.add.at(counts, (rows[inside], place[inside]), 1.0)
    counts[counts.sum(axis=1) == 0.0] = 1.0
    return counts / (counts * np.diff(edges)).sum(axis=1, keepdims=True)


#: Settings of the estimator.
GRID = {"hdf5_groupname": "", "zmin": 0.0, "zmax": 3.0, "nzbins": 301, "chunk_size": 1000}


def write_pipeline(path: Path, mocks) -> None:
    """Write a catalogue and the YAML by which ceci fits it."""
    catalogue = path.with_suffix(".hdf5").resolve()
    tables_io.write(mocks, str(catalogue))
    pipeline = RailPipeline()
    pipeline.informer = TengriInformer.build(model="fit.pkl", hdf5_groupname="")
    pipeline.estimator = TengriEstimator.build(
        connections={"model": pipeline.informer.io.model}, **GRID
    )
    folder = {"output_dir": str(path.parent.resolve()), "log_dir": str(path.parent / "logs")}
    pipeline.initialize({"input": str(catalogue)}, {**folder, "resume": False}, None)
    pipeline.save(str(path))
    # this file by the name that ceci imports, not the one that it has as a program
    path.write_text(path.read_text().replace("__main__", Path(__file__).stem))
    print(f"{path}: fits {catalogue} by ceci")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("-o", "--out", default="photoz.hdf5")
    parser.add_argument("--pipeline", type=Path, metavar="YAML")
    args = parser.parse_args()
    DataStore.allow_overwrite = True
    modeler = TengriModeler.make_stage(name="modeler", model="mocks.pkl")
    creator = TengriCreator.make_stage(
        name="creator", model=modeler.fit_model({"redshift": np.zeros(1)}), n_samples=args.rows
    )
    mocks = creator.sample(args.rows, seed=5)
    if args.pipeline:
        write_pipeline(args.pipeline, mocks.data)
        return
    informer = TengriInformer.make_stage(name="informer", model="fit.pkl", hdf5_groupname="")
    model = informer.inform(mocks)
    estimator = TengriEstimator.make_stage(name="estimator", model=model, output=args.out, **GRID)
    ensemble = estimator.estimate(mocks).data
    truth = np.asarray(mocks.data["redshift"])
    away = (np.ravel(ensemble.ancil["zmode"]) - truth) / (1.0 + truth)
    print(f"{ensemble.npdf} P(z) in {args.out}; 1.48 MAD of Δz/(1+z) "
          f"{1.4826 * np.median(np.abs(away - np.median(away))):.4f}, beyond 0.15: "
          f"{100 * np.mean(np.abs(away) > 0.15):.1f} %")  # fmt: skip


if __name__ == "__main__":
    # ceci starts this file with the name of a stage
    PipelineStage.main() if sys.argv[1:2] and sys.argv[1].isidentifier() else main()
