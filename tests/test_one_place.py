"""Promise: what is added is added in one place.

A copy of an item under a name of its own, put into the registry and nowhere else, is that item: the
same numbers, from the declaration of parameters to the surrogate in its file.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import emulator
from emulator import description, export
from emulator.networks import NETWORKS
from emulator.targets import TARGETS
from tengri import Instrument, Parameters, SEDModel, load_ssp_data
from tengri.components.agn import AGN_MODELS
from tengri.components.dust.attenuation import LAWS
from tengri.components.dust.emission import EMISSION_MODELS
from tengri.components.igm import IGM_MODELS
from tengri.components.stellar.metallicity import METALLICITY_HISTORIES
from tengri.components.stellar.nebular import NEBULAR_MODELS
from tengri.components.stellar.sfh import SFH_FAMILIES
from tengri.observation.instrument import INSTRUMENTS
from tests.emulator.conftest import tiny_observation, tiny_ssp
from tests.train.conftest import CONFIG, changed
from train import pipeline
from train.optimisers import OPTIMISERS

ROOT = Path(__file__).resolve().parents[1]
COPY = "copied"


# --- components of the exact model ------------------------------------------------------------

#: registry, original, settings that choose an item of the name, values
COMPONENTS = {
    "dust law": (LAWS, "calzetti", lambda name: {"dust_law": name}),
    "SFH family": (SFH_FAMILIES, "dpl", lambda name: {"mean_sfh_type": name}),
    "metallicity": (METALLICITY_HISTORIES, "ramp", lambda name: {"met_mode": name}),
    "dust emission": (EMISSION_MODELS, "casey12", lambda name: {"dust_emission": name}),
    "nebular": (NEBULAR_MODELS, "cloudy", lambda name: {"nebular": name}),
    "AGN": (AGN_MODELS, "standard", lambda name: {"agn_model": name}),
    "IGM": (IGM_MODELS, "madau", lambda name: {"igm_model": name}),
}
QUICKLY = ("dust law", "SFH family")


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=() if k in QUICKLY else pytest.mark.slow) for k in COMPONENTS]
)
def test_a_component_under_another_name_is_the_same(kind):
    registry, original, settings = COMPONENTS[kind]
    original = original if original in registry else next(iter(registry))
    copy = replace(registry[original], name=COPY)
    stars_alone = "ssp_bc03_miles_kroupa_noneb.h5"
    ssp = load_ssp_data(stars_alone) if kind == "nebular" else tiny_ssp()
    with registry.temporarily(copy):
        models = [SEDModel(Parameters(**settings(name), redshift=2.0), ssp, tiny_observation())
                  for name in (original, COPY)]  # fmt: skip
        found = [np.asarray(jax.jit(model.evaluator().bands)({}).flux) for model in models]
    np.testing.assert_array_equal(*found)
    assert (found[0] > 0.0).all()


def test_an_instrument_is_one_entry(monkeypatch):
    monkeypatch.setitem(INSTRUMENTS, "COPIED", INSTRUMENTS["SDSS"])
    assert Instrument.COPIED().filter_names == Instrument.SDSS().filter_names


# --- the training and its surrogate -----------------------------------------------------------

QUICK = changed(CONFIG, "run", steps=8, dispatch=8, evaluation_rows=64)
AGES = changed(changed(QUICK, "model", histories=("dpl",)), "network", target="ssp_photometry")


def finished(config: Any, folder: Path) -> emulator.EmulatedSEDModel:
    """Train from start to end and load what was written."""
    config = changed(config, "data", reuse=2)
    config = changed(config, "run", minutes=0.0)
    assert pipeline.start(config, folder, "test") == 0
    return emulator.load(folder)


def same(config: Any, other: Any, tmp_path: Path) -> list[emulator.EmulatedSEDModel]:
    """Train both; their weights are equal, bit for bit."""
    pair = [finished(c, tmp_path / name) for name, c in (("a", config), ("b", other))]
    jax.tree.map(np.testing.assert_array_equal, *(model.artefact.params for model in pair))
    return pair


@pytest.mark.slow
@pytest.mark.parametrize("config", [QUICK, AGES], ids=lambda c: c.network.target)
def test_a_target_is_its_own_file_and_a_name(config, tmp_path, monkeypatch):
    original = TARGETS[config.network.target]

    @dataclass(frozen=True)
    class Copied(original):  # type: ignore[misc, valid-type]
        name = COPY

    monkeypatch.setitem(TARGETS, COPY, Copied)
    pair = same(config, changed(config, "network", target=COPY), tmp_path)
    params = pair[0].artefact.checks["params"]
    fluxes = [np.asarray(model.predict_photometry_batch(params)) for model in pair]
    np.testing.assert_array_equal(*fluxes)
    differences = [export.to_numpy(tmp_path / n, tmp_path, n).difference for n in "ab"]
    assert differences[0] == differences[1]
    texts = [description.text(description.describe(tmp_path / n)) for n in "ab"]
    head, said = texts[0].splitlines(), texts[1].replace(COPY, original.name).splitlines()
    assert head[0].split(",")[0] == said[0].split(",")[0]
    assert head[1:20] == said[1:20]
    cards = [model.artefact.card.partition("## Accuracy")[2] for model in pair]
    assert cards[0] == cards[1]


@pytest.mark.slow
def test_a_network_and_an_optimiser_are_one_entry_each(tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, COPY, NETWORKS["resmlp"])
    monkeypatch.setitem(OPTIMISERS, COPY, OPTIMISERS["adamw"])
    plain = changed(changed(QUICK, "optimiser", name="adamw"), "network", name="resmlp")
    copied = changed(changed(QUICK, "optimiser", name=COPY), "network", name=COPY)
    same(plain, copied, tmp_path)
    with pytest.raises(Exception, match=r"network 'copied' has no form in NumPy alone.*resmlp"):
        export.to_numpy(tmp_path / "b", tmp_path, "mine")


# --- nobody else asks -------------------------------------------------------------------------

FILES = [p for folder in ("emulator", "train") for p in (ROOT / folder).rglob("*.py")
         if "configs" not in p.parts]  # fmt: skip


def asked_of(file: Path) -> set[str]:
    """Return the strings and classes that a module compares with."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "isinstance", "issubclass", "hasattr",
        ):  # fmt: skip
            compared = node.args
        else:
            continue
        found |= {
            str(n.value) for c in compared for n in ast.walk(c) if isinstance(n, ast.Constant)
        }
        found |= {n.id for c in compared for n in ast.walk(c) if isinstance(n, ast.Name)}
    return found


def test_the_kind_of_a_target_is_asked_nowhere():
    kinds = {t.name for t in TARGETS.values()} | {t.__name__ for t in TARGETS.values()}
    assert len(FILES) > 60
    asking = {str(p.relative_to(ROOT)): asked_of(p) & kinds for p in FILES}
    assert {name: words for name, words in asking.items() if words} == {}


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda t: t.name)
def test_a_target_is_named_in_its_own_files_alone(target):
    """Beside them only the registry knows the class, and configurations the name."""
    own = {f"{target.name}.py", "__init__.py"}
    naming = {p.name for p in FILES if re.search(rf"\b{target.__name__}\b", p.read_text())}
    assert naming <= own
