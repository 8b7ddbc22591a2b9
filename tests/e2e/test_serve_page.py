"""The page of gmner serve as people use it: page_*.mjs drive a headless Chromium by Playwright (skipped where
`tools/setup.sh tests` has not fetched them)."""
import json
import os
import shutil
import subprocess

import gm
from served import Server, problem


def steps(scenario, url, folder):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    packages = os.path.join(gm.HOME, ".deps", "page")
    if not browser or not shutil.which("node") or not os.path.exists(os.path.join(packages, "axe.min.js")):
        raise gm.Skip("no browser, node or playwright-core; `tools/setup.sh tests` gets them")
    script = os.path.join(gm.HOME, "tests", "e2e", "page_steps.mjs")
    p = subprocess.run(["node", script, scenario, url, folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=gm.TIMEOUT_S, check=False,
                       env={**os.environ, "GMNER_HOME": gm.HOME, "GM_BROWSER": browser, "HOME": folder})
    assert p.returncode == 0 and p.stdout.decode().endswith("done\n"), p.stdout.decode()[-6000:]


def test_try():
    with gm.Folder() as d, Server("--recipe", "embedded,tag", "--data", d / "data") as s:
        steps("try_post", s.url, d.path)
        keep_pictures(d)


def keep_pictures(d):
    """With GM_PICTURES=DIR the screenshots stay, to be looked at."""
    if os.environ.get("GM_PICTURES"):
        for name in d.names():
            if name.endswith(".png"):
                shutil.copy(d / name, os.environ["GM_PICTURES"])


def test_keys():
    with gm.Folder() as d, Server("--recipe", "embedded,tag") as s:
        steps("try_keys", s.url, d.path)


def test_records():
    """What may be kept, and what may be asked for."""
    record = {"text": "Ann in Oslo", "entities": [{"text": "Ann", "type": "PER", "start": 0, "end": 3}]}
    with gm.Folder() as d:
        with Server("--recipe", "tag", "--data", d / "data") as s:
            assert s.get("/v1/page").json["records"] is True
            kept = s.post({"record": record, "recipe": "tag"}, "/v1/records").json
            assert s.post({"record": record, "recipe": "tag"}, "/v1/records").json == kept, "kept twice"
            assert kept["path"] == "/r/" + kept["id"] and len(kept["id"]) == 32
            assert s.get("/v1/record?id=" + kept["id"]).json == {"record": record, "recipe": "tag"}
            assert s.get(kept["path"]).body == s.get("/").body
            for bad in ({"record": {"text": 1}}, {"record": {**record, "image": "/etc/passwd"}}, {"record": []},
                        {"record": record, "image": "/etc/passwd"}, {"record": record, "more": 1}, {}):
                problem(s.post(bad, "/v1/records"), 400, "bad-request")
            for bad in ("../" + kept["id"], kept["id"][:-1], kept["id"][:-1] + "g", "0" * 32, ""):
                problem(s.get("/v1/record?id=" + bad), 404, "not-found")
            problem(s.post(record, "/v1/records", {"Content-Type": "text/plain"}), 415, "media-type")
            problem(s.post(record, "/v1/records", {"Origin": "http://example.org"}), 403, "forbidden-origin")
        with open(os.path.join(d / "data", "records", kept["id"] + ".json"), encoding="utf-8") as f:
            assert json.load(f)["record"] == record
        with Server("--recipe", "tag") as s:
            assert s.get("/v1/page").json["records"] is False
            problem(s.post({"record": record}, "/v1/records"), 404, "not-found", "--data")
            problem(s.get("/v1/record?id=" + kept["id"]), 404, "not-found", "--data")


def test_card():
    """The card is that of `gmner view`, and nothing that a record names is opened for it."""
    name = "<b>Ann</b>"
    record = {"text": name + " & Oslo", "image": "/etc/passwd", "entities": [
        {"text": name, "type": "PER", "start": 0, "end": len(name), "regions": [{"box": [1, 2, 30, 40]}]}]}
    with Server("--recipe", "tag") as s:
        card = s.post(record, "/v1/card?w=100&h=50")
        assert card.headers["content-type"].startswith("text/html") and b"<b>" not in card.body
        assert b"passwd" not in card.body and b'viewBox="0 0 100 50"' in card.body
        assert b"<figure>" not in s.post(record, "/v1/card").body
        problem(s.post(record, "/v1/card?w=x"), 400, "bad-request", "whole numbers")
        problem(s.post(record, "/v1/card?q=1"), 400, "bad-request", "no parameter q")
        problem(s.post({"text": 4}, "/v1/card"), 400, "bad-request", "\"text\"")
        problem(s.post([], "/v1/card"), 400, "bad-request", "object")


if __name__ == "__main__":
    gm.main(globals())
