"""``convviz batch --engine dask``, and folders by address: real workers, a real server of S3."""

import contextlib
import functools
import http.server
import importlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import quick_start
from PIL import Image
from schedulers import address_in

from convviz import __version__
from convviz.batch import Job, Outcome, make_plan
from convviz.batch.remote import cluster
from convviz.errors import BatchError, InputError, SpecError
from convviz.files.addresses import Seen, is_remote, path_of

pytest.importorskip("distributed")
FILES = 24


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Small pictures at two depths, and one that is broken; those above come first."""
    folder = tmp_path_factory.mktemp("inputs") / "photos"
    (folder / "deep").mkdir(parents=True)
    noise = np.random.default_rng(7)
    for index in range(FILES):
        place = folder / "deep" if index % 3 else folder
        Image.fromarray(noise.integers(0, 256, (30, 26, 3), np.uint8)).save(place / f"{index:02}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """What the local engine makes of them."""
    out = tmp_path_factory.mktemp("whole") / "maps"
    done = batch(photos, out)
    assert done.returncode == 6
    return contents(out)


@pytest.fixture(scope="module")
def scheduler(s3, tmp_path_factory):
    """A scheduler and a worker that finds the server of S3, each a process; gives the address."""
    place = tmp_path_factory.mktemp("dask")
    told = place / "scheduler.json"
    common = ["--host", "127.0.0.1", "--no-dashboard"]
    with contextlib.ExitStack() as stack:
        dask(stack, place, "scheduler", "--port", "0", "--scheduler-file", told, *common)
        address = address_in(told)
        dask(stack, place, "worker", address, "--nthreads", "1", "--preload", quick_start.__file__, *common)
        yield address


def dask(stack, place, *words):
    command = [Path(sys.executable).with_name("dask"), *map(str, words)]
    log = stack.enter_context((place / "log").open("ab"))
    process = subprocess.Popen(command, cwd=place, stdout=log, stderr=log, start_new_session=True)
    stack.callback(end, process)
    return process


def end(process):
    """End a process with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def s3(photos):
    """A server of S3 with the pictures in a bucket; gives the environment that leads to it."""
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    found = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in found.items():
            patch.setenv(name, value)
        bucket = path_of("s3://bucket-of-photos")
        bucket.mkdir()
        for path in photos.rglob("*.png"):
            (bucket / "in" / path.relative_to(photos).as_posix()).write_bytes(path.read_bytes())
        yield bucket
    server.stop()


class Gate(http.server.SimpleHTTPRequestHandler):
    """The pictures of a folder; those whose numbers are from 10 on in `deep` come when they are let go."""

    held: dict[str, threading.Event]
    asked: threading.Event

    def do_GET(self):
        if self.path in self.held:
            self.asked.set()
            self.held[self.path].wait()
        with contextlib.suppress(ConnectionError):  # whoever asked was killed
            super().do_GET()

    def log_message(self, *words):
        pass


class Held:
    """What a test has of a gate: the address, whether a held picture was asked for, letting them go."""

    def __init__(self, address, gate):
        self.address, self._gate = address, gate

    def wait(self):
        """Wait until a picture is asked for that is held: somebody is at work, and stays so."""
        assert self._gate.asked.wait(60)

    def let_one_go(self):
        self._gate.held[min(self._gate.held)].set()

    def let_go(self):
        for event in self._gate.held.values():
            event.set()


@pytest.fixture
def gate(photos):
    """The pictures behind an address that gives some of them only when a test says so.

    A batch is then in the middle of its work for certain, on a machine of any speed.
    """
    pytest.importorskip("aiohttp")
    names = [path.relative_to(photos).as_posix() for path in (photos / "deep").iterdir()]
    held = {f"/{name}": threading.Event() for name in names if int(Path(name).stem) >= 10}
    handler = type("Gate", (Gate,), {"held": held, "asked": threading.Event()})
    serving = functools.partial(handler, directory=photos)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serving) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        found = Held(f"http://127.0.0.1:{server.server_address[1]}/", handler)
        yield found
        found.let_go()
        server.shutdown()


PROGRAM = [sys.executable, "-m", "convviz"]


def words_of(folder, out, *more):
    return ["batch", str(folder), str(out), "--tile", "full", *more]


