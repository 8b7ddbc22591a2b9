"""The Python code of docs/python.md and of README.md runs as it stands."""
import os
import re
import shutil

import pytest
from conftest import HOME, photo


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_snippets(page, tmp_path, monkeypatch, capsys):
    (tmp_path / ".deps" / "photos").mkdir(parents=True)  # of a checkout, where README.md's commands run
    for name in (".deps/photos/grace_hopper.jpg", "grace.jpg"):
        shutil.copy(photo("grace_hopper.jpg"), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with open(os.path.join(HOME, page), encoding="utf-8") as f:
        blocks = re.findall(r"^```python\n(.*?)^```", f.read(), flags=re.S | re.M)
    assert blocks
    names = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    assert "Grace Hopper" in capsys.readouterr().out
