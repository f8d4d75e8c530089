"""What this computer has: memory and processors."""
