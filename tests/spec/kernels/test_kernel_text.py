import pytest

from convviz.errors import SpecError
from convviz.spec.kernels import KernelRequest, parse_literal, parse_request

LAPLACIAN = ((0, 1, 0), (1, -4, 1), (0, 1, 0))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("0 1 0; 1 -4 1; 0 1 0", id="semicolons and blanks"),
        pytest.param("0,1,0;1,-4,1;0,1,0", id="commas without blanks"),
        pytest.param("0, 1, 0; 1, -4, 1; 0, 1, 0", id="commas and blanks"),
        pytest.param("0, 1 0; 1 -4, 1; 0 1 0", id="commas and blanks mixed"),
        pytest.param("0 1 0\n1 -4 1\n0 1 0\n", id="lines"),
        pytest.param("\n\n0 1 0\r\n\n1 -4 1\r\n0 1 0", id="lines with empty ones between"),
        pytest.param("0 1 0;\n1 -4 1;\n0 1 0", id="semicolons that end lines"),
        pytest.param("\t0\t1 0 ;1   -4 1; +0 1.0 0e5 ", id="other blanks and spellings of numbers"),
        pytest.param("[[0, 1, 0], [1, -4, 1], [0, 1, 0]]", id="as Python and JSON print it"),
        pytest.param("[[ 0  1  0]\n [ 1 -4  1]\n [ 0  1  0]]", id="as numpy prints it"),
        pytest.param("[0 1 0; 1 -4 1; 0 1 0]", id="as MATLAB prints it"),
        pytest.param("0 1 0; 1 −4 1; 0 1 0", id="a minus sign from a web page"),  # noqa: RUF001 the point of the row
    ],
)
def test_the_ways_to_write_one_kernel_agree(text):
    kernel = parse_literal(text)
    assert kernel.values == LAPLACIAN
    assert kernel.divisor == 1
    assert all(isinstance(tap, int) for row in kernel.values for tap in row)


