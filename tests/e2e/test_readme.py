"""The commands of README.md, run one after the other as they stand: in a folder that has what a checkout
has, and a build folder of its own."""
import os
import re
import shlex
import subprocess

import gm


def commands(*languages):
    """The lines that start with build/gmner within the README's code blocks of these languages."""
    with open(os.path.join(gm.HOME, "README.md"), encoding="utf-8") as f:
        blocks = [block.splitlines() for block in f.read().split("```")[1::2]]
    lines = [line.removeprefix("$ ").strip() for block in blocks if block[0] in languages for line in block]
    return [line for line in lines if line.startswith("build/gmner ")]


def prepare(folder):
    """What is in the checkout, but for build/."""
    for name in os.listdir(gm.HOME):
        if name not in ("build", ".git"):
            os.symlink(os.path.join(gm.HOME, name), folder / name)
    os.mkdir(folder / "build")
    os.symlink(gm.PROGRAM, folder / "build/gmner")


def test_commands_run_as_written():
    lines = commands("sh", "console")
    assert len(lines) >= 12, lines
    with gm.Folder() as folder:
        prepare(folder)
        before = folder.names()
        for line in lines:
            p = subprocess.run(shlex.split(line, comments=True), cwd=folder.path, capture_output=True,
                               text=True, timeout=gm.TIMEOUT_S, check=False,
                               env={**os.environ, "OMP_WAIT_POLICY": "passive"})
            assert p.returncode == 0 and "error: " not in p.stderr, (line, p.returncode, p.stderr)
            print(line)
        for made in ("out.jsonl", "out.html", "dev-out.jsonl", "tagged.jsonl", "mine.jsonl",
                     "my-tagger/model.safetensors", "my-entail/gmner.json"):
            assert os.path.getsize(folder / f"build/{made}") > 0, made
        assert len(os.listdir(folder / "build/pictures")) == 4
        assert folder.names() == before, "they write into build/ alone"


def test_commands_for_a_language_model_are_understood():
    """Those need a server: without one they are read, and end for want of it."""
    line = next(line for line in commands("") if "--endpoint" in line)
    with gm.Folder() as folder:
        prepare(folder)
        r = subprocess.run(shlex.split(line) + ["--dry-run"], cwd=folder.path, capture_output=True, text=True,
                           timeout=gm.TIMEOUT_S, check=False)
        assert r.returncode == 0 and "requests" in r.stdout, (line, r.stderr)


def test_files_that_it_names_are_there():
    with open(os.path.join(gm.HOME, "README.md"), encoding="utf-8") as f:
        links = re.findall(r"\]\(([^)#:]+)\)", f.read())
    assert len(links) > 10, links
    for link in links:
        assert os.path.exists(os.path.join(gm.HOME, link)), link


gm.main(globals())
