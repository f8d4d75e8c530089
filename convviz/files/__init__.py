"""Read files as bytes and arrays, within limits, and write them whole or not at all."""