@pytest.mark.parametrize(
    ("text", "values", "divisor"),
    [
        pytest.param("1 2; 2 1 / 16", ((1, 2), (2, 1)), 16, id="a slash between blanks divides all"),
        pytest.param("1 2\n2 1\n/ 16", ((1, 2), (2, 1)), 16, id="on a line of its own"),
        pytest.param("[[1, 2], [2, 1]] / 16", ((1, 2), (2, 1)), 16, id="after brackets"),
        pytest.param("1/4 3/4", ((0.25, 0.75),), 1, id="a slash without blanks divides one value"),
        pytest.param("1/4 3/4 / 2", ((0.25, 0.75),), 2, id="both"),
        pytest.param("-1/2,.5/2", ((-0.5, 0.25),), 1, id="signs and points in fractions"),
        pytest.param("1 2 / -0.5", ((1, 2),), -0.5, id="any divisor but 0"),
        pytest.param("7", ((7,),), 1, id="a single value"),
        pytest.param("[5]", ((5,),), 1, id="a single value in brackets"),
        pytest.param("1 / 9", ((1,),), 9, id="a single value divided"),
        pytest.param("1e3 -.5 2.", ((1000, -0.5, 2),), 1, id="exponent and point"),
    ],
)
def test_divisors_and_fractions_are_told_apart_by_blanks(text, values, divisor):
    kernel = parse_literal(text)
    assert (kernel.values, kernel.divisor) == (values, divisor)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "", "^kernel '': there are no numbers; write rows such as '0 1 0; 1 -4 1; 0 1 0'", id="nothing"
        ),
        pytest.param(" \n ", "there are no numbers", id="blanks alone"),
        pytest.param("1 2; 3", "row 2 has 1 number, but row 1 has 2", id="ragged"),
        pytest.param("1 2;; 3 4", "row 2 is empty; leave out the separator", id="empty row"),
        pytest.param("1 2; 3 4;", "row 3 is empty", id="semicolon at the end"),
        pytest.param("; 1 2", "row 1 is empty", id="semicolon at the start"),
        pytest.param(
            "1,,2", "row 1, column 2 is empty; write a number before and after every comma", id="two commas"
        ),
        pytest.param("1 2; 3, 4,", "row 2, column 3 is empty", id="comma at the end"),
        pytest.param(
            "1 x; 3 4", "^kernel 1 x; 3 4: row 1, column 2 must be a finite number, .* not 'x'", id="text"
        ),
        pytest.param("1 2; 3 nan", "row 2, column 2 must be a finite number, .* not 'nan'", id="nan"),
        pytest.param("1 -inf", "row 1, column 2 must be .* not '-inf'", id="infinity"),
        pytest.param("1 1e999", "row 1, column 2 must be .* not '1e999'", id="too large for a float"),
        pytest.param("1_0 2", "row 1, column 1 must be .* not '1_0'", id="underscore"),
        pytest.param("1 - 2", "row 1, column 2 must be .* not '-'", id="sign alone"),
        pytest.param("1 2/x", "row 1, column 2 must be .* not '2/x'", id="fraction of text"),
        pytest.param("1/2/3", "row 1, column 1 must be .* not '1/2/3'", id="two slashes"),
        pytest.param("1 2/0", "row 1, column 2 divides by 0 in '2/0'", id="fraction over 0"),
        pytest.param(
            "1e300/1e-300", "row 1, column 1 must be a finite number", id="fraction beyond any float"
        ),
        pytest.param("1 2 / 0", "the divisor must be a finite number other than 0", id="divisor 0"),
        pytest.param("1 2 / x", "the divisor must be a finite number, .* not 'x'", id="divisor of text"),
        pytest.param(
            "1 2 / 1/9", "the divisor must be a finite number, .* not '1/9'", id="fraction as divisor"
        ),
        pytest.param("1 2 /9", "'/9' has a space on one side of the slash", id="blank before the slash only"),
        pytest.param("1 2/ 9", "'2/' has a space on one side of the slash", id="blank after the slash only"),
        pytest.param(
            "1 / 9 2 / 9",
            "divides the whole kernel, so it may appear only once",
            id="a slash for every value",
        ),
        pytest.param(
            "1 2 / 4; 3 4",
            "divides the whole kernel, so it may appear only once, before the last",
            id="in the middle",
        ),
        pytest.param("3x3", "this is a size, not kernel values; give --kernel-size 3x3", id="a size"),
        pytest.param("/ 4", "divides the whole kernel", id="a divisor alone"),
        pytest.param(
            "1,2,3 4,5,6",
            "'1,2,3 4,5,6' could be one row or several; write '1,2,3; 4,5,6' for several",
            id="commas within and blanks between",
        ),
        pytest.param("1 2; 3,4 5", "row 2 has commas without spaces", id="the same in a later row"),
        pytest.param("1 2 /", "divides the whole kernel", id="a slash alone at the end"),
        pytest.param("[[1, 2], [3, 4]", "brackets do not match", id="a bracket missing"),
        pytest.param("[[1, 2] 5 [3, 4]]", "brackets do not match", id="a number between brackets"),
        pytest.param("[1, 2], [3, 4]", "brackets do not match", id="no outer brackets"),
        pytest.param("[[[1]]]", "brackets do not match", id="three levels"),
        pytest.param("[[1; 2]]", "brackets do not match", id="brackets and semicolons"),
        pytest.param("[", "brackets do not match", id="one bracket"),
        pytest.param("[]", "row 1 is empty", id="brackets round nothing"),
        pytest.param("1 2]", r"row 1, column 2 must be .* not '2\]'", id="a bracket too many"),
    ],
)
def test_what_is_unclear_is_refused_with_its_place(text, message):
    with pytest.raises(SpecError, match=message) as raised:
        parse_literal(text)
    assert "\n" not in str(raised.value)


def test_the_name_is_the_text_without_its_blanks():
    assert parse_literal(" 1/2 0 ; 0,  -1 / 4 ").name == "1/2,0;0,-1 / 4"


def test_the_name_reads_back_as_the_same_kernel():
    kernel = parse_literal("1 2 1; 2 4 2; 1 2 1 / 16")
    assert parse_literal(kernel.name) == kernel


def test_a_name_given_is_kept_and_used_in_messages():
    assert parse_literal("1 2", "mine").name == "mine"
    with pytest.raises(SpecError, match=r"^kernel mine: row 1, column 1"):
        parse_literal("x", "mine")


