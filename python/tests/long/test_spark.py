"""examples/spark/predict.py on a real local Spark: every post once, and byte for byte the program's; pictures are
found beside the posts, wherever the workers are."""
import glob
import os
import shutil
import subprocess
import sys

import pytest
from conftest import HOME
from conftest import predict as program
from near import near_lines

pytest.importorskip("pyspark", reason="pyspark is not installed")


def test_example(tmp_path):
    posts = [{"id": f"p{i}", "text": f"Obama met {i} people in Rome"} for i in range(200)]
    photo = {"id": "photo", "text": "Grace Hopper at the Navy Yard", "image": str(tmp_path / "photos" / "grace.jpg")}
    os.mkdir(tmp_path / "photos")
    shutil.copy(os.path.join(HOME, ".deps", "photos", "grace_hopper.jpg"), photo["image"])
    expected = program(tmp_path, [*posts, photo], "--recipe", "embedded")
    assert '"box"' in expected[-1] and '"error"' not in expected[-1], expected[-1]
    path = tmp_path / "posts.jsonl"
    path.write_text(path.read_text().replace(photo["image"], "photos/grace.jpg"))
    os.mkdir(tmp_path / "elsewhere")
    java = subprocess.run(["java", "-version"], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if java.returncode != 0:
        pytest.skip("there is no java, which Spark runs on")
    env = {**os.environ, "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false --conf "
           "spark.driver.bindAddress=127.0.0.1 pyspark-shell", "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    subprocess.run([sys.executable, os.path.join(HOME, "examples", "spark", "predict.py"), str(path),
                    str(tmp_path / "out"), "--recipe", "embedded"], check=True, timeout=900, env=env,
                   cwd=tmp_path / "elsewhere")
    found = []
    for path in sorted(glob.glob(str(tmp_path / "out" / "part-*"))):
        with open(path, encoding="utf-8") as f:
            found += f.read().split("\n")[:-1]
    assert near_lines(sorted(found), sorted(expected))
