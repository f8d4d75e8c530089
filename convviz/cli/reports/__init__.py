"""What a command says of its outcome: text or JSON."""
