"""The manual says of which code its figures are, and what has changed since."""

from __future__ import annotations

import json

import pytest

from tools import measured, tables


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A repository of one file of code and one result, made of it."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code/model.py").write_text("flux = 1\n")
    results = tmp_path / "results"
    results.mkdir()
    (results / "speed.json").write_text("{}")
    monkeypatch.setattr(measured, "ROOT", tmp_path)
    monkeypatch.setattr(measured, "RESULTS_FOLDER", results)
    monkeypatch.setattr(measured, "RECORD", results / "measured.json")
    monkeypatch.setattr(measured, "_git", lambda *words: "abc123")
    monkeypatch.setattr(
        measured, "RESULTS", {"speed": measured.Benchmark("python speed.py", ("code",))}
    )
    measured.digest.cache_clear()
    yield tmp_path
    measured.digest.cache_clear()


def test_every_result_has_a_command_and_its_code_is_there():
    found = {path.stem for path in measured.RESULTS_FOLDER.glob("*.json")} - {"measured"}
    assert found <= set(measured.RESULTS)
    for result in measured.RESULTS.values():
        for path in result.code:
            assert (measured.ROOT / path).exists(), path
    assert set(measured.recorded()) <= set(measured.RESULTS)


def test_every_table_of_a_result_gets_its_note():
    for name in tables.TABLES:
        page = f"{tables.START.format(name)}\n|a|\n{tables.END.format(name)}\n"
        results = tables.results_of(name)
        said = measured.annotated(page)
        assert all(f"`benchmarks/results/{result}.json`" in said for result in results)
        assert (said == page) == (not results)


def test_a_result_of_today_says_so_and_one_of_older_code_says_what_changed(elsewhere):
    assert "has not been recorded" in measured.note("speed")
    measured.record("speed")
    assert "its code is that of today" in measured.note("speed")
    (elsewhere / "code/notes.txt").write_text("no code")
    measured.digest.cache_clear()
    assert measured.changed("speed") == ()
    (elsewhere / "code/model.py").write_text("flux = 2\n")
    measured.digest.cache_clear()
    assert measured.changed("speed") == ("code",)
    assert "**not measured again** since changes in `code`" in measured.note("speed")


def test_a_result_that_was_made_anew_and_not_recorded_is_of_unknown_code(elsewhere):
    measured.record("speed")
    (elsewhere / "results/speed.json").write_text(json.dumps({"µs": 1}))
    assert "has not been recorded" in measured.note("speed")


def test_a_table_of_an_unknown_result_ends_the_build(monkeypatch):
    monkeypatch.setattr(measured, "RESULTS", {})
    page = f"{tables.START.format('speed')}\n{tables.END.format('speed')}"
    with pytest.raises(ValueError, match=r"speed\.json is shown and has no entry"):
        measured.annotated(page)


def test_files_are_called_what_git_calls_them():
    assert measured.blob(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
