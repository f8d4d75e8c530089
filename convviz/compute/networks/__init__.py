"""Networks computed: by numpy for stacks of our own, by torch."""