def test_a_message_about_a_long_text_stays_short():
    with pytest.raises(SpecError, match="row 3000 has 1 number, but row 1 has 2") as raised:
        parse_literal("1 2;" * 2999 + "1")
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        pytest.param("sobel-x", KernelRequest("sobel-x", "preset"), id="preset"),
        pytest.param(" box:size=3 ", KernelRequest("box:size=3", "preset"), id="preset with numbers"),
        pytest.param("sobel-x@R", KernelRequest("sobel-x", "preset", 0), id="red"),
        pytest.param("sobel-x@g", KernelRequest("sobel-x", "preset", 1), id="green in a small letter"),
        pytest.param("sobel-x @ B", KernelRequest("sobel-x", "preset", 2), id="blanks round the suffix"),
        pytest.param("kirsch@A", KernelRequest("kirsch", "preset", 3), id="alpha for a set"),
        pytest.param("box@12", KernelRequest("box", "preset", 12), id="an index"),
        pytest.param("0 1; 1 0", KernelRequest("0 1; 1 0", "literal"), id="taps"),
        pytest.param(
            "-1 1@0", KernelRequest("-1 1", "literal", 0), id="values that begin with a sign, one channel"
        ),
        pytest.param(".5", KernelRequest(".5", "literal"), id="values that begin with a point"),
        pytest.param("[[1]]", KernelRequest("[[1]]", "literal"), id="values that begin with a bracket"),
        pytest.param("−1 1", KernelRequest("−1 1", "literal"), id="another minus sign"),  # noqa: RUF001 the point of the row
        pytest.param("a; b", KernelRequest("a; b", "literal"), id="a semicolon makes values"),
        pytest.param("box 3", KernelRequest("box 3", "preset"), id="letters and blanks make no values"),
        pytest.param("my.csv", KernelRequest("my.csv", "file"), id="file"),
        pytest.param("3x3.JSON", KernelRequest("3x3.JSON", "file"), id="file that begins with a digit"),
        pytest.param("./a; b.npy", KernelRequest("./a; b.npy", "file"), id="file with a semicolon"),
        pytest.param("my.csv@R", KernelRequest("my.csv", "file", 0), id="file for one channel"),
        pytest.param("me@home.npz", KernelRequest("me@home.npz", "file"), id="file with an at sign"),
        pytest.param("me@home.npz@2", KernelRequest("me@home.npz", "file", 2), id="file with both"),
        pytest.param("1 0 | 0 1", KernelRequest("1 0 | 0 1", "channels"), id="a bar between channels"),
        pytest.param("a|b.npy", KernelRequest("a|b.npy", "file"), id="file with a bar"),
        pytest.param("mine=1 2", KernelRequest("1 2", "literal", None, "mine"), id="named values"),
        pytest.param(
            "my edges = sobel-x@G", KernelRequest("sobel-x", "preset", 1, "my edges"), id="named preset"
        ),
        pytest.param("w=1|2", KernelRequest("1|2", "channels", None, "w"), id="named channels"),
        pytest.param("lr=0.1.npy", KernelRequest("lr=0.1.npy", "file"), id="file with an equals sign"),
        pytest.param("é x — Ш = 1", KernelRequest("1", "literal", None, "é x — Ш"), id="signs in a name"),
        pytest.param(
            "gaussian:sigma=2", KernelRequest("gaussian:sigma=2", "preset"), id="no name before a colon"
        ),
    ],
)
def test_a_request_is_told_apart_by_its_look(text, request_):
    assert parse_request(text) == request_


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "a kernel needs a name, numbers or a file", id="nothing"),
        pytest.param(" @R", "a kernel needs a name, numbers or a file", id="a channel alone"),
        pytest.param(
            "sobel-x@X", "kernel sobel-x@X: '@X' names no channel; write @R, @G, @B, @A", id="no such letter"
        ),
        pytest.param("sobel-x@", "'@' names no channel", id="nothing after the at sign"),
        pytest.param("sobel-x@-1", "'@-1' names no channel", id="negative index"),
        pytest.param("my.csv@X", "'@X' names no channel", id="after a file"),
        pytest.param("1|2@R", "has a kernel for every channel; leave out '@R'", id="channels and a channel"),
        pytest.param("=3", "a name in front of '=' must begin with a letter", id="no name"),
        pytest.param("×=3", "a name in front of '=' must begin with a letter", id="no letter in front"),  # noqa: RUF001
        pytest.param("a,b=sobel-x", "has none of : / | @ ; and ','", id="a comma in a name"),
        pytest.param("box@" + "9" * 5000, "names no channel", id="an index beyond all images"),
    ],
)
def test_a_request_for_no_channel_or_nothing_is_refused(text, message):
    with pytest.raises(SpecError, match=message):
        parse_request(text)


def test_a_file_may_have_a_name_in_front_unless_it_is_part_of_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_request("mine=k.csv") == KernelRequest("mine=k.csv", "file")
    (tmp_path / "k.csv").write_text("1 2")
    assert parse_request("mine=k.csv@R") == KernelRequest("k.csv", "file", 0, "mine")
    (tmp_path / "mine=k.csv").write_text("1 2")
    assert parse_request("mine=k.csv") == KernelRequest("mine=k.csv", "file")


def test_a_byte_order_mark_in_front_is_no_part_of_a_kernel():
    """A file of Windows, as in -K "$(cat kernel.txt)", begins with one."""
    assert parse_request("\ufeff0 1; 1 0") == parse_request("0 1; 1 0")
    assert parse_request("\ufeffsobel-x").what == "sobel-x"
