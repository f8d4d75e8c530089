"""``convviz batch`` interrupted, killed, run twice, short of time: nothing is lost, nothing is half done."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from moments import Moments, reached_main
from PIL import Image

import convviz
from convviz.batch import Job, Outcome, Stop, local, run_local

COMMAND = [sys.executable, "-m", "convviz", "batch", "photos", "maps", "--tile", "full"]
FILES = 40
PACKAGE = str(Path(convviz.__file__).parent)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Forty pictures at two depths that take a few milliseconds each, and one that is broken."""
    folder = tmp_path_factory.mktemp("inputs") / "photos"
    (folder / "deep").mkdir(parents=True)
    noise = np.random.default_rng(7)
    for index in range(FILES):
        place = folder / "deep" if index % 3 else folder
        Image.fromarray(noise.integers(0, 256, (100, 90, 3), np.uint8)).save(place / f"{index}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


@pytest.fixture
def place(photos, tmp_path):
    """A folder with the photos in it, as they are: with their dates."""
    (tmp_path / "photos").symlink_to(photos)
    return tmp_path


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """What a run makes that is never interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "photos").symlink_to(photos)
    subprocess.run(COMMAND, cwd=folder, capture_output=True, check=False)
    return contents(folder / "maps")


def contents(folder):
    """Every file below a folder, the hidden ones too."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_whole(place, whole, done):
    """Compare by names, for pytest would take hours to word the difference of so many bytes."""
    found = contents(place / "maps")
    wrong = sorted(str(path) for path in found.keys() | whole.keys() if found.get(path) != whole.get(path))
    assert not wrong, (wrong, done.stdout, done.stderr)


def begin(place, *more, **options):
    return subprocess.Popen(
        [*COMMAND, *more],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As a shell gives it to a command: Ctrl-C is not ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )


def finish(place, *more):
    return subprocess.run([*COMMAND, *more], cwd=place, capture_output=True, text=True, check=False)


def outputs(place):
    return [path for path in (place / "maps").rglob("*.png") if not path.name.startswith(".")]


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


# How often to try what a busy machine may do too late.
TRIES = 8


def half_done(place):
    return lambda: len(outputs(place)) >= 5


def children(process):
    """The processes that a process has started, by what Linux tells."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:  # noqa: PTH123
        return [int(word) for word in file.read().split()]


def workers(process):
    """Its workers; the other child is that of Python which tracks resources."""
    return [child for child in children(process) if b"spawn_main" in command_line(child)]


def command_line(number):
    try:
        with open(f"/proc/{number}/cmdline", "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""


def test_a_run_that_is_never_interrupted_does_every_file_and_names_the_broken_one(whole):
    assert len([path for path in whole if path.suffix == ".png"]) == FILES


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_asked_to_stop_it_finishes_what_is_in_hand_and_the_next_run_goes_on(place, whole, number, status):
    for _ in range(TRIES):
        shutil.rmtree(place / "maps", ignore_errors=True)
        process = begin(place)
        wait_for(half_done(place))
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
        if process.returncode != 6:  # not all was done before the signal came
            break
    assert process.returncode == status
    assert "of 41 pictures done" in stdout
    assert "left; run the same command again to continue" in stderr
    assert "Traceback" not in stderr
    made = outputs(place)
    assert 5 <= len(made) < FILES
    assert all(path.name.endswith(".png.png") for path in made)
    assert not list((place / "maps").rglob(".convviz-*"))
    dates = {path: path.stat().st_mtime_ns for path in made}
    done = finish(place)
    assert f"{FILES - len(made)} of 41 pictures done" in done.stdout
    assert f"{len(made)} unchanged since an earlier run" in done.stdout
    assert done.returncode == 6
    assert dates == {path: path.stat().st_mtime_ns for path in made}
    assert_whole(place, whole, done)


def test_ctrl_c_in_a_terminal_reaches_the_workers_too_and_they_go_on(place):
    """A terminal sends it to all processes of the group; here from the first moment on."""
    moments = Moments(3, wanted=4)
    for seconds in moments:
        shutil.rmtree(place / "maps", ignore_errors=True)
        process = begin(place, "--workers", "2", start_new_session=True)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        if process.returncode == 6:
            moments.came_too_late()
        elif process.returncode in (1, -signal.SIGINT):
            assert not reached_main(stderr), stderr
            moments.came_too_early()
        else:
            moments.met()
            assert process.returncode == 130, stderr
            assert "Traceback" not in stderr
            assert "convviz: interrupted." in stderr


def test_twenty_kills_at_random_moments_lose_nothing(place, whole):
    """Kills of the program, of one of its workers, and polite ones; each run goes on from the last."""
    chance = random.Random(5)
    kills = 0
    while kills < 20:
        process = begin(place, "--workers", "2")
        time.sleep(chance.uniform(0.1, 0.9))
        victims = [process.pid, *workers(process)]
        victim = chance.choice(victims) if chance.random() < 0.5 else process.pid
        number = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        if process.poll() is not None:
            shutil.rmtree(place / "maps")  # all done already: from the beginning
            process.communicate()
            continue
        try:
            os.kill(victim, number if victim == process.pid else signal.SIGKILL)
        except ProcessLookupError:
            process.communicate()
            continue
        kills += 1
        _, stderr = process.communicate(timeout=60)
        # A process that Python is just starting complains when the one that starts it is gone; and what is
        # raised in some places of Python itself, such as the end of an import, it reports and forgets.
        # Where no line is of convviz, Python had not come to it yet.
        ignored = (victim, number) == (process.pid, signal.SIGKILL) or "Exception ignored in" in stderr
        ignored |= PACKAGE not in stderr
        assert "Traceback" not in stderr or ignored, stderr
        for path in outputs(place):
            with Image.open(path) as picture:
                picture.load()
    done = finish(place)
    assert done.returncode == 6
    assert_whole(place, whole, done)


def test_a_worker_that_is_killed_is_reported_with_its_file_and_the_rest_goes_on(place, whole):
    # Between two files a worker holds none; then nothing is lost, and the kill is tried again.
    for _ in range(TRIES):
        shutil.rmtree(place / "maps", ignore_errors=True)
        process = begin(place, "--workers", "2", "--report", "report.jsonl")
        wait_for(half_done(place))
        with contextlib.suppress(OSError, IndexError):  # all is done already
            os.kill(workers(process)[0], signal.SIGKILL)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 6
        if "2 files of 41 failed" in stderr:
            break
    assert "the process that worked on it ended (SIGKILL" in stderr
    assert "2 files of 41 failed" in stderr
    lines = [json.loads(line) for line in (place / "report.jsonl").read_text().splitlines()]
    assert len(lines) == FILES + 1
    assert sorted(line["status"] for line in lines) == ["done"] * (FILES - 1) + ["failed"] * 2
    done = finish(place)
    assert done.returncode == 6
    assert_whole(place, whole, done)


def test_workers_end_with_the_program_that_is_killed(place):
    process = begin(place, "--workers", "2")
    wait_for(lambda: len(workers(process)) == 2)
    left = workers(process)
    wait_for(half_done(place))
    process.kill()
    process.communicate()
    wait_for(lambda: not any(command_line(number) for number in left))


def test_two_runs_do_not_write_into_one_folder_and_a_lock_outlives_no_process(place):
    process = begin(place, "--workers", "1")
    wait_for(half_done(place))
    process.send_signal(signal.SIGSTOP)  # so that it does not end before the second has begun
    second = finish(place)
    assert second.returncode == 4
    assert "another batch is writing into 'maps'; wait for it" in second.stderr
    process.kill()
    process.communicate()
    assert finish(place).returncode == 6  # for the broken file alone


def test_a_file_that_takes_too_long_is_given_up(place):
    """961 products for each value of 2.5 megapixels, six times: more than a second on any machine."""
    done = finish(place, "--timeout", "0.25", "--workers", "1", "--pattern", "0.png", "-k", "31", "-p", "700")
    assert done.returncode == 6
    assert "failed: 0.png: it took longer than 0.25 s, the --timeout" in done.stderr
    assert not list((place / "maps").rglob(".convviz-*"))


SCRIPT = """import sys
from convviz.__main__ import main
if __name__ == "__main__":
    sys.exit(main())
"""


# What `python -m` itself takes from the current folder, before convviz is loaded, nobody can keep out.
@pytest.mark.parametrize(
    ("start", "planted"),
    [
        pytest.param(["bin/convviz"], ["struct", "re", "types", "signal", "png"], id="the script"),
        pytest.param(["-m", "convviz"], ["struct", "re", "signal", "png"], id="python -m"),
    ],
)
def test_python_files_in_the_current_folder_are_pictures_to_nobody_and_are_not_run(tmp_path, start, planted):
    """A student's own re.py broke every batch; one from elsewhere could do anything."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "convviz").write_text(SCRIPT)
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(photos / "a.png")
    for name in planted:
        (photos / f"{name}.py").write_text(f"open('ran-{name}', 'w')\nraise SystemExit(9)\n")
    start = [str(tmp_path / word) if "/" in word else word for word in start]
    done = subprocess.run(
        [sys.executable, *start, "batch", ".", "../maps", "--workers", "1"],
        cwd=photos,
        capture_output=True,
        text=True,
        check=False,
    )
    assert list(photos.glob("ran-*")) == []
    assert (done.returncode, [path.name for path in outputs(tmp_path)]) == (0, ["a.png.png"]), done.stderr


# --- the engine by itself


def sleepy(job):
    time.sleep(float(job.name))
    return Outcome(job.name, job.target)


def deadly(job):
    os._exit(int(job.name))


def jobs(tmp_path, *names):
    return [Job(name, tmp_path / name, tmp_path / name) for name in names]


def test_after_the_time_of_grace_files_in_hand_are_left(tmp_path):
    stop = Stop()
    begun = time.monotonic()
    found = []
    for outcome in run_local(jobs(tmp_path, "0", "60", "0"), sleepy, workers=2, stop=stop):
        found.append(outcome.name)
        if len(found) == 2:
            stop.ask()
    assert found == ["0", "0"]
    assert time.monotonic() - begun < 30


def test_a_second_request_waits_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "GRACE_SECONDS", 60)
    stop = Stop()
    begun = time.monotonic()
    for _ in run_local(jobs(tmp_path, "0", "60"), sleepy, workers=2, stop=stop):
        stop.ask()
        stop.ask()
    assert time.monotonic() - begun < 30


def test_every_file_that_ends_its_process_is_reported(tmp_path):
    found = list(run_local(jobs(tmp_path, "3", "4", "5"), deadly, workers=2))
    assert sorted(outcome.name for outcome in found) == ["3", "4", "5"]
    assert {outcome.reason for outcome in found} == {
        f"the process that worked on it ended (exit status {number})." for number in (3, 4, 5)
    }


def test_a_file_given_up_makes_room_for_the_next(tmp_path):
    found = list(run_local(jobs(tmp_path, "60", "0"), sleepy, workers=1, timeout=1.5))
    assert [(outcome.name, outcome.status) for outcome in found] == [("60", "failed"), ("0", "done")]
