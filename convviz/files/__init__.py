"""Files as bytes and arrays: read within bounds, written whole or not at all."""
