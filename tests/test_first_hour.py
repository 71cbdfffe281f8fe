"""The commands of the README are found, in the order in which a new user meets them."""

from __future__ import annotations

import ast

from tools.first_hour import ADDRESS, LIMITS, ROOT, steps

STEPS = list(steps((ROOT / "README.md").read_text()))


def test_every_milestone_is_there_once_and_in_order():
    names = [step.name for step in STEPS if step.name]
    assert names == list(LIMITS)


def test_commands_are_whole_and_need_no_clone():
    for step in STEPS:
        assert not step.text.startswith(("make", "#", "$"))
        if step.kind == "python":
            ast.parse(step.text)
    assert ADDRESS.search(STEPS[0].text)  # what the wheel stands for


def test_a_line_that_goes_on_is_one_command():
    first = "```sh\npip install x \\\n  y   # why\n# a comment\n```\n"
    text = f"{first}## From a clone\n```sh\nmake\n```\n"
    assert [step.text.split() for step in steps(text)] == [["pip", "install", "x", "y", "#", "why"]]
