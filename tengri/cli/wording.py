"""Errors of the library in the words of the command line: options for arguments of Python."""

from __future__ import annotations

import re

#: Where a sentence names a way of Python, the option that does it; the rest has none.
OPTIONS = (
    (r'or choose out_of_domain="clip", "nan" or "warn"', "or say --out-of-domain clip or nan"),
    (
        r"Give distance_mpc, or use predict_rest_sed or predict_absolute_magnitudes\.",
        "Give a distance with --set distance_mpc=…",
    ),
    (r"load_ssp_data\('([^']+)'\)", r"--ssp \1"),
    (r"(?:then )?emulator\.load\('([^']+)'\)", r"--model \1"),
    (r"leave (\w+)= out", r"leave out --set \1=…"),
    (r"give its values, e\.g\. Fixed\(\[…\]\)", "it is a column of a catalogue (tengri predict)"),
    (r" Narrow it with lo= and hi=\.", " Narrow it."),
    (r"\bFixed\(([^()]*)\)", r"\1"),
    (r"\b([a-z]\w*)=['\"]([\w.+-]+)['\"]", r"--set \1=\2"),
)
#: A keyword of a grid, and its option of ``tengri data``.
KEYWORD = re.compile(r"load_ssp_data\(…, (\w+)=([^()]+)\)")
OF_DATA = {
    "vacuum=False": "--air",
    "vacuum=True": "--vacuum",
    "nebular=True": "--nebular",
    "nebular=False": "--stars-alone",
}
#: The commands that have the option.
ONLY = {"--out-of-domain": ("predict",)}


def in_options(text: str, command: str = "") -> str:
    """Return an error of the library as the user of a command can follow it."""
    for pattern, words in OPTIONS:
        lacking = any(option in words and command not in has for option, has in ONLY.items())
        text = re.sub(f",? ?{pattern}" if lacking else pattern, "" if lacking else words, text)
    return KEYWORD.sub(lambda found: _keyword(found[1], found[2], command), text)


def _keyword(name: str, value: str, command: str) -> str:
    """Return the option that says a keyword of ``load_ssp_data``."""
    if axis := re.fullmatch(r"\{'(\w+)': (\S+)\}", value):
        name, value = f"axes.{axis[1]}", axis[2]
    if command != "data":
        return f"--ssp FILE,{name}={value}"
    if name.startswith("axes."):
        return f"--axis {name.removeprefix('axes.')}={value}"
    option = "--mass" if name == "mass_msun" else f"--{name}"
    return OF_DATA.get(f"{name}={value}", f"{option} {value}")
