"""`convviz bench`: what is printed, not how long it takes."""

import json

from convviz.analysis import measure


def test_every_way_has_a_row_and_auto_is_told(convviz, classic):
    done = convviz("bench", classic, "-k", "3", "-p", "1")
    assert done.returncode == 0, done.stderr
    rows = [line.split()[:2] for line in done.stdout.splitlines() if line.startswith(("numpy", "torch"))]
    assert ["numpy", "cpu"] in rows
    assert ["torch", "cpu"] in rows
    assert "--backend auto takes numpy" in done.stdout


def test_json_has_the_numbers(convviz, classic):
    done = convviz("bench", classic, "-k", "3", "-O", "2", "--json")
    document = json.loads(done.stdout)
    assert document["macs"] == 2 * 27  # one window of 3x3 on 3 channels, for each of 2 maps
    assert document["input_shape"] == [3, 3, 3]
    assert document["output_shape"] == [2, 1, 1]
    assert document["auto"] == "numpy"
    assert {"backend", "device", "threads", "seconds", "flops"} <= document["rates"][0].keys()


def test_no_time_at_all_is_refused(convviz, classic):
    done = convviz("bench", classic, "--seconds", "0")
    assert done.returncode == 2
    assert "seconds must be at least 1, not 0" in done.stderr


def test_each_way_has_the_seconds_that_are_asked_for(convviz, classic, monkeypatch):
    given = []
    monkeypatch.setattr(measure, "rates", lambda *of, seconds: given.append(seconds) or [])
    for more in ([], ["--seconds", "7"]):
        assert convviz("bench", classic, *more).returncode == 0
    assert given == [1, 7]
