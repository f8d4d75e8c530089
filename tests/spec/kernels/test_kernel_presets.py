import math
from collections import Counter
from itertools import pairwise

import pytest

from convviz.spec.kernels import FILE_SUFFIXES, FORMULAS, PRESETS, SETS, find, parse_request

COMPASS = ["n", "nw", "w", "sw", "s", "se", "e", "ne"]
DERIVATIVES = ["diff", "haar", "sobel", "sobel5", "prewitt", "scharr"]
SMOOTH = ["identity", "gaussian-3", "gaussian-5", "box", "box:size=4", "gaussian", "gaussian:sigma=0.3"]
SMOOTH += ["motion", "motion:size=5,angle=30", "shift", "shift:x=-2,y=1"]
KEEP_BRIGHTNESS = [*SMOOTH, "sharpen", "sharpen-8", "unsharp", "emboss"]
NOT_ZERO_SUM = {"haar-mean", "frei-chen-9", "gabor"} | {name.partition(":")[0] for name in KEEP_BRIGHTNESS}

names_of = pytest.mark.parametrize("name", [kernel.name for kernel in PRESETS] + [f.name for f in FORMULAS])


def one(text):
    """The only kernel of that name."""
    (kernel,) = find(text)
    return kernel


def total(kernel):
    return math.fsum(weight for row in kernel.weights for weight in row)


def correlate(picture, kernel):
    """Slide the kernel over a picture without padding, by the definition."""
    h, w = kernel.size
    return [
        [
            sum(kernel.weights[i][j] * picture[y + i][x + j] for i in range(h) for j in range(w))
            for x in range(len(picture[0]) - w + 1)
        ]
        for y in range(len(picture) - h + 1)
    ]


def transposed(values):
    return tuple(zip(*values, strict=True))


def ring(values):
    """The eight outer kernel values of a 3x3 kernel, counter-clockwise from the top left."""
    (a, b, c), (d, _, e), (f, g, h) = values
    return [a, d, f, g, h, e, c, b]


def approx(value):
    return pytest.approx(value, abs=1e-12)


def test_no_name_stands_for_two_things():
    counts = Counter([*(kernel.name for kernel in PRESETS), *(formula.name for formula in FORMULAS), *SETS])
    assert [name for name, count in counts.items() if count > 1] == []


@names_of
def test_a_name_is_read_as_a_name(name):
    """A name that began like a number or ended like a file would never be looked up."""
    request = parse_request(name)
    assert (request.what, request.kind, request.channel) == (name, "preset", None)
    assert not name.endswith(FILE_SUFFIXES)


@names_of
def test_every_preset_says_what_it_shows_and_where_it_comes_from(name):
    kernel = one(name)
    assert kernel.about
    assert kernel.source
    assert "\n" not in kernel.about + kernel.source + kernel.equals


@pytest.mark.parametrize("kernel", PRESETS, ids=lambda kernel: kernel.name)
def test_fixed_taps_are_whole_numbers_but_for_the_square_root_of_two(kernel):
    allowed = (int,) if not kernel.name.startswith("frei-chen") else (int, float)
    assert all(isinstance(tap, allowed) for row in kernel.values for tap in row)
    assert all(abs(tap) == math.sqrt(2) for row in kernel.values for tap in row if isinstance(tap, float))


@pytest.mark.parametrize("name", KEEP_BRIGHTNESS)
def test_what_keeps_the_brightness_sums_to_one(name):
    assert total(one(name)) == approx(1)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_mean_neither_darkens_nor_brightens(name):
    assert one(name).range == (0, approx(1))


@names_of
def test_flat_ground_gives_zero_unless_the_kernel_keeps_brightness(name):
    assert (total(one(name)) == approx(0)) == (name not in NOT_ZERO_SUM)


def test_sobel_x_is_eight_per_unit_step_of_a_ramp_to_the_right():
    """Rows weigh 1, 2 and 1, and each spans 2 steps: (1 + 2 + 1) * 2."""
    ramp = [list(range(5)) for _ in range(4)]
    assert correlate(ramp, one("sobel-x")) == [[8, 8, 8], [8, 8, 8]]
    assert correlate(ramp, one("sobel-y")) == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("family", DERIVATIVES)
def test_a_derivative_is_positive_where_brightness_rises_to_the_right_or_downwards(family):
    right = [list(range(5)) for _ in range(5)]
    assert correlate(right, one(f"{family}-x"))[0][0] > 0
    assert correlate(transposed(right), one(f"{family}-y"))[0][0] > 0


@pytest.mark.parametrize("family", DERIVATIVES)
def test_the_two_derivatives_are_each_other_transposed(family):
    assert one(f"{family}-y").values == transposed(one(f"{family}-x").values)


def test_the_wide_sobel_smooths_with_one_binomial_and_differs_with_another():
    smooth, slope = (1, 4, 6, 4, 1), (-1, -2, 0, 2, 1)
    assert one("sobel5-x").values == tuple(tuple(s * d for d in slope) for s in smooth)


