"""The commands of README.md, run one after the other as they stand, in a folder with the files that
they name."""
import json
import os
import re
import shlex
import subprocess

import gm

POSTS = [("1", [("Grace", "B-PER"), ("Hopper", "I-PER"), ("in", "O"), ("Berlin", "B-LOC"), ("!", "O")]),
         ("2", [("Nothing", "O"), ("here", "O")]),
         ("3", [("Paris", "B-LOC"), ("in", "O"), ("May", "O")])]
BOXES = """<annotation><object><name>Grace Hopper</name><bndbox><xmin>5</xmin><ymin>7</ymin>
<xmax>512</xmax><ymax>600</ymax></bndbox></object></annotation>"""


def commands():
    """The lines that start with build/gmner within the README's code blocks."""
    with open(os.path.join(gm.HOME, "README.md"), encoding="utf-8") as f:
        blocks = re.findall(r"```(?:sh|console)\n(.*?)```", f.read(), re.S)
    lines = [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("build/gmner ")]


def prepare(folder):
    photo = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
    for name in ("photos", "xml", "build", ".deps"):
        os.mkdir(folder / name)
    os.symlink(gm.PROGRAM, folder / "build/gmner")
    os.symlink(os.path.dirname(photo), folder / ".deps/photos")
    for post, _ in POSTS:
        os.symlink(photo, folder / f"photos/{post}.jpg")
    with open(folder / "xml/1.xml", "w", encoding="utf-8") as f:
        f.write(BOXES)
    for name in ("train.txt", "dev.txt"):
        with open(folder / name, "w", encoding="utf-8") as f:
            for post, words in POSTS:
                f.write(f"IMGID:{post}\n" + "".join(f"{w}\t{t}\n" for w, t in words) + "\n")
    with open(folder / "posts.jsonl", "w", encoding="utf-8") as f:
        f.write(json.dumps({"id": "a", "text": "Grace Hopper at Yale", "image": photo}) + "\n")
        f.write(json.dumps({"id": "b", "tokens": ["Rome", "!"]}) + "\n")


def test_commands_run_as_written():
    lines = commands()
    assert len(lines) >= 12, lines
    with gm.Folder() as folder:
        prepare(folder)
        for line in lines:
            p = subprocess.run(shlex.split(line, comments=True), cwd=folder.path, capture_output=True,
                               text=True, timeout=gm.TIMEOUT_S, check=False,
                               env={**os.environ, "OMP_WAIT_POLICY": "passive"})
            assert p.returncode == 0, (line, p.returncode, p.stderr)
            print(line)
        for made in ("out.jsonl", "out.html", "dev-out.jsonl", "tagged.jsonl", "mine.jsonl",
                     "my-tagger/model.safetensors", "my-entail/gmner.json"):
            assert os.path.getsize(folder / made) > 0, made
        assert len(os.listdir(folder / "pictures")) == 1


def test_files_that_it_names_are_there():
    with open(os.path.join(gm.HOME, "README.md"), encoding="utf-8") as f:
        links = re.findall(r"\]\(([^)#:]+)\)", f.read())
    assert len(links) > 10, links
    for link in links:
        assert os.path.exists(os.path.join(gm.HOME, link)), link


gm.main(globals())
