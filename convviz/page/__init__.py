"""The page of ``convviz explore``: one HTML file."""
