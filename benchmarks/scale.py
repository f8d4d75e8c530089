"""How `convviz batch` grows with files, pixels and workers, and what it holds: writes SCALE.md.

Run it with ``python benchmarks/scale.py --output benchmarks/SCALE.md``; it takes about twenty minutes
and needs the group ``bench``. Dask's scheduler and its workers are processes of this machine, and
so is the server of S3, which holds nothing: it lists a million names and gives one picture for all.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pictures
import psutil
from PIL import Image
from timing import Pair, in_turn, peak_memory, process

from convviz.machine import parallel

PYTHON = sys.executable
CONVVIZ = [PYTHON, "-m", "convviz"]
SETTINGS = ["-O", "6", "-p", "1"]
MILLION = 1_000_000

# What the driver lists, without what it makes of it.
LISTING = f"""
from convviz.batch import Plan
from convviz.files.addresses import path_of
plan = Plan(path_of("s3://photos"), path_of("s3://maps"), None)
assert sum(1 for _ in plan.items()) == {MILLION}
"""


class Cluster(NamedTuple):
    """Processes of Dask on this machine."""

    address: str
    scheduler: int
    workers: list[int]

    def seconds(self) -> tuple[float, float]:
        """Tell how long the processors have worked for the scheduler, and for all workers."""

        def of(pid: int) -> float:
            one = psutil.Process(pid)
            every = [one, *one.children(recursive=True)]
            # Their own, and those of processes that have ended.
            return sum(sum(each.cpu_times()[:4]) for each in every)

        return of(self.scheduler), sum(map(of, self.workers))


@contextlib.contextmanager
def cluster(work: Path, workers: int) -> Iterator[Cluster]:
    """Start a scheduler and workers of one thread each."""
    place = Path(tempfile.mkdtemp(dir=work))
    told = place / "scheduler.json"
    common = ["--host", "127.0.0.1", "--no-dashboard"]
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: object) -> None:
        command = [PYTHON, "-m", "distributed.cli.dask_" + str(words[0]), *map(str, words[1:]), *common]
        with (place / "log").open("ab") as log:
            process = subprocess.Popen(command, cwd=place, stdout=log, stderr=log, start_new_session=True)
        started.append(process)

    try:
        start("scheduler", "--port", "0", "--scheduler-file", told)
        while not told.is_file():
            time.sleep(0.05)
        address = json.loads(told.read_text())["address"]
        for _ in range(workers):
            start("worker", address, "--nthreads", "1")
        while (place / "log").read_bytes().count(b"Registered to") < workers:
            time.sleep(0.05)
        scheduler, *others = (process.pid for process in started)
        yield Cluster(address, scheduler, others)
    finally:
        for process in reversed(started):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def header() -> Iterator[str]:
    """Say what was measured on."""
    yield "# How `convviz batch` grows"
    yield ""
    yield (
        f"Made by `python benchmarks/scale.py` on {time.strftime('%Y-%m-%d')}: {parallel.cores()} cores, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}. Medians of "
        "pairs taken in turn, with the least and the greatest ratio. What it means is in "
        "docs/howto/cluster.md."
    )
    yield ""


def opened(title: str, text: str, *columns: str) -> Iterator[str]:
    """Begin a part: its title, what was measured how, and the head of the table."""
    yield from (f"## {title}", "", text, "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|")


def batch(work: Path, source: object, *words: object, out: object = None, **environment: str) -> float:
    """Time one batch into a new folder."""
    target = out or Path(tempfile.mkdtemp(dir=work)) / "maps"
    return process([*CONVVIZ, "batch", source, target, *SETTINGS, *words, "--quiet"], **environment)


def rates(work: Path, count: int) -> Iterator[str]:
    """Time Dask beside the local engine with as many workers."""
    source = work / "photos"
    pictures.folder(source, count)
    yield from opened(
        "Images per second",
        f"{count} JPEG files of 1024x768, 3 channels to 6 maps, default tiles, whole commands; scheduler and "
        "workers had been started before.",
        "workers",
        "Dask",
        "local engine",
        "ratio of images/s",
    )
    for workers in (1, 2, 4):
        with cluster(work, workers) as (address, *_):
            pair = in_turn(
                lambda address=address: batch(work, source, "--engine", "dask", "--scheduler", address),
                lambda workers=workers: batch(work, source, "--workers", workers),
                pairs=3,
            )
        yield (
            f"| {workers} | {count / pair.ours:.1f} | {count / pair.theirs:.1f} "
            f"| {1 / pair.ratio:.2f} ({1 / pair.spread[1]:.2f} to {1 / pair.spread[0]:.2f}) |"
        )
    yield ""


def small(folder: Path, count: int) -> Path:
    """Write many pictures that take no time."""
    for index in range(count):
        place = folder / f"{index // 100:03}" / f"{index:05}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (index % 256, index // 256, 99)).save(place)
    return folder


def overhead(work: Path, count: int) -> Iterator[str]:
    """Time what Dask and S3 add to a file, in milliseconds."""
    few, many = small(work / "few", count // 10), small(work / "many", count)

    def slope(pair_few: Pair, pair_many: Pair) -> tuple[float, float]:
        """Tell the milliseconds more per file, and the seconds more per command."""
        files = count - count // 10
        each = (pair_many.ours - pair_many.theirs - pair_few.ours + pair_few.theirs) / files
        return 1000 * each, pair_few.ours - pair_few.theirs - each * count // 10

    yield from opened(
        "What Dask and S3 add",
        f"{count} and {count // 10} PNG files of 16x16, whole commands beside the local engine on plain "
        "paths; milliseconds more per file (wanted: < 5 for Dask), and seconds more per command.",
        "what",
        "more per file, ms",
        "more per command, s",
        "pairs, ratio of the larger",
    )
    for workers in (1, 2, 4):
        with cluster(work, workers) as (address, *_):
            words = ("--engine", "dask", "--scheduler", address)
            pairs = [
                in_turn(
                    lambda source=source, words=words: batch(work, source, *words),
                    lambda source=source, workers=workers: batch(work, source, "--workers", workers),
                    pairs=3,
                )
                for source in (few, many)
            ]
        each, once = slope(*pairs)
        yield f"| Dask, {workers} workers | {each:.2f} | {once:.1f} | {_spread(pairs[1])} |"
    own = in_turn(
        lambda: batch(work, few, "--engine", "dask", "--workers", 2),
        lambda: batch(work, few, "--workers", 2),
        pairs=3,
    )
    yield f"| a cluster of 2 started for the command | | {own.ours - own.theirs:.1f} | {_spread(own)} |"
    with bucket(count) as (environment, asked), bucket(count // 10) as (environment_few, _):
        pairs = [
            in_turn(
                lambda environment=environment: batch(
                    work, "s3://photos", "--workers", 1, "--redo", out="s3://maps", **environment
                ),
                lambda source=source: batch(work, source, "--workers", 1),
                pairs=3,
            )
            for environment, source in ((environment_few, few), (environment, many))
        ]
        each, once = slope(*pairs)
        runs = sum(asked.values()) and asked["PUT"] / count
        requests = ", ".join(
            f"{number / count / max(runs, 1):.2f} {way}" for way, number in sorted(asked.items())
        )
    yield f"| S3 to S3 on this machine, 1 worker | {each:.2f} | {once:.1f} | {_spread(pairs[1])} |"
    yield ""
    yield f"Requests to S3 per file: {requests}."
    yield ""


def _spread(pair: Pair) -> str:
    return f"{pair.ratio:.2f} ({pair.spread[0]:.2f} to {pair.spread[1]:.2f})"


def costs(work: Path, count: int) -> Iterator[str]:
    """Tell what a file costs each process, and what goes in and out: of this all else is calculated."""
    yield from opened(
        "What a file costs",
        f"Milliseconds of processors per file, from {count} files against {count // 5} of them (the "
        f"smallest: {10 * count} against {2 * count}); "
        "two workers of Dask, and bytes per file. The driver is the process of `convviz batch`.",
        "files",
        "worker",
        "driver",
        "scheduler",
        "bytes in",
        "bytes out",
    )
    with cluster(work, 2) as started:
        for size, files in (((16, 12), 10 * count), *(((512 * k, 384 * k), count) for k in (1, 2, 4))):
            many, few = work / f"costs-{size[0]}", work / f"costs-{size[0]}-few"
            pictures.folder(many, files, size)
            few.mkdir()
            names = sorted(many.iterdir())
            for name in names[::5]:
                (few / name.name).hardlink_to(name)
            spent(work, few, started)  # all modules are loaded, and the memory is had
            taken = [spent(work, source, started) for source in (many, few)]
            driver, scheduler, worker = (
                1000 * (a - b) / (files - len(names[::5]))
                for a, b in zip(*(each[:3] for each in taken), strict=True)
            )
            bytes_in = sum(name.stat().st_size for name in names) / files
            yield (
                f"| JPEG {size[0]}x{size[1]} | {worker:.1f} | {driver:.2f} | {scheduler:.2f} "
                f"| {bytes_in:,.0f} | {taken[0][3] / files:,.0f} |"
            )
    yield ""


def spent(work: Path, source: Path, started: Cluster) -> tuple[float, float, float, int]:
    """Run a batch; gives the seconds of driver, scheduler and workers, and the bytes written."""
    out = Path(tempfile.mkdtemp(dir=work)) / "maps"
    before = started.seconds()
    words = ["--engine", "dask", "--scheduler", started.address, "--quiet"]
    running = subprocess.Popen([*CONVVIZ, "batch", source, out, *SETTINGS, *words])
    _, status, used = os.wait4(running.pid, 0)
    if status:
        raise RuntimeError(f"the batch of {source} failed.")
    scheduler, workers = (after - first for after, first in zip(started.seconds(), before, strict=True))
    written = sum(path.stat().st_size for path in out.rglob("*.png"))
    return used.ru_utime + used.ru_stime, scheduler, workers, written


def memory(work: Path) -> Iterator[str]:
    """Measure the driver on a million names: it lists them, begins, and is asked to stop."""
    yield from opened(
        "Memory of the driver for a million names",
        "The most that the process of `convviz batch --engine dask` held, in MiB, from its start until "
        "it was asked to stop by SIGINT after the first hundred files; two workers. Wanted: < 300.",
        "what",
        "MiB",
        "seconds until the first file",
    )
    with cluster(work, 2) as (address, *_):
        words = ["--engine", "dask", "--scheduler", address]
        for name, folders in (("a thousand folders of a thousand names", 1000), ("one folder", 1)):
            source = links(work / f"links-{folders}", folders)
            out = work / f"out-{folders}"
            yield "| {} | {:.0f} | {:.0f} |".format(name, *stopped(source, out, words))
        old = work / "out-old"
        journal(old)
        yield "| the same, after a run of a million with other settings | {:.0f} | {:.0f} |".format(
            *stopped(work / "links-1000", old, words)
        )
        with bucket(MILLION) as (environment, _):
            out = work / "out-s3"
            yield "| S3, one prefix | {:.0f} | {:.0f} |".format(
                *stopped("s3://photos", out, words, **environment)
            )
            os.environ |= environment
            start = time.perf_counter()
            held = peak_memory([PYTHON, "-c", LISTING]) / 2**20
            seconds = time.perf_counter() - start
            yield f"| the listing of S3 alone, to its end | {held:.0f} | {seconds:.0f} in all |"


def links(folder: Path, folders: int) -> Path:
    """Make a million names of few files, for a file takes 50,000 names."""
    for index in range(MILLION):
        place = folder / f"{index % folders:04}" / f"{index:07}.png"
        if index < folders:
            place.parent.mkdir(parents=True)
        if index % 50_000 == 0:
            first = place
            Image.new("RGB", (16, 16)).save(first)
        else:
            place.hardlink_to(first)
    return folder


def journal(out: Path) -> None:
    """Write the journal of a million outputs."""
    (out / ".convviz").mkdir(parents=True)
    source = {"size": 80, "modified": 1, "changed": 1, "sha256": "0" * 64}
    shapes = {"input_shape": [3, 16, 16], "output_shape": [6, 16, 16], "remarks": []}
    with (out / ".convviz" / "journal.jsonl").open("w") as file:
        for index in range(MILLION):
            line = {"path": f"{index % 1000:04}/{index:07}.png", "settings": "0" * 16, "source": source}
            print(json.dumps(line | {"written": 80} | shapes), file=file)


def stopped(source: object, out: Path, words: list[str], **environment: str) -> tuple[float, float]:
    """Run a batch until some files are done; gives its peak memory in MiB and the seconds until the first."""
    report = out.parent / f"{out.name}.jsonl"
    command = [*CONVVIZ, "batch", source, out, *SETTINGS, *words, "--quiet", "--report", report]
    start = time.perf_counter()
    running = subprocess.Popen(
        list(map(str, command)),
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )

    def lines() -> int:
        return report.read_bytes().count(b"\n") if report.exists() else 0

    while not lines() and running.poll() is None:
        time.sleep(0.05)
    first = time.perf_counter() - start
    while lines() < 100 and running.poll() is None:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, status, used = os.wait4(running.pid, 0)
    if os.waitstatus_to_exitcode(status) != 130:
        raise RuntimeError(f"{command} failed: {running.stderr.read().decode()}")
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20, first


@contextlib.contextmanager
def bucket(count: int) -> Iterator[tuple[dict[str, str], Counter[str]]]:
    """Serve a bucket `photos` of so many names and one picture; what is put anywhere is forgotten.

    Gives the environment that leads there, and counts the requests.
    """
    asked: Counter[str] = Counter()
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        Image.new("RGB", (16, 16)).save(file.name)
        data = Path(file.name).read_bytes()

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            place = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(place.query))
            if "list-type" in query:
                asked["LIST"] += 1
                self._answer(200, _page(place.path, query, count, len(data)))
            else:
                asked["GET"] += 1
                self._answer(*((200, data) if place.path.startswith("/photos/") else (404, b"")))

        def do_HEAD(self) -> None:
            asked["HEAD"] += 1
            self._answer(200 if self.path.startswith("/photos/") else 404, data)

        def do_PUT(self) -> None:
            asked["PUT"] += 1
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    self.rfile.read(size + 2)
                while self.rfile.readline().strip():
                    pass
            else:
                self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(200, b"")

        def do_DELETE(self) -> None:
            asked["DELETE"] += 1
            self._answer(204, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("ETag", '"0123456789abcdef"')
            self.send_header("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        try:
            yield environment, asked
        finally:
            server.shutdown()


def _page(path: str, query: dict[str, str], count: int, size: int) -> bytes:
    """Answer a listing with up to a thousand names."""
    start = int(query.get("continuation-token", 0))
    most = int(query.get("max-keys", 1000))
    whole = count if path.strip("/") == "photos" and not query.get("prefix") else 0
    end = min(whole, start + most)
    names = "".join(
        f"<Contents><Key>{index:07}.png</Key><LastModified>2026-11-02T10:00:00.000Z</LastModified>"
        f"<ETag>&quot;0123456789abcdef&quot;</ETag><Size>{size}</Size></Contents>"
        for index in range(start, end)
    )
    more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < whole else ""
    return (
        '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<IsTruncated>{'true' if more else 'false'}</IsTruncated><KeyCount>{end - start}</KeyCount>"
        f"{more}{names}</ListBucketResult>"
    ).encode()


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, help="also write it here")
    parser.add_argument("--quick", action="store_true", help="fewer files")
    arguments = parser.parse_args()
    # In the background of a script SIGINT is ignored, and so it would be in the processes started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        parts = [
            header(),
            rates(work, 40 if arguments.quick else 200),
            overhead(work, 300 if arguments.quick else 1000),
            costs(work, 50 if arguments.quick else 200),
            memory(work),
        ]
        for part in parts:
            for line in part:
                print(line, flush=True)
                lines.append(line)
    if arguments.output:
        arguments.output.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
