"""The site of the documents: `make docs` builds it into build/docs."""

import convviz

project = "convviz"
author = "the authors of convviz"
copyright = author
version = release = convviz.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["cluster"]

# The links of the pages work in a checkout and on the site alike: headings have the addresses of GitHub.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

# The docstrings name types in words, such as "ndarray, shape (C, H, W)".
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_google_docstring = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = f"convviz {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
