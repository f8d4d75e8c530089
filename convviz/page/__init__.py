"""The page that ``convviz explore`` writes: one HTML file."""
