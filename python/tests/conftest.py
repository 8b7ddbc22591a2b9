"""What the tests share: the program to compare with, the photos, and open models. PYTHONPATH has the package."""
import json
import os
import subprocess
import sys

import pytest

import gmner

PROGRAM = os.environ["GMNER"]
HOME = os.environ["GMNER_HOME"]
sys.path.insert(0, os.path.join(HOME, "tests", "e2e"))


def photo(name):
    path = os.path.join(HOME, ".deps", "photos", name)
    if not os.path.exists(path):
        pytest.skip(f"{path} is not there; tools/setup.sh brings it")
    return path


def predict(tmp_path, posts, *words):
    """The lines that the program writes for these records."""
    path = tmp_path / "posts.jsonl"
    path.write_text("".join(json.dumps(p, ensure_ascii=False) + "\n" for p in posts), encoding="utf-8")
    done = subprocess.run([PROGRAM, "predict", str(path), "--threads", "1", *words], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode in (0, 3), done.stderr.decode()
    return done.stdout.decode("utf-8").split("\n")[:-1]


@pytest.fixture(scope="session")
def nlp():
    with gmner.load("embedded", threads=1) as model:
        yield model


@pytest.fixture(scope="session")
def tagger():
    with gmner.load("tag", threads=1) as model:
        yield model
