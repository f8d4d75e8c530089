"""Answer questions about a result: one value, one pixel, one weight, two backends."""
