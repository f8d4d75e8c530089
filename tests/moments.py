"""Moments at which to send a program a signal: from its start to its end, on a machine of any speed."""

import random


def reached_main(stderr):
    """Return whether what Python says of an error comes from within `main` of convviz.

    Before that Python itself is starting, which a signal ends with status 1 or with the signal.
    """
    return ", in main\n" in stderr


class Moments:
    """Choose moments, and learn from what became of each how long the program runs.

    Parameters
    ----------
    seed : int
        Of the choice.
    wanted : int
        How many signals have to meet the program at work.
    """

    def __init__(self, seed, *, wanted):
        self._chance, self._longest = random.Random(seed), 0.8
        self._wanted, self._left = wanted, 20 * wanted

    def __iter__(self):
        """Give a number of seconds for each process, as long as signals are wanted."""
        while self._wanted > 0:
            assert self._left, "hardly a signal met the program at work"
            self._left -= 1
            yield self._chance.uniform(0.1, 1) * self._longest

    def met(self):
        """The program was at work."""
        self._wanted -= 1

    def came_too_early(self):
        """Python itself was starting."""
        self._longest *= 1.2

    def came_too_late(self):
        """The program had ended."""
        self._longest *= 0.9