def test_the_roberts_cross_rises_towards_the_upper_corners():
    brighter_upper_left = [[-(x + y) for x in range(3)] for y in range(3)]
    brighter_upper_right = [row[::-1] for row in brighter_upper_left]
    assert correlate(brighter_upper_left, one("roberts-d1"))[0][0] == 2
    assert correlate(brighter_upper_right, one("roberts-d2"))[0][0] == 2


@pytest.mark.parametrize("family", ["kirsch", "robinson"])
def test_each_compass_direction_is_the_one_before_turned_by_45_degrees(family):
    """Turning counter-clockwise by 45 degrees moves every outer kernel value one place along the ring."""
    kernels = find(family)
    assert [kernel.name for kernel in kernels] == [f"{family}-{direction}" for direction in COMPASS]
    for before, after in pairwise([*kernels, kernels[0]]):
        outer = ring(before.values)
        assert ring(after.values) == [outer[-1], *outer[:-1]]
        assert after.values[1][1] == 0


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        pytest.param("n", ((1, 1, 1), (0, 0, 0), (0, 0, 0)), id="bright above"),
        pytest.param("w", ((1, 0, 0), (1, 0, 0), (1, 0, 0)), id="bright left"),
        pytest.param("s", ((0, 0, 0), (0, 0, 0), (1, 1, 1)), id="bright below"),
        pytest.param("e", ((0, 0, 1), (0, 0, 1), (0, 0, 1)), id="bright right"),
        pytest.param("nw", ((1, 1, 0), (1, 0, 0), (0, 0, 0)), id="bright upper left"),
    ],
)
@pytest.mark.parametrize("family", ["kirsch", "robinson"])
def test_the_compass_kernel_named_after_the_bright_side_answers_most(family, name, picture):
    answers = {kernel.name: correlate(picture, kernel)[0][0] for kernel in find(family)}
    assert max(answers, key=answers.get) == f"{family}-{name}"


@pytest.mark.parametrize("family", ["frei-chen", "haar"])
def test_the_kernels_of_a_basis_are_orthonormal(family):
    flat = [[weight for row in kernel.weights for weight in row] for kernel in find(family)]
    assert len(flat) == len(flat[0])
    for i, a in enumerate(flat):
        for j, b in enumerate(flat):
            assert sum(p * q for p, q in zip(a, b, strict=True)) == approx(int(i == j))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        pytest.param("line-h", lambda x, y: y == 2, id="horizontal"),
        pytest.param("line-v", lambda x, y: x == 2, id="vertical"),
        pytest.param("line-d45", lambda x, y: x + y == 4, id="rising to the right"),
        pytest.param("line-d135", lambda x, y: x == y, id="falling to the right"),
    ],
)
def test_a_line_kernel_answers_six_to_its_own_line_and_nothing_to_the_others(name, line):
    """Three kernel values of 2 under the line give 6; any other line covers one 2 and two -1."""
    picture = [[int(line(x, y)) for x in range(5)] for y in range(5)]
    middle = {kernel.name: correlate(picture, kernel)[1][1] for kernel in find("line")}
    assert middle == {other: 6 if other == name else 0 for other in middle}


def test_sharpening_is_the_picture_minus_its_laplacian():
    for sharp, laplacian in (("sharpen", "laplacian"), ("sharpen-8", "laplacian-8")):
        for y in range(3):
            for x in range(3):
                assert one(sharp).values[y][x] == one("identity").values[y][x] - one(laplacian).values[y][x]


def test_unsharp_is_twice_the_picture_minus_the_blur():
    blur = one("gaussian-5")
    for y in range(5):
        for x in range(5):
            assert one("unsharp").values[y][x] == 2 * 256 * (x == y == 2) - blur.values[y][x]


def test_the_fixed_gaussians_are_products_of_binomials():
    for name, row in (("gaussian-3", (1, 2, 1)), ("gaussian-5", (1, 4, 6, 4, 1))):
        assert one(name).values == tuple(tuple(v * h for h in row) for v in row)
        assert one(name).divisor == sum(row) ** 2


@pytest.mark.parametrize("name", ["laplacian", "laplacian-8", "outline", "log-5"])
def test_second_differences_vanish_on_a_ramp(name):
    ramp = [[3 * x + 5 * y for x in range(5)] for y in range(5)]
    assert {value for row in correlate(ramp, one(name)) for value in row} == {0}


def test_the_laplacian_of_a_parabola_is_its_second_derivative():
    """The second derivative of x^2 + 3 y^2 is 2 + 6 everywhere."""
    bowl = [[x * x + 3 * y * y for x in range(4)] for y in range(4)]
    assert correlate(bowl, one("laplacian")) == [[8, 8], [8, 8]]


def test_emboss_lights_one_diagonal_and_keeps_the_middle():
    values = one("emboss").values
    assert values == transposed(values)
    assert (values[0][0], values[1][1], values[2][2]) == (-2, 1, 2)


def test_the_members_of_a_set_share_one_size_and_so_make_one_layer():
    for name in SETS:
        assert len({kernel.size for kernel in find(name)}) == 1, name
        assert len(find(name)) > 1, name
