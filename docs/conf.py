"""How the documentation is built: ``make docs``, with warnings as errors."""

from tengri import __version__

project = "tengri"
author = "The tengri developers"
release = version = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
]
myst_enable_extensions = ["deflist", "dollarmath", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_show_copyright = False  # LICENSE has it
html_title = f"tengri {__version__}"
autodoc_typehints = "none"  # types are in the docstrings, with shapes and units
autodoc_member_order = "bysource"
napoleon_google_docstring = False
