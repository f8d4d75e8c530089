"""``convviz exercise`` as a process."""

import pytest


def test_sheets_and_answers_are_printed_together(convviz):
    done = convviz("exercise", "--size", "4x4", "--seed", "3")
    assert done.returncode == 0, done.stderr
    sheet, answers = done.stdout.split("# Convolution, sheet 1: answers")
    assert "Input, channel 0" in sheet
    assert "(0,0): " in answers
    assert "(0,0): " not in sheet
    assert convviz("exercise", "--size", "4x4", "--seed", "3").stdout == done.stdout


@pytest.mark.parametrize("suffix", ["md", "html"])
def test_the_answers_stand_in_a_file_of_their_own(convviz, tmp_path, suffix):
    for _ in range(2):  # ours may be replaced
        done = convviz("exercise", "--sheets", "2", "-K", "sobel-x", "-o", f"class.{suffix}")
        assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"class.{suffix}", f"class-answers.{suffix}"]
    assert "Convolution, sheet 2" in (tmp_path / f"class.{suffix}").read_text()
    assert "(0,0): " not in (tmp_path / f"class.{suffix}").read_text()
    assert "(0,0): " in (tmp_path / f"class-answers.{suffix}").read_text()
    (tmp_path / f"own.{suffix}").write_text("mine")
    assert convviz("exercise", "-o", f"own.{suffix}").returncode == 4


def test_another_ending_is_refused(convviz):
    done = convviz("exercise", "-o", "x.pdf")
    assert (done.returncode, done.stdout) == (2, "")
    assert "ends in .md or .html, not '.pdf'" in done.stderr


def test_a_dash_prints_the_sheets_as_no_output_does(convviz):
    assert convviz("exercise", "-o", "-").stdout == convviz("exercise").stdout != ""


def test_the_help_counts_the_filters_that_a_sheet_has(convviz):
    words = " ".join(convviz("exercise", "--help").stdout.split())
    assert "by default as many as the kernels make, or 1." in words
    assert "torch.manual_seed" not in words
