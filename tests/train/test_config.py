"""Configurations: every shipped one is valid, unknown keys and code are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator import published
from emulator.description import describe
from emulator.reading import read_any
from tengri.errors import ConfigError, UnknownNameError
from tengri.factory import build_observation, build_spec
from train import config as configs
from train.config import Config, ModelOptions, OptimiserOptions


@pytest.mark.parametrize("name", configs.names())
def test_shipped_configurations_are_valid(name: str) -> None:
    config = configs.load(name)
    spec = build_spec(config.model.parameters)
    assert "redshift" in spec.free_params
    assert build_observation(config.model.instruments, config.model.bands).photometry.n_filters >= 5
    assert configs.from_dict(configs.to_dict(config)) == config


@pytest.mark.parametrize("name", configs.names())
def test_docstring_gives_the_command(name: str) -> None:
    head = configs.locate(name).read_text().split("[model]")[0]
    assert f"#     tengri train {name}\n" in head


def test_published_surrogates_have_the_names_of_their_configurations() -> None:
    """What ``tengri train sdss`` makes is what ``emulator.load("sdss")`` loads."""
    assert set(published.names()) <= set(configs.names())
    for name in published.names():
        config = configs.load(name)
        artefact = read_any(published.resolve(name))
        assert config.network.target == describe(name)["target"]["name"]
        observation = build_observation(config.model.instruments, config.model.bands)
        assert observation.photometry.names == artefact.band_names
        trained = artefact.training["config"]["model"]["parameters"]
        assert configs.to_dict(config)["model"]["parameters"] == trained


BOXES = ["sdss_tsnorm", "jwst_nircam_tsnorm", "lsst_tsnorm", "galex_sdss_2mass"]


@pytest.mark.parametrize("name", BOXES)
def test_priors_hold_the_values_of_the_seed(name: str) -> None:
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


def written(path: Path, text: str) -> str:
    """Write a configuration; return its name."""
    path.write_text(text)
    return str(path)


def test_priors(tmp_path: Path) -> None:
    name = written(tmp_path / "a.toml", '''
        model.bands = ["sdss_g"]
        model.parameters.dust_tau_diff = {kind = "LogUniform", lo = 0.1, hi = 2}
        ''')  # fmt: skip
    spec = build_spec(configs.load(name).model.parameters)
    assert type(spec.get_distribution("dust_tau_diff")).__name__ == "LogUniform"


def test_a_configuration_varies_another(tmp_path: Path) -> None:
    text = 'base = "sdss"\nmodel.parameters.redshift = [0.01, 0.5]\nnetwork.width = 64\n'
    base, ours = configs.load("sdss"), configs.load(written(tmp_path / "near.toml", text))
    assert ours.network.width == 64 and ours.network.target == base.network.target
    assert ours.model.parameters == base.model.parameters | {"redshift": [0.01, 0.5]}
    again = configs.load(written(tmp_path / "b.toml", 'base = "near.toml"\nrun.steps = 7\n'))
    assert (again.network.width, again.run.steps) == (64, 7)


def test_a_circle_of_configurations_is_named(tmp_path: Path) -> None:
    written(tmp_path / "a.toml", 'base = "b.toml"\n')
    with pytest.raises(ConfigError, match="circle"):
        configs.load(written(tmp_path / "b.toml", 'base = "a.toml"\n'))


def test_minutes_on_the_command_line_go_before_steps() -> None:
    assert configs.load("sdss").run.steps > 0
    assert configs.load("sdss", ["run.minutes=5"]).run.steps == 0
    assert configs.load("sdss", ["run.minutes=5", "run.steps=9"]).run.steps == 9


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        configs.load("tiny", ["network.widht=3", "optimiser.batch=0", "run.until=p99"])
    assert len(str(error.value).splitlines()) == 3


def test_the_schema_knows_every_option() -> None:
    sections = configs.schema()["$defs"]
    for name, options in configs.to_dict(configs.load("tiny")).items():
        assert set(options) == set(sections[f"{name.capitalize()}Options"]["properties"])


def test_overrides() -> None:
    config = configs.load("tiny", ["network.width=48", "run.until=p99=5mmag", "data.pool=2048"])
    assert (config.network.width, config.run.until, config.data.pool) == (48, "p99=5mmag", 2048)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("network.widht=48", "width"),
        ("netwrok.width=48", "network"),
        ("optimiser.name=moun", "muon"),
        ("optimiser.batch=many", "must be a number"),
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


def test_python_files_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TOML"):
        configs.load(written(tmp_path / "mine.py", "Config()"))


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
    config = Config(model=ModelOptions(bands=("sdss_g",)), optimiser=OptimiserOptions())
    with pytest.raises(AttributeError):
        config.run = None  # type: ignore[misc, assignment]
