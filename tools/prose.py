"""The prose of pages, docstrings and messages: proselint, and a list of our own words.

python -m tools.prose             names file, line and reason; exit code 1 where there is any
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from proselint.checks import __register__
from proselint.config import DEFAULT, Config
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("tengri", "emulator", "train", "tools")
#: Checks of signs and dates; and of words said twice, which tables of names fail: see `WORDS`.
OFF = {"typography": False, "lexical_illusions": False, "dates_times": False}
#: Remarks on the names of things: Ne III, HTML's *currentColor*.
NAMES = re.compile(r"'né'|vs. 'colour'")
#: Words that make a reader stop, and what to write; British spelling, one word for one thing.
WORDS = {
    r"\b(behavior|color|neighbor|favor|flavor|honor)(s|ed|ing)?\b": "British spelling: …our",
    r"\b(modeling|modeled|labeled|labeling|traveled|canceled)\b": "British spelling: …ll…",
    r"\bgray\b": "grey",
    r"\bcatalogs?\b": "catalogue",
    r"\b(center|meter|liter)(s|ed)?\b": "British spelling: …re",
    r"\banalyze(s|d)?\b": "analyse",
    r"\butili[sz]e(s|d)?\b": "use",
    r"\bin order to\b": "to",
    r"\b(whereof|thereof|hereof|wherein|therein)\b": "plain words",
    r"\bamongst\b": "among",
    r"\bwhilst\b": "while",
    r"\bperformant\b": "fast",
    r"\bleverag(e|es|ed|ing)\b": "use",
    r"\b(a lot of|lots of)\b": "many, much",
    r"\bof ours\b": "our, or the thing's name",
    r"\b(simply|obviously|trivially)\b": "leave it out",
    r"\b(can not)\b": "cannot",
    r"(?<![\w.-])(?-i:([a-z]{2,}) \1)(?![\w.-])": "a word twice",
}
#: What is no prose: code, links, formulae, comments of Markdown.
NOT_PROSE = re.compile(
    r"^(`{3,}).*?^\1`*\s*?$|<!--.*?-->|``.*?``|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|\]\([^)\s]*\)|"
    r"https?://\S+|<[^>\n]+>|^\|.*\|\s*?$", re.M | re.S
)  # fmt: skip


class Remark(NamedTuple):
    """What is wrong, and where."""

    file: Path
    line: int
    what: str


def main() -> int:
    """Print the remarks; return 1 where there are any."""
    CheckRegistry().register_many(__register__)
    found = [remark for file, text in texts() for remark in remarks(file, text)]
    for remark in found:
        print(f"{remark.file.relative_to(ROOT)}:{remark.line}: {remark.what}")
    print(f"{len(found)} remarks")
    return 1 if found else 0


def texts() -> Iterator[tuple[Path, str]]:
    """Yield every page, and the docstrings and messages of every module, each on its own line."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        yield page, page.read_text()
    for package in PACKAGES:
        for module in sorted((ROOT / package).rglob("*.py")):
            if module != Path(__file__):
                yield module, strings(module.read_text())


def strings(source: str) -> str:
    """Return the strings of a module that are sentences, on the lines where they stand."""
    lines = [""] * (source.count("\n") + 2)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if len(re.findall(r"[A-Za-z]{2,}", text)) < 4 or re.search(r"[{;]\s*\w+[:(]", text):
                continue  # a name, a format, CSS
            for i, line in enumerate(text.split("\n")):
                at = min(node.lineno - 1 + i, len(lines) - 1)
                lines[at] = f"{lines[at]} {line}".strip()
    return "\n".join(lines)


def remarks(file: Path, text: str) -> Iterator[Remark]:
    """Yield what is wrong with a text."""
    prose = NOT_PROSE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    if prose.strip():
        config = Config(max_errors=1000, checks={**DEFAULT["checks"], **OFF})
        for result in LintFile(str(file), prose).lint(config):
            if NAMES.search(result.check_result.message):
                continue
            line = max(result.pos[0] - 1, 1)
            yield Remark(file, line, " ".join(result.check_result.message.split()))
    for pattern, better in WORDS.items():
        for match in re.finditer(pattern, prose, re.I):
            line = 1 + prose.count("\n", 0, match.start())
            yield Remark(file, line, f"{match[0]!r}: {better}")


if __name__ == "__main__":
    sys.exit(main())
