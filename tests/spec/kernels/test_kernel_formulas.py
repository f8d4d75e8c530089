import math

import pytest

from convviz.errors import SpecError
from convviz.spec.kernels import FORMULAS, find


def weights(text):
    (kernel,) = find(text)
    return kernel.weights


def approx(value, tolerance=1e-12):
    return pytest.approx(value, abs=tolerance)


def transposed(rows):
    return tuple(zip(*rows, strict=True))


def mirrored(rows):
    return tuple(row[::-1] for row in rows)


def assert_close(rows, others):
    assert [list(row) for row in rows] == [approx(list(other)) for other in others]


def test_a_box_is_the_mean_with_an_exact_divisor():
    (box,) = find("box:size=4")
    assert box.values == ((1,) * 4,) * 4
    assert box.divisor == 16


@pytest.mark.parametrize(
    ("text", "side"),
    [
        pytest.param("gaussian", 7, id="gaussian reaches 3 sigma: 2 * 3 + 1"),
        pytest.param("gaussian:sigma=1.5", 11, id="4.5 pixels are rounded up to 5"),
        pytest.param("log", 9, id="log reaches 4 sigma: 2 * 4 + 1"),
        pytest.param("dog", 11, id="dog reaches 3 wide sigmas, 4.8: 2 * 5 + 1"),
        pytest.param("gabor", 13, id="gabor reaches 3 sigma of 2: 2 * 6 + 1"),
        pytest.param("gabor:gamma=0.5", 25, id="a bell twice as long needs twice the reach"),
        pytest.param("motion", 9, id="motion as long as asked"),
        pytest.param("shift:x=-2,y=3", 7, id="shift just holds the value"),
        pytest.param("shift:x=0,y=0", 1, id="no shift needs one value"),
        pytest.param("gaussian:sigma=9,size=3", 3, id="a size given wins"),
    ],
)
def test_the_size_covers_what_the_formula_reaches(text, side):
    (kernel,) = find(text)
    assert tuple(kernel.size) == (side, side)


def test_a_gaussian_falls_off_by_the_definition():
    """Relative to the middle: exp(-1/2) one sigma away, exp(-1) on the diagonal of that."""
    rows = weights("gaussian:sigma=2")
    middle = rows[6][6]
    assert rows[6][8] / middle == approx(math.exp(-0.5))
    assert rows[8][8] / middle == approx(math.exp(-1))


def test_a_gaussian_is_separable_and_symmetric():
    rows = weights("gaussian:sigma=1.3")
    assert rows == transposed(rows) == mirrored(rows)
    for row in rows:
        for x, value in enumerate(row):
            assert value == approx(sum(row) * sum(column[x] for column in rows))


def test_a_very_narrow_gaussian_is_the_identity():
    assert weights("gaussian:sigma=1e-300,size=3") == ((0, 0, 0), (0, 1, 0), (0, 0, 0))


def test_the_laplacian_of_a_gaussian_is_the_second_difference_of_one():
    """Against central second differences, at a tenth of a pixel, of the continuous Gaussian."""
    sigma, h = 2.0, 0.1

    def bell(x, y):
        return math.exp(-(x * x + y * y) / (2 * sigma * sigma)) / (2 * math.pi * sigma * sigma)

    rows = weights("log:sigma=2")
    for y, x in ((0, 0), (1, 2), (3, 0)):
        around = bell(x + h, y) + bell(x - h, y) + bell(x, y + h) + bell(x, y - h) - 4 * bell(x, y)
        assert rows[8 + y][8 + x] == approx(around / (h * h), 1e-4)


def test_a_laplacian_of_a_gaussian_sees_dark_blobs_as_bright():
    rows = weights("log")
    assert rows == transposed(rows) == mirrored(rows)
    assert rows[4][4] == min(min(row) for row in rows) < 0


