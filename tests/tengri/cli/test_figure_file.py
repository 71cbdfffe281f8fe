"""Figures of commands are vectors where their names say so, and nothing where they cannot be."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from tengri.__main__ import main
from tengri.analysis.style import pdf
from tengri.cli import figure_file


@pytest.mark.parametrize(
    ("ending", "begins", "holds"),
    [(".svg", b"<?xml", b"<path"), (".pdf", b"%PDF", b"/Font"), (".png", b"\x89PNG", b"IDAT")],
)
def test_each_ending_is_its_format(ending, begins, holds, tmp_path):
    figure, ax = plt.subplots()
    ax.plot([1, 2], [3, 4])
    figure_file.save(figure, tmp_path / f"f{ending}")
    data = (tmp_path / f"f{ending}").read_bytes()
    assert data.startswith(begins) and holds in data
    assert (ending == ".png") or b"<image" not in data  # lines, no picture of them
    assert figure.number not in plt.get_fignums()


@pytest.mark.parametrize(
    "words",
    [("sweep", "dust_tau_diff", "0", "1", "--instrument", "SDSS"),
     ("data", "inspect", "ssp_bc03_miles_kroupa_noneb.h5")],
)  # fmt: skip
def test_an_unknown_ending_is_refused_before_any_work(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "-o", "figure.jpgg"]) == 1
    assert ".png, .pdf or .svg" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_figure_is_the_same_pdf_at_any_time():
    figure, ax = plt.subplots()
    ax.plot([1, 2], [3, 4])
    assert pdf(figure) == pdf(figure)
    plt.close(figure)
