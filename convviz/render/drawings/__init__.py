"""Drawings of lines, cells and numbers, still or moving."""
