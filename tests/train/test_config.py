"""Configurations: every shipped one is valid, unknown keys and code are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tengri.described import build_observation, build_spec
from tengri.errors import ConfigError, UnknownNameError
from train import config as configs
from train.config import Config, Model, Optimiser


@pytest.mark.parametrize("name", configs.names())
def test_shipped_configurations_are_valid(name: str) -> None:
    config = configs.load(name)
    spec = build_spec(config.model.parameters)
    assert "redshift" in spec.free_params
    assert build_observation(config.model.instruments, config.model.bands).photometry.n_filters >= 5
    assert configs.from_dict(configs.to_dict(config)) == config


@pytest.mark.parametrize("name", configs.names())
def test_docstring_gives_the_command(name: str) -> None:
    assert f"tengri train {name}" in configs.locate(name).read_text().split('"""')[1]


def test_the_five_are_there() -> None:
    assert {"tiny", "sdss", "nircam", "lsst", "galex_sdss_2mass"} <= set(configs.names())


@pytest.mark.parametrize("name", ["sdss", "nircam", "lsst", "galex_sdss_2mass"])
def test_boxes_hold_the_values_of_the_seed(name: str) -> None:
    """Young peaks of 0.3 Gyr and widths of 0.2 Gyr wherever they fit into the age at z."""
    from tengri.cosmology import default_cosmology

    spec = build_spec(configs.load(name).model.parameters)
    z_lo, z_hi = spec.get_distribution("redshift").bounds
    assert z_lo <= 0.01
    for z in (z_lo, z_hi):
        age = float(default_cosmology().age_gyr(z))
        for parameter, gyr in (("peak_lbt", 0.3), ("width", 0.2)):
            lo, hi = spec.get_distribution(f"sfh_tsnorm_{parameter}_frac").bounds
            assert lo <= gyr / age <= hi
    for parameter, value in (("skew", 0.2), ("trunc", 3.0)):
        lo, hi = spec.get_distribution(f"sfh_tsnorm_{parameter}").bounds
        assert lo <= value <= hi


def test_toml_and_python_give_the_same(tmp_path: Path) -> None:
    python = tmp_path / "a.py"
    python.write_text(
        '"""Doc."""\nfrom train.config import *\n'
        "x = Config(model=Model(bands=['sdss_g'], parameters={'redshift': (0.01, 2 * 0.5)}),"
        "optimiser=Optimiser(batch=2 * 64))"
    )
    toml = tmp_path / "a.toml"
    toml.write_text(
        'model.bands = ["sdss_g"]\nmodel.parameters.redshift = [0.01, 1.0]\noptimiser.batch = 128\n'
    )
    assert configs.load(str(python)) == configs.load(str(toml))


def test_priors_in_both_languages(tmp_path: Path) -> None:
    python, toml = tmp_path / "a.py", tmp_path / "a.toml"
    python.write_text(
        "Config(model=Model(bands=('sdss_g',),"
        " parameters={'dust_tau_diff': LogUniform(lo=0.1, hi=2)}))"
    )
    toml.write_text(
        '[model]\nbands = ["sdss_g"]\n[model.parameters]\n'
        'dust_tau_diff = {kind = "LogUniform", lo = 0.1, hi = 2}\n'
    )
    for path in (python, toml):
        spec = build_spec(configs.load(str(path)).model.parameters)
        assert type(spec.get_distribution("dust_tau_diff")).__name__ == "LogUniform"


def test_overrides() -> None:
    config = configs.load("tiny", ["network.width=48", "run.until=p99=5mmag", "data.pool=2048"])
    assert (config.network.width, config.run.until, config.data.pool) == (48, "p99=5mmag", 2048)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("network.widht=48", "width"),
        ("netwrok.width=48", "network"),
        ("optimiser.name=moun", "muon"),
        ("optimiser.batch=many", "int"),
        ("optimiser.batch=0", "positive"),
        ("run.until=p99", "p99=5mmag"),
        ("network.width", "section.key=value"),
        ("data.source=stored", "data.path"),
        ("optimiser.batch=1000000", "pool"),
        ("run.keep=1", "2 or more"),
        ("network.components=64", "make network.width larger"),
        ("network.by_band=true", "give network.components"),
    ],
)
def test_mistakes_are_named(override: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        configs.load("tiny", [override])


def test_unknown_name_suggests() -> None:
    with pytest.raises(ConfigError, match="sdss"):
        configs.load("sds")


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.system('touch {p}')\nConfig()",
        "Config(model=__import__('os').system('touch {p}'))",
        "Config(run=Run(seed=(lambda: 1)()))",
        "Config(run=Run(seed=[open('{p}', 'w') for _ in [1]][0]))",
        "Config(run=Run(seed=10 ** 10 ** 10))",
        "for i in []: pass",
        "Config(**{{'run': 1}})",
    ],
)
def test_code_in_a_configuration_never_runs(tmp_path: Path, code: str) -> None:
    witness = tmp_path / "executed"
    path = tmp_path / "evil.py"
    path.write_text(code.format(p=witness))
    with pytest.raises(ConfigError):
        configs.load(str(path))
    assert not witness.exists()


def test_empty_box_and_unknown_parameter_and_band() -> None:
    with pytest.raises(ValueError, match="lo < hi"):
        build_spec({"redshift": (0.5, 0.1)})
    with pytest.raises(UnknownNameError, match="redshift"):
        build_spec({"redshfit": (0.1, 0.5)})
    with pytest.raises(UnknownNameError, match="sdss_g"):
        build_observation((), ("sdss_gg",))
    with pytest.raises(UnknownNameError, match="SDSS"):
        build_observation(("SDS",), ())


def test_config_is_frozen() -> None:
    config = Config(model=Model(bands=("sdss_g",)), optimiser=Optimiser())
    with pytest.raises(AttributeError):
        config.run = None  # type: ignore[misc, assignment]
