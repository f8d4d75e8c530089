"""Whole numbers stay whole below ten millions, in words, in tables, in cells, and on the page."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from convviz.page import page
from convviz.render.words.matrices import cell_words
from convviz.render.words.tables import decimals
from convviz.text import number

WHOLE = (0, 7, 12_345, 999_999, 1_000_000, 1_234_567, 9_999_999)
LARGE = (10_000_000, 12_345_678)


def on_page(values):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node, which runs the script of the page, is not installed")
    script = (
        "const [vm, fs] = [require('vm'), require('fs')];"
        "vm.runInThisContext(fs.readFileSync(process.argv[1], 'utf8'));"
        "const short = vm.runInThisContext('(one) => Words.short(one)');"
        "process.stdout.write(JSON.stringify(JSON.parse(process.argv[2]).map(short)));"
    )
    words = Path(page.__file__).with_name("words.js")
    done = subprocess.run(
        [node, "-e", script, words, json.dumps(values)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("sign", [1, -1])
def test_every_digit_of_a_whole_number_is_written(sign):
    values = [sign * value for value in WHOLE]
    wanted = [str(value) for value in values]
    assert [number(float(value)) for value in values] == wanted
    assert cell_words(np.array([values], np.float64)) == [wanted]
    assert [decimals(np.array([value], np.float64)) for value in values] == [0] * len(values)
    assert on_page(values) == wanted


def test_a_fraction_is_left_out_before_a_digit_of_a_table_is():
    assert cell_words(np.array([[1_234_567.25]])) == [["1234567"]]
    assert decimals(np.array([1_234_567.25])) == 0


def test_larger_ones_have_their_first_digits():
    assert [number(float(value)) for value in LARGE] == ["1e+07", "1.235e+07"]
    assert cell_words(np.array([LARGE], np.float64)) == [["1e+07", "1.23e+07"]]
    assert [decimals(np.array([value], np.float64)) for value in LARGE] == [None, None]
    assert on_page(LARGE) == ["10000000", "12350000"]
