"""BibTeX for what is used, and for nothing else."""

from __future__ import annotations

import json
import re

import pytest

from tengri.__main__ import main
from tengri.citations import FILE, bibtex, entries
from tengri.cli import lists

COMPONENTS = ("sfh", "metallicity", "nebular", "dust", "agn", "igm")


def keys(text: str) -> set[str]:
    return set(re.findall(r"^@\w+\{(\w+),", text, re.M))


def test_a_surrogate_cites_its_own_components(capsys):
    assert main(["cite", "sdss_tsnorm"]) == 0
    text = capsys.readouterr().out
    assert keys(text) == {
        "tengri", "jax", "flax", "sedpy", "Hearin2023",
        "BruzualCharlot2003", "FalconBarroso2011", "Chevallard2016", "Carnall2018", "Kroupa2001",
        "Robotham2020", "Bellstedt2020", "CharlotFall2000", "Inoue2014", "Planck2018", "Doi2010",
    }  # fmt: skip
    assert len(re.findall(r"^@", text, re.M)) == len(keys(text))


def test_other_components_other_papers(capsys):
    words = ["cite", "--bands", "2mass_j", "--set", "dust_law=calzetti", "--set", "igm_model=none"]
    assert main(words) == 0
    found = keys(capsys.readouterr().out)
    assert {"Calzetti2000", "Cohen2003"} <= found
    assert not {"Inoue2014", "Doi2010", "flax"} & found
    assert main([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"what": "dust law calzetti", "reference": "Calzetti et al. 2000, ApJ 533, 682",
            "keys": ["Calzetti2000"]} in rows  # fmt: skip


@pytest.mark.parametrize("kind", COMPONENTS)
def test_every_paper_named_by_a_component_becomes_an_entry(kind):
    for row in getattr(lists, kind)():
        papers = re.findall(r"(?:ApJ|MNRAS|A&A|AJ|PASP)\w* \d+, [A-Z]?\d+|arXiv:[\d.]+",
                            row["reference"])  # fmt: skip
        found = bibtex(row["reference"])
        assert len(found) >= len(papers), row
        assert all(text.startswith("@") and text.rstrip().endswith("}") for text in found.values())


def test_a_work_that_is_not_on_file_is_made_of_its_reference():
    (key, text), = bibtex("Someone, Other & Third 2031, MNRAS 999, 123").items()  # fmt: skip
    assert key == "Someone2031"
    for field in ("author = {Someone and others}", "journal = {MNRAS}", "volume = {999}",
                  "pages = {123}", "year = {2031}"):  # fmt: skip
        assert field in text
    assert bibtex("constant SFR") == {}


def test_the_file_is_sound():
    text = FILE.read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")
    assert len(re.findall(r"^@", text, re.M)) == len(entries())
