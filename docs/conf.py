"""How the documentation is built: ``make docs``, with warnings as errors.

The gallery is the notebooks, executed: they are copied into ``docs/gallery`` at every build.
"""

import os
import sys
from pathlib import Path

from tengri import __version__

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

# from the repository, not from what is installed
from tools import glossary, measured, notebooks  # noqa: E402

project = "tengri"
author = "The tengri developers"
release = version = __version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3
nb_custom_formats = {".py": ["tools.notebooks.read", {}]}
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 900
nb_execution_in_temp = True
nb_merge_streams = True
exclude_patterns = ["_build", "conf.py", "engines/*"]  # notebooks are Python files, too
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_copyright = False  # LICENSE has it
html_title = f"tengri {__version__}"
autodoc_typehints = "none"  # types are in the docstrings, with shapes and units
autodoc_member_order = "bysource"
napoleon_google_docstring = False


def copy_notebooks(app):
    """Put notebooks and the drawn priors where Sphinx looks; notebooks run as fast as in tests."""
    notebooks.copy(DOCS / "gallery")
    glossary.main()
    os.environ.setdefault("TENGRI_FAST", "1")
    os.environ.setdefault("TENGRI_FIGURES", str(Path(app.doctreedir).parent / "figures"))


def say_what_was_measured(app, page, source):
    """Put beside every table of measurements of which code it is."""
    source[0] = measured.annotated(source[0])


def setup(app):
    """Tell Sphinx when."""
    app.connect("builder-inited", copy_notebooks)
    app.connect("source-read", say_what_was_measured)