def batch(folder, out, *more, program=PROGRAM, **options):
    command = [*program, *words_of(folder, out, *more)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)


def begin(folder, out, *more):
    command = [*PROGRAM, *words_of(folder, out, *more)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def batch_here(convviz):
    """The same in this process, for what has nothing to do with the processes of a cluster."""
    return lambda folder, out, *more: convviz(*words_of(folder, out, *more))


def contents(folder):
    """Every picture below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.png")
        if not path.name.startswith(".")
    }


def objects(folder):
    """The same of a folder behind an address."""
    names = folder.fs.find(folder.path, withdirs=False)
    return {
        name[len(folder.path) + 1 :]: folder.fs.cat_file(name) for name in names if ".convviz/" not in name
    }


def assert_same(found, whole):
    """Compare by names, for pytest would take hours to word the difference of so many bytes."""
    wrong = sorted(name for name in found.keys() | whole.keys() if found.get(name) != whole.get(name))
    assert not wrong


def wait_for(condition, seconds=60.0):
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last, "it never came"
        time.sleep(0.02)


def report_of(path):
    return {line["path"]: line["status"] for line in map(json.loads, path.read_text().splitlines())}


# --- Dask


def test_a_cluster_started_here_makes_the_same_tree(photos, whole, tmp_path):
    done = batch(
        photos, tmp_path / "maps", "--engine", "dask", "--workers", "2", "--report", "r.jsonl", cwd=tmp_path
    )
    assert done.returncode == 6
    assert "failed: broken.png" in done.stderr
    assert "dashboard: http://127.0.0.1:" in done.stderr
    assert_same(contents(tmp_path / "maps"), whole)
    statuses = list(report_of(tmp_path / "r.jsonl").values())
    assert (statuses.count("done"), statuses.count("failed")) == (FILES, 1)


def test_workers_of_a_cluster_started_here_run_no_python_files_of_the_current_folder(photos, tmp_path):
    for name in ("struct", "re", "types"):
        (tmp_path / f"{name}.py").write_text(f"open('ran-{name}', 'w')\nraise SystemExit(9)\n")
    words = ["batch", str(photos), "maps", "--engine", "dask", "--workers", "1", "--pattern", "00.png"]
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "convviz"
    script.write_text("from convviz.__main__ import main\nif __name__ == '__main__':\n    main()\n")
    done = subprocess.run(
        [sys.executable, script, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert list(tmp_path.glob("ran-*")) == []
    assert done.returncode == 0, done.stderr


def test_a_scheduler_by_its_address_makes_the_same_tree_and_a_second_run_does_nothing(
    photos, whole, scheduler, tmp_path
):
    words = ("--engine", "dask", "--scheduler", scheduler)
    assert batch(photos, tmp_path / "maps", *words).returncode == 6
    assert_same(contents(tmp_path / "maps"), whole)
    again = batch(photos, tmp_path / "maps", *words, "--json")
    document = json.loads(again.stdout)
    assert [document["done"], document["unchanged"], len(document["failed"])] == [0, FILES, 1]


def test_a_worker_that_is_killed_loses_nothing(gate, whole, scheduler, tmp_path):
    """When it is killed, it and the other one wait for pictures."""
    out = tmp_path / "maps"
    words = ["--engine", "dask", "--scheduler", scheduler, "--report", str(tmp_path / "r.jsonl")]
    with contextlib.ExitStack() as stack:
        common = ["--nthreads", "1", "--no-dashboard", "--name", "doomed"]
        more = dask(stack, tmp_path, "worker", scheduler, *common)
        wait_for(lambda: b"Registered to" in (tmp_path / "log").read_bytes())
        process = begin(gate.address, out, *words)
        wait_for(lambda: out.is_dir() and len(contents(out)) >= 3)
        gate.wait()
        end(more)
        gate.let_go()
        _, told = process.communicate(timeout=200)
    assert process.returncode == 6, told
    assert_same(contents(out), whole)
    statuses = list(report_of(tmp_path / "r.jsonl").values())
    assert (statuses.count("done"), statuses.count("failed")) == (FILES, 1)


def test_a_driver_that_is_killed_goes_on_with_the_rest(gate, whole, scheduler, tmp_path):
    out, words = tmp_path / "maps", ["--engine", "dask", "--scheduler", scheduler]
    process = begin(gate.address, out, *words)
    journal = out / ".convviz" / "journal.jsonl"
    wait_for(lambda: journal.is_file() and journal.read_bytes().count(b"}\n") >= 4)
    process.kill()
    process.communicate()
    gate.let_go()
    kept = journal.read_bytes().count(b"}\n")
    assert kept < FILES
    document = json.loads(batch(gate.address, out, *words, "--json").stdout)
    assert [document["done"], document["unchanged"]] == [FILES - kept, kept]
    assert_same(contents(out), whole)


def test_a_scheduler_that_is_lost_is_told(gate, tmp_path):
    with contextlib.ExitStack() as stack:
        common = ["--host", "127.0.0.1", "--no-dashboard"]
        told = tmp_path / "scheduler.json"
        head = dask(stack, tmp_path, "scheduler", "--port", "0", "--scheduler-file", told, *common)
        address = address_in(told)
        dask(stack, tmp_path, "worker", address, "--nthreads", "1", *common)
        out = tmp_path / "maps"
        process = begin(gate.address, out, "--engine", "dask", "--scheduler", address)
        journal = out / ".convviz" / "journal.jsonl"
        wait_for(lambda: journal.is_file() and journal.read_bytes().count(b"}\n") >= 2)
        end(head)
        _, words = process.communicate(timeout=200)
    assert process.returncode == 6, words
    assert "the scheduler was lost" in words
    assert "Traceback" not in words


# One second is enough to find nobody.
IMPATIENT = """from convviz.__main__ import main
from convviz.batch.remote import cluster
cluster._CONNECT_SECONDS = 1
main()
"""


def test_a_scheduler_that_is_not_there_is_told(photos, tmp_path):
    words = ["--engine", "dask", "--scheduler", "tcp://127.0.0.1:9"]
    done = batch(photos, tmp_path / "maps", *words, program=[sys.executable, "-c", IMPATIENT])
    assert done.returncode == 6
    assert "the scheduler tcp://127.0.0.1:9 cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def deadly(job):
    """Work as it should not be; it notes each try."""
    with job.target.open("a") as file:
        file.write("tried\n")
    if job.name == "deadly":
        os._exit(3)
    if job.name == "slow":
        time.sleep(60)
    return Outcome(job.name, job.target)


def test_workers_that_are_missing_or_another_version_are_told(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    older = tmp_path / "convviz-0.0.9.dist-info"
    older.mkdir()
    (older / "METADATA").write_text("Metadata-Version: 2.1\nName: convviz\nVersion: 0.0.9\n")
    common = ["--host", "127.0.0.1", "--no-dashboard"]
    with contextlib.ExitStack() as stack:
        told = tmp_path / "scheduler.json"
        dask(stack, tmp_path, "scheduler", "--port", "0", "--scheduler-file", told, *common)
        address = address_in(told)
        with pytest.raises(BatchError, match=rf"has no workers; start one, such as: dask worker {address}"):
            list(cluster.run_dask([], str, total=1, scheduler=address))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        dask(stack, tmp_path, "worker", address, "--nthreads", "1", *common)
        monkeypatch.delenv("PYTHONPATH")
        done = None
        while done is None or "has no workers" in done.stderr:
            done = batch(photos, tmp_path / "maps", "--engine", "dask", "--scheduler", address)
    assert done.returncode == 6
    assert f"has convviz 0.0.9, but this machine has {__version__}; install that" in done.stderr


def test_a_file_that_ends_its_process_twice_is_reported_and_left(tmp_path):
    jobs = [Job(name, tmp_path / name, tmp_path / name) for name in ("first", "deadly", "slow", "last")]
    found = cluster.do_chunk(jobs, deadly, 2.0)
    reasons = {outcome.name: outcome.reason for outcome in found}
    assert reasons["first"] == reasons["last"] == ""
    assert reasons["deadly"] == "it ended 2 processes that worked on it (exit status 3)."
    assert reasons["slow"] == "it took longer than 2 s, the --timeout."
    tries = {job.name: job.target.read_text().count("tried") for job in jobs}
    assert tries == {"first": 1, "deadly": 2, "slow": 1, "last": 1}


def test_work_goes_out_by_bytes(monkeypatch):
    monkeypatch.setattr(cluster, "CHUNK_BYTES", 100)
    sizes = (60, 50, 1, 2, 3, 200, 4)
    jobs = [Job(str(size), Path("x"), Path("y"), Seen(size, 0, 0)) for size in sizes]
    chunks = [[job.name for job in chunk] for chunk in cluster._chunks(jobs, 3)]
    assert chunks == [["60", "50"], ["1", "2", "3"], ["200"], ["4"]]


@pytest.mark.parametrize(
    "words",
    [
        ("--scheduler", "tcp://127.0.0.1:9"),
        ("--engine", "dask", "--scheduler", "tcp://h:1", "--workers", "2"),
    ],
)
def test_a_scheduler_goes_with_dask_alone(photos, tmp_path, batch_here, words):
    done = batch_here(photos, tmp_path / "maps", *words)
    assert done.returncode == 2
    assert "scheduler can only be used with --engine dask" in done.stderr


# --- addresses


@pytest.mark.parametrize("engine", ["local", "dask"])
def test_s3_holds_the_same_tree(s3, whole, scheduler, engine):
    """From one folder of a bucket into another, by processes of this machine and by Dask."""
    words = ["--engine", "dask", "--scheduler", scheduler] if engine == "dask" else ["--workers", "2"]
    out = s3 / f"maps-{engine}"
    done = batch(s3 / "in", out, *words)
    assert done.returncode == 6, done.stderr
    assert "failed: broken.png: cannot read 's3://bucket-of-photos/in/broken.png'" in done.stderr
    assert_same(objects(out), whole)
    # The next run does nothing but this: something else is in the place of an input, as long as it was.
    before = (s3 / "in" / "00.png").read_bytes()
    (s3 / "in" / "00.png").write_bytes(bytes(len(before)))
    last = json.loads(batch(s3 / "in", out, *words, "--json").stdout)
    (s3 / "in" / "00.png").write_bytes(before)
    assert [last["done"], last["unchanged"], len(last["failed"])] == [0, FILES - 1, 2]


def test_no_key_of_a_bucket_leads_out_of_the_output_folder(s3, photos, tmp_path):
    """A key with two slashes made an absolute path of what follows them."""
    (s3 / f"keys//{tmp_path}/planted.png").write_bytes((photos / "00.png").read_bytes())
    (s3 / "keys" / "a.png").write_bytes((photos / "00.png").read_bytes())
    done = batch(s3 / "keys", tmp_path / "maps", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]
    assert len(contents(tmp_path / "maps")) == 2


def test_a_driver_that_was_killed_goes_on_in_a_bucket(gate, s3, whole):
    out = s3 / "from-the-web"
    process = begin(gate.address, out, "--workers", "1")

    def parts():
        out.fs.invalidate_cache()
        return out.fs.glob(f"{out.path}/.convviz/journal-*.jsonl")

    # The journal goes there when a picture is done a second after the beginning.
    gate.wait()
    time.sleep(1.1)
    gate.let_one_go()
    wait_for(parts)
    process.kill()
    process.communicate()
    gate.let_go()
    kept = sum(out.fs.cat_file(part).count(b"}\n") for part in parts())
    again = json.loads(batch(gate.address, out, "--json").stdout)
    assert 1 <= kept < FILES
    assert [again["done"], again["unchanged"]] == [FILES - kept, kept]
    assert_same(objects(out), whole)
    assert not parts()


def test_what_convviz_did_not_write_is_not_replaced(s3, photos):
    """From a folder here into a bucket."""
    out, few = s3 / "taken", ["--workers", "1", "--pattern", "0*.png"]
    (out / "00.png.png").write_bytes(b"mine")
    done = batch(photos, out, *few)
    assert "00.png.png' exists and convviz did not write it; --force replaces it." in done.stderr
    assert (out / "00.png.png").read_bytes() == b"mine"
    assert batch(photos, out, *few, "--force").stderr.count("failed: ") == 0
    assert (out / "00.png.png").read_bytes() != b"mine"


def test_a_bucket_that_is_not_there_is_told(s3, tmp_path):
    for source, target in (("s3://no-such-bucket/in", tmp_path), (tmp_path, "s3://no-such-bucket/out")):
        shutil.copy(Path(__file__).parents[2] / "samples" / "pixel.png", tmp_path / "pixel.png")
        done = batch(source, target if target != tmp_path else tmp_path / "out")
        assert done.returncode in (3, 4, 6), done.stderr
        assert "Traceback" not in done.stderr
        assert "no-such-bucket" in done.stderr


def test_an_archive_is_a_folder_to_read(photos, whole, tmp_path, batch_here):
    shutil.make_archive(str(tmp_path / "photos"), "zip", photos)
    done = batch_here(f"zip://::{tmp_path / 'photos.zip'}", tmp_path / "maps")
    assert done.returncode == 6, done.stderr
    assert_same(contents(tmp_path / "maps"), whole)
    refused = batch_here(photos, f"zip://maps::{tmp_path / 'photos.zip'}")
    assert "zip:// is for reading; choose another output." in refused.stderr


def test_very_many_names_behind_an_address_are_not_counted_first(photos, tmp_path, monkeypatch, batch_here):
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for index in range(10_001):
            archive.writestr(f"{index:05}.png", b"")
    source = f"zip://::{tmp_path / 'many.zip'}"
    done = batch_here(source, tmp_path / "maps", "--fail-fast", "--workers", "1")
    assert done.returncode == 6
    assert "of at least 10,000 pictures done" in done.stdout
    assert "of at least 10,000 failed; the rest left, because of --fail-fast" in done.stderr
    document = json.loads(batch_here(source, tmp_path / "maps", "--fail-fast", "--json").stdout)
    assert (document["files"], document["left"]) == (10_000, None)
    # What is listed is all of it, and is counted in the end.
    plan = importlib.import_module("convviz.batch.plan")
    monkeypatch.setattr(plan, "COUNTED", 5)
    found = make_plan(
        path_of(f"zip://::{shutil.make_archive(str(tmp_path / 'few'), 'zip', photos)}"), tmp_path
    )
    assert (found.total, found.counted) == (5, False)
    assert len(list(found.items())) == FILES + 1


def test_memory_holds_folders_within_one_process(photos):
    folder = path_of("memory://photos")
    for name in ("a.png", "b/c.png", ".hidden/d.png", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((photos / "00.png").read_bytes())
    assert [item.name for item in make_plan(folder, path_of("memory://maps")).items()] == [
        "a.png",
        "b/c.png",
    ]
    assert make_plan(folder, folder / "b").total == 1
    with pytest.raises(SpecError, match="the output folder is the input folder"):
        make_plan(folder, path_of("memory://photos/"))
    with pytest.raises(InputError, match="does not exist"):
        make_plan(path_of("memory://nothing"), path_of("memory://maps"))
    with pytest.raises(InputError, match="no file like"):
        make_plan(folder, path_of("memory://maps"), pattern="*.jpg")


def test_memory_is_gone_at_the_end_and_says_so(photos):
    done = batch(photos, "memory://maps", "--workers", "1")
    assert f"{FILES} of {FILES + 1} pictures done" in done.stdout
    assert "memory:// is gone when its process ends; choose another output to keep it." in done.stderr


def test_the_web_is_a_folder_to_read(photos, gate, whole, tmp_path, batch_here):
    gate.let_go()
    done = batch_here(gate.address, tmp_path / "maps")
    again = json.loads(batch_here(gate.address, tmp_path / "maps", "--json").stdout)
    assert done.returncode == 6, done.stderr
    assert_same(contents(tmp_path / "maps"), whole)
    assert [again["done"], again["unchanged"]] == [0, FILES]
    refused = batch_here(photos, "https://localhost/maps")
    assert refused.returncode == 4
    assert "https:// is for reading; choose another output." in refused.stderr


def test_one_picture_by_address_is_told_how_to_go_on(convviz):
    done = convviz("run", "s3://bucket/cat.png")
    assert done.returncode == 3
    assert "only convviz batch reads addresses; download the file first." in done.stderr


def test_a_package_that_is_missing_is_named():
    with pytest.raises(SpecError, match=r'pip install "convviz\[gs\]"'):
        path_of("gs://bucket/photos")
    with pytest.raises(SpecError, match="nothing://x"):
        path_of("nothing://x")


def test_a_file_address_is_a_plain_path(tmp_path):
    assert path_of(f"file://{tmp_path}") == tmp_path
    assert not is_remote(path_of("C:\\photos"))