def test_a_difference_of_gaussians_is_just_that():
    difference, narrow, wide = (
        weights(t)
        for t in ("dog:sigma=1,ratio=2,size=9", "gaussian:sigma=1,size=9", "gaussian:sigma=2,size=9")
    )
    for y in range(9):
        for x in range(9):
            assert difference[y][x] == approx(narrow[y][x] - wide[y][x])


def test_a_gabor_kernel_is_a_cosine_under_a_bell():
    rows = weights("gabor:sigma=3,wavelength=4,size=9")
    assert rows[4][4] == 1
    assert rows[4][5] == approx(0)  # a quarter of a wave to the right
    assert rows[4][6] == approx(-math.exp(-2 / 9))  # half a wave to the right: -exp(-2^2 / (2 * 3^2))
    assert rows[6][4] == approx(math.exp(-2 / 9))  # the crest runs on downwards


def test_gamma_narrows_the_bell_across_the_wave_only():
    rows = weights("gabor:sigma=3,wavelength=4,gamma=2,size=9")
    assert rows[4][6] == approx(-math.exp(-2 / 9))
    assert rows[6][4] == approx(math.exp(-8 / 9))


def test_a_quarter_of_a_wave_of_phase_makes_stripes_into_edges():
    rows = weights("gabor:psi=90,size=9")
    assert rows[4][4] == approx(0)
    assert rows[4][5] < 0  # cos(u + 90 degrees) falls from 0
    assert all(left == approx(-right) for row in rows for left, right in zip(row, row[::-1], strict=True))


def test_gabor_angles_run_counter_clockwise():
    """A wave towards the upper right has its crest along \\; there the bell remains, exp(-2 / 8)."""
    rows = weights("gabor:theta=45,wavelength=6,size=5")
    assert rows[1][1] == rows[3][3] == approx(math.exp(-0.25))
    assert rows[1][3] == rows[3][1] < rows[1][1]
    assert weights("gabor:theta=90,size=9") == transposed(weights("gabor:size=9"))


def test_horizontal_motion_is_the_mean_of_one_row():
    rows = weights("motion:size=5")
    assert rows[2] == (0.2,) * 5
    assert [sum(row) for row in rows] == [0, 0, approx(1), 0, 0]


def test_vertical_motion_is_horizontal_motion_transposed():
    assert weights("motion:size=5,angle=90") == transposed(weights("motion:size=5"))


def test_motion_at_45_degrees_rises_to_the_right():
    """A line of 5 pixels reaches 2 from the middle: the values 1 and sqrt(2) up to the right are on it."""
    (kernel,) = find("motion:size=5,angle=45")
    values = kernel.values
    assert (values[2][2], values[1][3], values[3][1]) == (1, approx(1), approx(1))
    assert values[0][4] == approx(1 - (math.sqrt(8) - 2))  # beyond the end by sqrt(8) - 2
    assert values[1][2] == approx(1 - math.sqrt(0.5))  # beside the line by sqrt(1/2)
    assert values[1][1] == values[3][3] == 0
    assert_close(mirrored(kernel.weights), weights("motion:size=5,angle=135"))


def test_half_a_turn_does_not_change_a_motion():
    there, back = weights("motion:size=7,angle=20"), weights("motion:size=7,angle=200")
    assert all(
        a == approx(b) for row, wor in zip(there, back, strict=True) for a, b in zip(row, wor, strict=True)
    )


def test_a_shift_to_the_right_takes_the_pixel_on_the_left():
    assert weights("shift") == ((0, 0, 0), (1, 0, 0), (0, 0, 0))


def test_a_shift_downwards_takes_the_pixel_above():
    assert weights("shift:x=0,y=1") == ((0, 1, 0), (0, 0, 0), (0, 0, 0))


def test_a_kernel_is_named_after_the_numbers_that_were_given():
    assert [
        find(text)[0].name for text in ("gaussian", " gaussian : size = 7.0 , sigma = 1.50 ", "box:size=3")
    ] == [
        "gaussian",
        "gaussian:sigma=1.5,size=7",
        "box:size=3",
    ]


