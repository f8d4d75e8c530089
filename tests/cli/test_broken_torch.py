"""A torch that is installed, but cannot be imported."""

import os

import pytest
import torch


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise OSError('libtorch_cpu.so: cannot open shared object file')", "libtorch_cpu.so: cannot open"),
        ("import no_such_part_of_torch", "No module named 'no_such_part_of_torch'"),
        ("raise RuntimeError('numpy is of another version\\nTraceback: …')", "numpy is of another version)"),
    ],
    ids=["library", "import", "version"],
)
def test_a_torch_that_cannot_be_imported_is_one_line_and_status_five(process, tmp_path, fault, reason):
    (tmp_path / "planted" / "torch").mkdir(parents=True)
    (tmp_path / "planted" / "torch" / "__init__.py").write_text(fault)
    torch.save({"c.weight": torch.ones(1, 1, 1, 1)}, tmp_path / "x.pt")
    (tmp_path / "x.csv").write_text("1,2\n3,4\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "planted")}
    for command in (["layers", "x.pt"], ["run", "x.csv", "-k", "1", "--backend", "torch"]):
        done = process(*command, env=environment)
        assert done.returncode == 5, done.stderr
        assert done.stderr.count("\n") == 1
        assert f"needs torch, which is installed but cannot be imported ({reason}" in done.stderr
