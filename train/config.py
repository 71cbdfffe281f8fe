"""Configuration of a training, read from TOML and checked as a whole.

A file gives the options of `train.options` that differ from their defaults, section by section::

    base = "sdss"            # optional: a shipped configuration, or another file, to vary

    [model.parameters]
    redshift = [0.01, 0.5]

    [run]
    minutes = 10
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tengri.errors import ConfigError, suggestion
from tengri.io.hdf5_reader import read_text
from tengri.literal import read_value
from train.options import (
    Config,
    DataOptions,
    ModelOptions,
    NetworkOptions,
    OptimiserOptions,
    RunOptions,
    parse_until,
)

__all__ = ["Config", "DataOptions", "ModelOptions", "NetworkOptions", "OptimiserOptions",
           "RunOptions", "from_dict", "load", "locate", "names", "overridden", "parse_until",
           "schema", "to_dict"]  # fmt: skip

CONFIG_FOLDER = Path(__file__).parent / "configs"
MAX_CONFIG_BYTES, MAX_NAME = 1 << 18, 1000
#: Dots in one key, and mistakes that are listed.
MAX_DOTS, MAX_LISTED = 64, 20
#: So deep may a configuration vary one that varies another.
MAX_BASES = 8

_CONFIG = TypeAdapter(Config)


def names() -> list[str]:
    """Return the names of the shipped configurations."""
    return sorted(path.stem for path in CONFIG_FOLDER.glob("*.toml"))


def locate(name_or_path: str) -> Path:
    """Return the file of a shipped configuration, or of the user's own.

    Raises
    ------
    ConfigError
        No such file or name (near matches are given), or a file of another kind.
    """
    path = Path(name_or_path)
    if len(name_or_path) > MAX_NAME:
        raise ConfigError(f"{name_or_path[:60]}…: too long to be the name of a configuration.")
    if path.suffix == ".py":
        raise ConfigError(
            f"{name_or_path}: configurations are TOML files; a run that was begun with a Python "
            "one resumes as it is. `tengri list configs` names examples."
        )
    if path.suffix == ".toml":
        if not path.is_file():
            raise ConfigError(f"No configuration file {path}.")
        return path
    shipped = CONFIG_FOLDER / f"{name_or_path}.toml"
    if shipped.parent == CONFIG_FOLDER and shipped.is_file():
        return shipped
    raise ConfigError(
        f"Unknown configuration {name_or_path!r}.{suggestion(name_or_path, names())} "
        "Your own is a file ending in .toml."
    )


def load(name_or_path: str, overrides: Iterable[str] = ()) -> Config:
    """Read a configuration and apply ``section.key=value`` overrides.

    A number of steps goes before minutes; minutes that are given by an override go before steps
    that the file gives.

    Raises
    ------
    ConfigError
        No such file, unknown options (with near matches), values of another type or beyond
        limits: all of them at once.
    """
    data = tables(locate(name_or_path))
    changes = [_override(item) for item in overrides]
    if any(path == ("run", "minutes") for path, _ in changes):
        changes.insert(0, (("run", "steps"), 0))
    for path, value in changes:
        _set(data, path, value)
    return from_dict(data)


def tables(path: Path) -> dict[str, Any]:
    """Return the nested tables of a file over those of its base, unchecked; raises as `load`."""
    return _read(path, MAX_BASES)


def _read(path: Path, depth: int) -> dict[str, Any]:
    """Return the contents of a file over those of its base."""
    if depth == 0:
        raise ConfigError(f"{path}: configurations that vary each other go round in a circle.")
    try:
        text = read_text(path, MAX_CONFIG_BYTES).removeprefix("\ufeff")  # some editors' mark
        _check_keys(text)
        data = tomllib.loads(text)
    except (ValueError, OSError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read as a configuration ({error}).") from None
    base = data.pop("base", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base is the name of a configuration, got {base!r}.")
    sibling = path.parent / base
    known = _read(locate(str(sibling) if base.endswith(".toml") else base), depth - 1)
    return _over(known, data)


def _check_keys(text: str) -> None:
    """Raise ValueError for keys of so many parts that to parse them fills the memory."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    if any(part.count(".") > MAX_DOTS for line in lines for part in re.split(r"[,=\[\]{}#]", line)):
        raise ValueError("a key of more parts than any setting has")


def _over(known: dict[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested tables with those of ``data`` in their place; a prior is replaced whole."""
    for name, value in data.items():
        old = known.get(name)
        whole = not isinstance(value, Mapping) or not isinstance(old, Mapping) or "kind" in value
        known[name] = value if whole else _over(dict(old), value)  # type: ignore[arg-type]
    return known


def overridden(config: Config, overrides: Iterable[str]) -> Config:
    """Return a configuration with ``section.key=value`` overrides; raises as `load` does."""
    data = to_dict(config)
    for item in overrides:
        _set(data, *_override(item))
    return from_dict(data)


def _override(item: str) -> tuple[tuple[str, ...], Any]:
    """Return (path of the option, value) of ``section.key=value``."""
    key, equals, text = item.partition("=")
    path = tuple(key.strip().split("."))
    if not equals or len(path) < 2:
        raise ConfigError(f"--set {item!r}: write it as section.key=value.")
    return path, read_value(text.strip())


def _set(data: dict[str, Any], path: Sequence[str], value: Any) -> None:
    place = data
    for section in path[:-1]:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {'.'.join(path)}: {section} is not a section.")
    place[path[-1]] = value


def from_dict(data: Mapping[str, Any]) -> Config:
    """Build a configuration from nested dicts; raises as `load` does."""
    try:
        return _CONFIG.validate_python(data)
    except ValidationError as error:
        found = [_sentence(item) for item in error.errors(include_url=False)]
        more = [f"… and {len(found) - MAX_LISTED} more."] if len(found) > MAX_LISTED else []
        raise ConfigError("\n".join([*found[:MAX_LISTED], *more])) from None


def _sentence(item: Any) -> str:
    """Return what is wrong with one option, in a sentence."""
    path = [str(part) for part in item["loc"]]
    where = ".".join(path)
    match item["type"]:
        case "unexpected_keyword_argument":
            known = _known(path[:-1])
            kind = f"key of [{'.'.join(path[:-1])}]" if len(path) > 1 else "section"
            return f"Unknown {kind} {path[-1]!r}.{suggestion(path[-1], known)}"
        case "literal_error":
            options = [word.strip("'") for word in item["ctx"]["expected"].split(" or ")]
            choices = [w.strip("'") for part in options for w in part.split(", ")]
            value = str(item["input"])
            return f"Unknown value of {where} {value!r}.{suggestion(value, choices)}"
        case "value_error":
            said = str(item["ctx"]["error"])
            joint = " " if said.startswith("must") else ": "
            end = "" if said.endswith("?") else "."
            return f"{where}{joint if where else ''}{said}{end}"
        case "greater_than":
            return f"{where} must be positive, got {item['input']!r}."
        case "greater_than_equal" | "less_than_equal":
            return f"{where}: {_lowered(item['msg'])}, got {item['input']!r}."
        case "dataclass_type":
            return f"[{where}] must be a table of keys, got {item['input']!r}."
    return f"{where}: {_lowered(item['msg'])}, got {item['input']!r}."


def _known(path: Sequence[str]) -> list[str]:
    """Return the options of a section."""
    section: Any = Config
    for name in path:
        section = next(f.default_factory for f in dataclasses.fields(section) if f.name == name)
    return [f.name for f in dataclasses.fields(section)]


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def to_dict(config: Config) -> dict[str, Any]:
    """Return nested values in JSON's types."""
    return _json_types(dataclasses.asdict(config))


def schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration, for editors."""
    return _CONFIG.json_schema()


def _json_types(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _json_types(v) for k, v in value.items()}
    return [_json_types(v) for v in value] if isinstance(value, (tuple, list)) else value