def test_the_name_of_a_kernel_finds_it_again():
    (kernel,) = find("gabor:theta=22.5,psi=-90,wavelength=3.3,size=9")
    assert find(kernel.name) == (kernel,)


def test_a_limit_itself_may_be_reached():
    (size,) = next(formula for formula in FORMULAS if formula.name == "box").parameters
    size.check(1)
    size.check(1001)


def test_a_whole_number_may_arrive_as_a_float():
    box = next(formula for formula in FORMULAS if formula.name == "box")
    assert box.kernel({"size": 2.0}) == find("box:size=2")[0]


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
def test_a_default_is_within_its_own_limits(formula):
    for parameter in formula.parameters:
        if parameter.default is None:
            assert parameter.automatic
        else:
            parameter.check(parameter.default)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "gaussian:sgima=1",
            "^kernel gaussian has no parameter 'sgima'; did you mean 'sigma'",
            id="misspelt",
        ),
        pytest.param(
            "box:angle=1", "^kernel box has no parameter 'angle'; it takes size", id="of another kernel"
        ),
        pytest.param(
            "gaussian:sigma=-1", "^kernel gaussian: sigma must be above 0, not -1", id="below a limit"
        ),
        pytest.param("gaussian:sigma=0", "sigma must be above 0, not 0", id="on an open limit"),
        pytest.param("gaussian:sigma=1001", "sigma must be at most 1000, not 1001", id="above a limit"),
        pytest.param("dog:ratio=1", "ratio must be above 1, not 1", id="no difference"),
        pytest.param("log:sigma=0.01", "sigma must be at least 0.1, not 0.01", id="too narrow to sample"),
        pytest.param(
            "gabor:wavelength=1.5", "wavelength must be at least 2, not 1.5", id="faster than the pixels"
        ),
        pytest.param(
            "gabor:gamma=1e-320", "gamma must be at least 0.01, not 1e-320", id="a bell without end"
        ),
        pytest.param("gaussian:size=4", "size must be odd, .* not 4; take 5", id="even"),
        pytest.param(
            "motion:size=1000", "size must be odd, .* not 1000; take 1001", id="even below the largest"
        ),
        pytest.param("box:size=2.5", "size must be a whole number, not 2.5", id="not whole"),
        pytest.param("box:size=0", "size must be at least 1, not 0", id="no values"),
        pytest.param("log:size=1", "size must be at least 3, not 1", id="no neighbours"),
        pytest.param("box:size=1002", "size must be at most 1001, not 1002", id="too many values"),
        pytest.param(
            "gaussian:sigma=200", "call for a size of 1201, above 1001; give size=1001 or less", id="too wide"
        ),
        pytest.param(
            "box:size=3x5", "^kernel box: size must be a finite number, not '3x5'", id="two numbers"
        ),
        pytest.param("gaussian:sigma=nan", "sigma must be a finite number, not 'nan'", id="nan"),
        pytest.param(
            "gaussian:sigma=1e999", "sigma must be a finite number, not '1e999'", id="too large for a float"
        ),
        pytest.param("gaussian:sigma=1_0", "sigma must be a finite number, not '1_0'", id="underscore"),
        pytest.param(
            "gaussian:sigma=٣", "sigma must be a finite number, not '٣'", id="digits of another script"
        ),
        pytest.param(
            "gaussian:", "expected parameter=number, such as sigma=3, not ''", id="nothing after the colon"
        ),
        pytest.param(
            "gaussian:2", "expected parameter=number, such as sigma=3, not '2'", id="number without a name"
        ),
        pytest.param(
            "gaussian:sigma=", "expected parameter=number, .* not 'sigma='", id="name without a number"
        ),
        pytest.param("gaussian:sigma=1,", "expected parameter=number, .* not ''", id="comma at the end"),
        pytest.param("gaussian:sigma=1,sigma=2", "sigma is given twice; give it once", id="twice"),
    ],
)
def test_what_a_formula_cannot_take_is_refused(text, message):
    with pytest.raises(SpecError, match=message) as raised:
        find(text)
    assert str(raised.value)[-1] in ".?"
