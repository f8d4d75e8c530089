"""What docs/howto/cluster.md and the files in docs/cluster say: every command of theirs, as a process."""

import contextlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from schedulers import address_in

yaml = pytest.importorskip("yaml")
pytest.importorskip("distributed")

ROOT = Path(__file__).parent.parent.parent
COMPOSE = ROOT / "docs" / "cluster" / "compose.yaml"
SCALE = ROOT / "docs" / "howto" / "cluster.md"


def composed():
    """The commands of the services, with the folders that they are given."""
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    return {name: service["command"] for name, service in services.items()}


def plain():
    """The commands of the document for machines without containers."""
    text = SCALE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```text\n(dask scheduler.*?)```", text, re.DOTALL)
    lines = [line for line in block.replace("\\\n", " ").splitlines() if line]
    assert [line.split()[:2] for line in lines] == [
        ["dask", "scheduler"],
        ["dask", "worker"],
        ["convviz", "batch"],
    ]
    return dict(zip(("scheduler", "worker", "batch"), lines, strict=True))


@pytest.fixture
def photos(tmp_path):
    """The small ones of the samples, at two depths."""
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    names = [
        "checkerboard.png",
        "digit.png",
        "pixel.png",
        "deep/ramp-16bit.png",
        "deep/text.png",
        "deep/cmyk.jpg",
    ]
    for name in names:
        shutil.copy(ROOT / "samples" / Path(name).name, tmp_path / "photos" / name)
    return tmp_path / "photos"


@pytest.mark.parametrize("commands", [composed, plain])
def test_the_commands_do_what_the_local_engine_does(convviz, commands, photos, tmp_path):
    """Hosts, ports and folders are those of this machine; all else is as it is written."""
    file = tmp_path / "scheduler.json"
    places = {
        "--port 8786": f"--port 0 --host 127.0.0.1 --scheduler-file {file}",
        "--dashboard-address :8787": "--dashboard-address 127.0.0.1:0",
        "--nworkers -1": "--nworkers 1",
        "s3://photos": str(photos),
        "/pictures": str(photos),
        "s3://maps": str(tmp_path / "maps"),
        " /maps": f" {tmp_path / 'maps'}",
    }

    def words(command):
        for written, here in places.items():
            command = command.replace(written, here)
        program, *others = shlex.split(command)
        return [Path(sys.executable).with_name(program), *others]

    told = commands()
    with contextlib.ExitStack() as stack, (tmp_path / "log").open("wb") as log:
        for name in ("scheduler", "worker"):
            if name == "worker":
                address = address_in(file)
                places |= {"tcp://scheduler:8786": address, "tcp://SCHEDULER:8786": address}
            process = subprocess.Popen(words(told[name]), cwd=tmp_path, stdout=log, stderr=log)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        done = subprocess.run(
            words(told["batch"]), cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode in (0, 6), done.stderr
    _, *local = [word for word in words(told["batch"]) if not str(word).startswith("tcp://")]
    local = [word for word in local if word not in ("--engine", "dask", "--scheduler")]
    local = [str(word).replace("maps", "local").replace("report.jsonl", "local.jsonl") for word in local]
    assert convviz(*local).returncode == done.returncode
    trees = [
        {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*.png")}
        for tree in (tmp_path / "maps", tmp_path / "local")
    ]
    assert len(trees[0]) >= 5
    assert [name for name, data in trees[0].items() if trees[1].get(name) != data] == []
    assert trees[0].keys() == trees[1].keys()


def test_the_containers_have_what_the_commands_need():
    """Compose builds one image for all of them, with both extras, from the root of the repository."""
    document = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    for service in document["services"].values():
        assert (COMPOSE.parent / service["build"]["context"]).resolve() == ROOT
        assert (ROOT / service["build"]["dockerfile"]).read_text(encoding="utf-8").count("/src[dask,s3]") == 1
        assert {volume.rpartition(":/")[2] for volume in service["volumes"]} == {"pictures:ro", "maps"}
    # Beyond this machine nobody is let near the scheduler.
    assert all(port.startswith("127.0.0.1:") for port in document["services"]["scheduler"]["ports"])
