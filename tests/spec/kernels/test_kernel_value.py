import math
from dataclasses import FrozenInstanceError

import pytest

from convviz.errors import SpecError
from convviz.spec.geometry import HW
from convviz.spec.kernels import Kernel


def test_the_size_counts_rows_before_columns():
    assert Kernel("k", ((1, 2, 3), (4, 5, 6))).size == HW(2, 3)


def test_weights_are_the_taps_divided():
    assert Kernel("k", ((1, 2), (-3, 4)), divisor=4).weights == ((0.25, 0.5), (-0.75, 1.0))


def test_the_range_adds_up_negative_and_positive_weights_apart():
    """With pixels in [0, 1] the output is lowest with 1 under every negative weight and 0 under the rest."""
    assert Kernel("k", ((1, -2), (3, -4)), divisor=2).range == (-3.0, 2.0)


def test_a_negative_divisor_swaps_the_ends_of_the_range():
    assert Kernel("k", ((1, -2),), divisor=-1).range == (-1.0, 2.0)


def test_lists_become_tuples_so_that_a_kernel_is_a_key():
    kernel = Kernel("k", [[1, 2], [3, 4]])
    assert {kernel: 1}[Kernel("k", ((1, 2), (3, 4)))] == 1


def test_a_kernel_cannot_be_changed():
    with pytest.raises(FrozenInstanceError, match="divisor"):
        Kernel("k", ((1,),)).divisor = 2


@pytest.mark.parametrize(
    ("values", "divisor", "message"),
    [
        pytest.param((), 1, "^kernel k: it has no values; give at least one row", id="no rows"),
        pytest.param(((),), 1, "^kernel k: it has no values", id="a row of nothing"),
        pytest.param(
            ((1, 2), (3,)),
            1,
            "row 2 has 1 number, but row 1 has 2; give every row the same number",
            id="ragged",
        ),
        pytest.param(((1,), (2, 3)), 1, "row 2 has 2 numbers, but row 1 has 1", id="ragged the other way"),
        pytest.param(
            ((1, 2), (3, math.nan)), 1, "row 2, column 2 must be a finite number, not nan", id="nan"
        ),
        pytest.param(
            ((1, -math.inf),), 1, "row 1, column 2 must be a finite number, not -inf", id="infinity"
        ),
        pytest.param(
            ((10**400,),), 1, "row 1, column 1 must be a finite number, not 1000", id="beyond any float"
        ),
        pytest.param(((True,),), 1, "row 1, column 1 must be a finite number, not True", id="truth value"),
        pytest.param((("1",),), 1, "row 1, column 1 must be a finite number, not '1'", id="text"),
        pytest.param((1, 2), 1, r"expected rows of numbers, not \(1, 2\)", id="one flat row"),
        pytest.param(((1,),), 0, "the divisor must be a finite number other than 0, not 0", id="divisor 0"),
        pytest.param(((1,),), math.inf, "the divisor must be .* not inf", id="infinite divisor"),
        pytest.param(((1,),), True, "the divisor must be .* not True", id="truth value as divisor"),
        pytest.param(
            ((1e300,),), 1e-300, "a value divided by 1e-300 is too large", id="weight beyond any float"
        ),
    ],
)
def test_what_is_no_kernel_is_refused(values, divisor, message):
    with pytest.raises(SpecError, match=message):
        Kernel("k", values, divisor)


def test_a_message_stays_on_one_short_line_whatever_the_name():
    with pytest.raises(SpecError, match=r"^kernel x\\x1b\[31m x+\.\.\.: it has no values.*\.$"):
        Kernel("x\x1b[31m\n" + "x" * 10_000, ())
