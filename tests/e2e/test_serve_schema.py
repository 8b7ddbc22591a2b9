"""schemathesis against gmner serve: requests made from the OpenAPI document, those that fit it and those that break it,
must get the answers that it tells of. It is installed once, pinned, into .deps/schemathesis; skipped where that can't
be had. GM_EXAMPLES: how many requests an operation gets in the part that is chosen by chance. GM_SEED: a number that this part
follows from, else always the same one, so that a change fails for what it changes; "any" draws one, which a failure
tells, so that it can be had again."""
import fcntl
import json
import os
import random
import subprocess
import sys

import gm
from served import Server
from small_files import png

HERE = os.path.join(gm.HOME, "tests", "e2e")
PINS = os.path.join(HERE, "requirements-schemathesis.txt")
VENV = os.path.join(gm.HOME, ".deps", "schemathesis")
EXAMPLES = os.environ.get("GM_EXAMPLES", "25")
SEED = os.environ.get("GM_SEED", "1")
if SEED == "any":
    SEED = str(random.SystemRandom().randrange(1 << 32))


def say(*words, **more):  # for as long as ctest lets it: the requests are many, and a busy machine is slow
    return subprocess.run(words, capture_output=True, text=True, check=False, **more)


def schemathesis():
    """The words that start it; the first call installs it, one process at a time."""
    os.makedirs(os.path.dirname(VENV), exist_ok=True)
    stamp = os.path.join(VENV, "stamp")
    with open(PINS, encoding="utf-8") as f:
        pins = f.read()
    with open(VENV + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(stamp) or open(stamp, encoding="utf-8").read() != pins:
            if say(sys.executable, "-m", "venv", VENV).returncode:
                raise gm.Skip("no virtual environment can be made for schemathesis (Debian: python3-venv)")
            made = say(os.path.join(VENV, "bin", "python"), "-m", "pip", "install", "-q", "--no-deps", "-r", PINS)
            if made.returncode:
                raise gm.Skip("schemathesis can't be installed: " + made.stderr.strip().splitlines()[-1][:200])
            with open(stamp, "w", encoding="utf-8") as f:
                f.write(pins)
    return os.path.join(VENV, "bin", "python"), "-m", "schemathesis.cli"  # also of a folder that was moved


def passes(server, *words):
    with gm.Folder() as d:  # where it leaves its reports
        p = say(*schemathesis(), "--config-file", os.path.join(HERE, "schemathesis.toml"), "run",
                server.url + "openapi.json", "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", EXAMPLES,
                "--seed", SEED, "--generation-database", ":memory:", "--suppress-health-check", "all",
                "--request-timeout", str(gm.TIMEOUT_S), "--no-color", *words, cwd=d.path,
                env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": d / "hypothesis"})
    assert p.returncode == 0 and " passed" in p.stdout, (
        f"again with GM_SEED={SEED} GM_EXAMPLES={EXAMPLES}\n{p.stdout[-6000:]}{p.stderr[-2000:]}")


def test_text():
    with Server("--recipe", "tag") as s:
        passes(s)


def test_browse():
    """What browses and corrects files, and keeps records: with posts that have a picture, a broken one, none."""
    entity = {"text": "Ann", "type": "PER", "start": 0, "end": 3, "score": 0.5}
    with gm.Folder() as d:
        posts = [{"id": f"p{i}", "text": f"Ann in post {i}", "entities": [entity], **more} for i, more in enumerate(
            ({"image": d.write("grey.png", png(90))}, {"image": d.write("none.jpg", "no picture")}, {}))]
        lines = "".join(json.dumps(p) + "\n" for p in posts)
        words = ("--browse", d.write("posts.jsonl", lines), "--beside", d.write("other.jsonl", lines),
                 "--gold", d.write("gold.jsonl", lines), "--data", d / "data")
        with Server("--recipe", "tag", *words) as s:
            passes(s)


def test_token():
    with gm.Folder() as d:
        token = d.write("token", "abc-of-the-test")
        os.chmod(token, 0o600)
        with Server("--recipe", "tag", "--token-file", token) as s:
            passes(s, "-H", "Authorization: Bearer abc-of-the-test")


if __name__ == "__main__":
    gm.main(globals())
