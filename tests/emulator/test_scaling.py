"""Scalings invert, fill [-1, 1], and whiten."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from emulator import scaling as scaling_module
from emulator.scaling import InputScaling, OutputScaling, trained_range
from tengri import Parameters
from tengri.errors import ConfigError
from tengri.priors import LogUniform, Normal, Uniform
from tests.emulator.conftest import draws


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    return rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)) * [1.0, 5.0, 0.1] + [3, -2, 9]


def test_bounded_priors_fill_the_unit_box(exact, artefact):
    names = artefact.target.input_names
    scaling = InputScaling.from_spec(exact.spec, names)
    for end in (0, 1):
        v = np.array([exact.spec.get_distribution(n).bounds[end] for n in names])
        assert np.allclose(scaling.forward(v), 2 * end - 1, atol=1e-6)
    drawn = draws(exact.spec, 256)
    v = np.stack([drawn[n] for n in names], axis=1)
    assert np.allclose(scaling.inverse(scaling.forward(v)), v, rtol=1e-5, atol=1e-6)


def test_log_uniform_is_taken_in_the_logarithm():
    spec = Parameters(sfh_dpl_tau_gyr=LogUniform(0.1, 10.0), redshift=(0.1, 1.0))
    scaling = InputScaling.from_spec(spec, ("sfh_dpl_tau_gyr",))
    assert np.allclose(scaling.forward(np.array([1.0])), 0.0, atol=1e-6)
    assert np.isfinite(jax.grad(lambda v: scaling.forward(v)[0])(np.array([0.1]))).all()


def test_unbounded_prior_is_standardised_and_its_box_ends():
    prior = Normal(0.0, 2.0)
    lo, hi = trained_range(prior)
    assert -11.0 < lo < -8.0 and 8.0 < hi < 11.0
    assert trained_range(Uniform(1.0, 2.0)) == (1.0, 2.0)
    spec = Parameters(met_logzsol=Normal(-1.0, 0.1), redshift=(0.1, 1.0))
    scaling = InputScaling.from_spec(spec, ("met_logzsol",))
    assert float(scaling.forward(np.array([-1.0]))[0]) == pytest.approx(0.0, abs=1e-5)
    assert float(scaling.forward(np.array([-0.9]))[0]) == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize("kind", [{}, {"per_band": True}, {"pca": True}])
def test_outputs_invert(rows, kind):
    scaling = OutputScaling.fit(rows, **kind)
    assert np.allclose(scaling.inverse(scaling.forward(rows)), rows, rtol=1e-5, atol=1e-5)
    again = OutputScaling.from_dict(scaling.to_dict())
    assert np.array_equal(again.forward(rows), scaling.forward(rows))


def test_units_of_outputs(rows):
    common = OutputScaling.fit(rows)
    assert np.ptp(common.scale) == 0.0  # an error in magnitudes counts alike in every band
    white = OutputScaling.fit(rows, pca=True)
    assert np.allclose(np.cov(white.forward(rows), rowvar=False), np.eye(3), atol=0.01)


def test_rows_are_measured_in_parts(rows, monkeypatch):
    floor = np.array([2.0, -5.0, 8.5])
    for part in (400, 37):
        monkeypatch.setattr(scaling_module, "TOGETHER", part)
        fitted = OutputScaling.fit(rows, pca=True, floor=floor)
        above = np.logaddexp(rows, floor.astype(np.float32))
        np.testing.assert_allclose(fitted.mean, above.mean(axis=0), rtol=1e-6)
        variances = np.linalg.eigvalsh(np.cov(above, rowvar=False))[::-1]
        np.testing.assert_allclose(fitted.scale, np.sqrt(variances), rtol=1e-5)
        each = OutputScaling.fit(rows, per_band=True)
        np.testing.assert_allclose(each.scale, rows.std(axis=0), rtol=1e-6)


def test_blocks_are_rotated_by_themselves():
    """A block of rank one costs one component, whatever the others do."""
    rng = np.random.default_rng(2)
    first = rng.normal(size=(50, 1)) * np.array([1.0, 2.0, -1.0])
    second = rng.normal(size=(50, 1)) * np.array([3.0, 0.5, 1.0])
    rows = np.hstack([first, second]) + 5.0
    scaling = OutputScaling.fit(rows, pca=True, components=1, blocks=2)
    assert scaling.rotation.shape == (2, 3, 1) and scaling.forward(rows).shape == (50, 2)
    assert np.allclose(scaling.inverse(scaling.forward(rows)), rows, atol=1e-5)
    joint = OutputScaling.fit(rows, pca=True, components=1)
    assert not np.allclose(joint.inverse(joint.forward(rows)), rows, atol=0.1)
    floored = OutputScaling.fit(rows, pca=True, components=1, blocks=2, floor=np.full(6, 4.0))
    v = floored.forward(rows)
    apart = [b.exp_inverse(part) for b, part in zip(floored.blocks(), np.split(v, 2, axis=1))]
    np.testing.assert_allclose(np.concatenate(apart, axis=1), floored.exp_inverse(v), rtol=2e-6)
    (whole,) = replace(floored, undivided=True).blocks()
    np.testing.assert_allclose(whole.exp_inverse(v), floored.exp_inverse(v), rtol=2e-6)


def test_constant_output_and_bad_rows():
    scaling = OutputScaling.fit(np.ones((4, 2)), per_band=True)
    assert np.array_equal(scaling.forward(np.ones(2)), [0.0, 0.0])
    with pytest.raises(ConfigError, match="1 values that are not finite"):
        OutputScaling.fit(np.array([[1.0, np.nan], [1.0, 2.0]]))
    with pytest.raises(ConfigError, match="per_band"):
        OutputScaling.fit(np.ones((4, 2)), pca=True, per_band=True)


def test_scalings_are_pytrees(rows):
    scaling = OutputScaling.fit(rows)
    doubled = jax.tree.map(lambda a: 2 * a, scaling)
    np.testing.assert_allclose(doubled.mean, 2 * scaling.mean, rtol=1e-5)
