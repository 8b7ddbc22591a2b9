"""gmner.ray on a real local cluster of two nodes: every post once, in order and the program's but for the
last digit of its numbers, also when a worker is killed on the way."""
import glob
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import predict as program
from near import near_lines

import gmner.ray

ray = pytest.importorskip("ray", reason="ray is not installed")
from ray.cluster_utils import Cluster  # noqa: E402

N = 600


@pytest.fixture(scope="module")
def cluster():
    # One core a node, so that the two actors are on both.
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20})
    cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def posts():
    names = ["Obama", "Merkel", "Ann Lee", "Grace Hopper"]
    places = ["Rome", "Oslo", "New York", "Berlin"]
    return [{"id": f"p{i}", "text": f"{names[i % 4]} met {i} people in {places[i // 4 % 4]}"} for i in range(N)]


def lines_of(folder):
    out = []
    for path in sorted(glob.glob(os.path.join(folder, "*"))):
        assert os.path.basename(path).startswith("part-"), path
        with open(path, encoding="utf-8") as f:
            out += f.read().split("\n")[:-1]
    return out


def test_a_worker_is_killed(cluster, posts, tmp_path, monkeypatch):
    expected = program(tmp_path, posts, "--recipe", "tag")
    pids, calls = tmp_path / "pids", tmp_path / "calls"
    pids.mkdir()
    calls.mkdir()
    Base = gmner.ray.Predictor

    class Told(Base):  # a predictor that says which process it is in, and which is not too fast to be killed
        def __init__(self, **options):
            super().__init__(**options)
            (pids / str(os.getpid())).touch()

        def __call__(self, batch):
            (calls / f"{os.getpid()}-{time.monotonic_ns()}").touch()
            time.sleep(0.3)
            return super().__call__(batch)

    monkeypatch.setattr(gmner.ray, "Predictor", Told)
    killed = []

    def kill():
        while len(os.listdir(calls)) < 5:
            time.sleep(0.05)
        pid = int(max(os.listdir(calls), key=lambda name: int(name.split("-")[1])).split("-")[0])  # which is in a call
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    out = tmp_path / "out"
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    n = gmner.ray.predict(str(tmp_path / "posts.jsonl"), str(out), "tag", blocks=20, batch_size=10)
    killer.join(10)
    assert len(killed) == 1 and len(os.listdir(pids)) == 3, (killed, os.listdir(pids))  # two, and one in its place
    assert n == N and near_lines(lines_of(out), expected)


def test_command_and_parquet(cluster, posts, tmp_path):
    import pandas
    expected = program(tmp_path, posts, "--recipe", "tag")
    pandas.DataFrame(posts).to_parquet(tmp_path / "posts.parquet")
    subprocess.run([sys.executable, "-m", "gmner.ray", tmp_path / "posts.parquet", tmp_path / "out", "--recipe", "tag",
                    "--address", cluster.address], check=True, timeout=600)
    frame = pandas.read_parquet(tmp_path / "out")
    assert near_lines(frame["record"], expected)
    assert frame["text"].tolist() == [p["text"] for p in posts]


def test_lines_that_are_none_come_out(cluster, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"id": "1", "text": "Rome"}\n{\n[1]\n{"id": "4", "text": "Oslo", "image": "no.jpg"}\n')
    assert gmner.ray.predict(str(tmp_path / "in.jsonl"), str(tmp_path / "out"), "tag", concurrency=1, blocks=1) == 4
    records = [json.loads(line) for line in lines_of(tmp_path / "out")]
    assert ["error" in r for r in records] == [False, True, True, False]
    assert records[3]["image"] == str(tmp_path / "no.jpg")
    with pytest.raises(FileExistsError):
        gmner.ray.predict(str(tmp_path / "in.jsonl"), str(tmp_path / "out"), "tag")
