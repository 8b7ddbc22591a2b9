"""The page of gmner serve as people use it: page_*.mjs drive a headless Chromium by Playwright (skipped where
`tools/setup.sh tests` has not fetched them)."""
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile
import threading
import time

import gm
import llm_server
import rle
from served import Server, problem
from small_files import png


def steps(scenario, url, folder, **env):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    packages = os.path.join(gm.HOME, ".deps", "page")
    if not browser or not shutil.which("node") or not os.path.exists(os.path.join(packages, "axe.min.js")):
        raise gm.Skip("no browser, node or playwright-core; `tools/setup.sh tests` gets them")
    script = os.path.join(gm.HOME, "tests", "e2e", "page_steps.mjs")
    p = subprocess.run(["node", script, scenario, url, folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=gm.TIMEOUT_S, check=False,
                       env={**os.environ, "GMNER_HOME": gm.HOME, "GM_BROWSER": browser, "HOME": folder, **env})
    assert p.returncode == 0 and p.stdout.decode().endswith("done\n"), p.stdout.decode()[-6000:]
    print(p.stdout.decode(), end="")


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


def test_asked():
    """What language models were asked about a post, also of an answer from the cache and of a kept record."""
    with gm.Folder() as d, llm_server.Own(lambda *_: "Named entities: none.") as model:
        recipe = d.write("i.yaml", "name: i\nstages:\n  - stage: tag\n  - stage: inform\n")
        with Server("--recipe", recipe, "--endpoint", model.url, "--data", d / "data", env={"GMNER_CACHE": d / "c.sqlite"}) as s:
            steps("try_asked", s.url, d.path)


def test_token():
    with gm.Folder() as d:
        token = d.write("token", "token-of-the-test")
        os.chmod(token, 0o600)
        with Server("--recipe", "tag", "--token-file", token) as s:
            steps("try_token", s.url, d.path)


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
            problem(s.post({"record": {"text": 1}}, "/v1/records"), 422, "post")
            for bad in ({"record": {**record, "image": "/etc/passwd"}}, {"record": []}, {"record": record, "recipe": 1},
                        {"record": record, "timings": {}}, {"record": record, "image": "/etc/passwd"},
                        {"record": record, "more": 1}, {}):
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
    """The card is that of `gmner view`, and names no picture."""
    name = "<b>Ann</b>"
    record = {"text": name + " & Oslo", "entities": [
        {"text": name, "type": "PER", "start": 0, "end": len(name), "regions": [{"box": [1, 2, 30, 40]}]}]}
    with Server("--recipe", "tag") as s:
        card = s.post(record, "/v1/card?w=100&h=50")
        assert card.headers["content-type"].startswith("text/html") and b"<b>" not in card.body
        assert b'viewBox="0 0 100 50"' in card.body
        assert b"<figure>" not in s.post(record, "/v1/card").body
        problem(s.post(record, "/v1/card?w=x"), 400, "bad-request", "whole numbers")
        problem(s.post(record, "/v1/card?q=1"), 400, "bad-request", "no parameter \"q\"")
        problem(s.post({**record, "image": "/etc/passwd"}, "/v1/card"), 400, "bad-request", "without the picture")
        problem(s.post({"text": 4}, "/v1/card"), 422, "post", "\"text\"")
        problem(s.post([], "/v1/card"), 400, "bad-request", "object")


def browsed(d, n=3000):
    """A file of posts as gmner predict writes them, the first with a picture and a mask; gold beside it."""
    with open(os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg"), "rb") as f:
        d.write("grace.jpg", f.read())
    one = json.dumps({"id": "grace", "text": "Grace Hopper at the Navy Yard in Boston", "image": "grace.jpg"})
    d.write("one.jsonl", one + "\n")
    gm.expect_ok(gm.run("predict", d / "one.jsonl", "-o", d / "first.jsonl"))
    with open(d / "first.jsonl", encoding="utf-8") as f:
        posts = [json.loads(f.readline())]
    posts += [post_of(i) for i in range(1, n)]
    d.write("posts.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
    gold = [posts[0]] + [post_of(i, "ORG" if i == 9 else None) for i in range(1, n)]
    d.write("gold.jsonl", "".join(json.dumps(p) + "\n" for p in gold))
    return posts


def post_of(i, kind=None):
    kind = kind or ("PER", "ORG", "LOC")[i % 3]
    entity = {"text": "Ann\U0001f600", "type": kind, "start": 0, "end": 4, "score": 0.5 if i == 7 else 0.9 + i % 10 / 100,
              "source": "tag" if i % 2 else "refine"}
    return {"id": f"p{i}", "text": f"Ann\U0001f600 in post {i}", "entities": [entity]}


FONTS = "/usr/share/fonts/truetype/dejavu"  # Debian's fonts-dejavu-core, which the program itself needs


def test_look():
    """Screenshots against tests/golden/page, whose font is the only one. GM_GOLDENS=1 makes them anew."""
    if not os.path.exists(os.path.join(FONTS, "DejaVuSans.ttf")):
        raise gm.Skip("no fonts-dejavu-core")
    entities = [{"text": "Ann Lee", "type": "PER", "start": 0, "end": 7, "score": 0.97, "visible": 0.9, "source": "tag",
                 "regions": [{"box": [20, 12, 64, 60], "score": 0.9, "label": "person",
                              "mask": {"size": [64, 96], "counts": rle.compress([20 * 64 + 12] + [48, 16] * 43 + [48, 32 * 64 + 4])}}]},
                {"text": "Oslo", "type": "LOC", "start": 17, "end": 21, "score": 0.71, "visible": 0.1, "source": "tag"}]
    posts = [{"id": "one", "text": "Ann Lee sings in Oslo tonight", "image": "grey.png", "entities": entities},
             {"id": "two", "text": "Nothing to be seen here", "entities": []}]
    with gm.Folder() as d:
        d.write("grey.png", png(150))
        d.write("posts.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
        fonts = d.write("fonts.conf", '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
                        f"<dir>{FONTS}</dir><cachedir>{d / 'fonts'}</cachedir></fontconfig>")
        with Server("--recipe", "tag", "--browse", d / "posts.jsonl") as s:
            steps("look_pages", s.url, d.path, FONTCONFIG_FILE=fonts)
            keep_pictures(d)


SIDE = 6000


def big_tiff():
    """A grey picture without compression, most of whose file is a hole."""
    tags = [(256, 4, SIDE), (257, 4, SIDE), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 4096), (277, 3, 1), (278, 4, SIDE),
            (279, 4, SIDE * SIDE)]
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(
        struct.pack("<HHI", tag, kind, 1) + struct.pack("<HH" if kind == 3 else "<I", *((v, 0) if kind == 3 else (v,)))
        for tag, kind, v in tags) + bytes(4)


def test_slow_pictures():
    """While large pictures are decoded for some, others are answered."""
    n = 6
    with gm.Folder() as d:
        with open(d.write("big.tif", big_tiff()), "r+b") as f:
            f.truncate(4096 + SIDE * SIDE)
        d.write("posts.jsonl", json.dumps({"id": "1", "text": "x", "image": "big.tif"}) + "\n")
        with Server("--recipe", "tag", "--browse", d / "posts.jsonl") as s:
            assert s.post({"text": "Ann Lee"}).status == 200  # the models are there
            done, lasted = [], []

            def look():
                a = s.get("/v1/browse/picture?post=0")
                assert a.status == 200 and a.headers["content-type"] == "image/jpeg", a.body[:300]
                done.append(len(a.body))

            threads = [threading.Thread(target=look) for _ in range(n)]
            for t in threads:
                t.start()
            time.sleep(0.1)
            while len(done) < n:
                start, before = time.monotonic(), len(done)
                assert s.get("/healthz").status == 200 and s.get("/v1/browse/rows").json["total"] == 1
                assert s.post({"text": "Ann Lee in Oslo"}).status == 200
                lasted.append((time.monotonic() - start, before, len(done)))
            for t in threads:
                t.join()
            print(f"3 requests beside {n} pictures: {sorted(x for x, _, _ in lasted)[len(lasted) // 2] * 1e3:.0f} ms, at most "
                  f"{max(x for x, _, _ in lasted) * 1e3:.0f} ms, {len(lasted)} times")
            assert lasted[0][2] < n - 1, f"the others waited for {lasted[0][2]} of {n} pictures"


def killed(*words):
    """A server that is killed at the end, as by a power cut."""
    s = Server(*words).__enter__()

    class Killed:
        def __enter__(self):
            return s

        def __exit__(self, *_):
            s.process.kill()
            s.process.wait()
            s.log.close()

    return Killed()


def test_browse():
    with gm.Folder() as d:
        browsed(d)
        words = ("--recipe", "tag", "--browse", d / "posts.jsonl", "--gold", d / "gold.jsonl")
        with killed(*words, "--beside", d / "first.jsonl") as s:
            steps("browse_correct", s.url, d.path)
        with Server(*words) as s:
            steps("browse_again", s.url, d.path)
            steps("browse_conflict", s.url, d.path)
            steps("browse_hurried", s.url, d.path)
            steps("browse_unkept", s.url, d.path)
            steps("browse_far", s.url, d.path)
            keep_pictures(d)


def test_beside():
    """A second file: what differs from it, by the page and against the posts themselves; its entities taken over."""
    with gm.Folder() as d:
        others = browsed(d, 20)
        others[3] = post_of(3, "ORG")
        start = others[5]["text"].index("post")
        others[5]["entities"].append({"text": "post", "type": "OTHER", "start": start, "end": start + 4})
        d.write("other.jsonl", "".join(json.dumps(p) + "\n" for p in others[:10]))
        with Server("--recipe", "tag", "--browse", d / "posts.jsonl", "--beside", d / "other.jsonl") as s:
            every = [p["id"] for p in others]
            for word, wanted in (("any", ["p3", "p5"]), ("type", ["p3"]), ("span", ["p5"]), ("box", []),
                                 ("right", [i for i in every[:10] if i not in ("p3", "p5")]), ("", every)):
                assert [r["id"] for r in rows(s, differs=word)["rows"]] == wanted, word
            assert rows(s, differs="type")["rows"][0]["differs"] == ["type"]
            problem(s.get("/v1/browse/rows?differs=x"), 400, "bad-request", "differs")
            steps("browse_beside", s.url, d.path)


def test_run_folder():
    """What a run left is corrected like a file; the corrections lie beside the folder."""
    with gm.Folder() as d:
        d.write("in.jsonl", '{"id": "a", "text": "Ann Lee in Oslo"}\n{"id": "b", "text": "Bob Ray"}\n')
        gm.expect_ok(gm.run("predict", d / "in.jsonl", "--recipe", "tag", "--run", d / "out.run", "-o", d / "out.jsonl"))
        words = ("--recipe", "tag", "--browse", d / "out.run/")
        with killed(*words) as s:
            steps("browse_run", s.url, d.path)
        assert os.path.exists(d / "out.run.corrections.jsonl")
        with Server(*words) as s:
            now = s.get("/v1/browse/post?post=0").json
            assert now["version"] == 1 and now["record"]["entities"][0]["type"] == "OTHER", now


def rows(s, **filters):
    words = "".join(f"&{k}={v}" for k, v in filters.items())
    return s.get("/v1/browse/rows?file=0&count=500" + words).json


def test_browse_filters():
    """Each filter against what the posts themselves say."""
    with gm.Folder() as d:
        posts = browsed(d, 300)
        with Server("--recipe", "tag", "--browse", d / "posts.jsonl", "--gold", d / "gold.jsonl") as s:
            about = s.get("/v1/page").json["files"][0]
            assert about["name"] == "posts.jsonl" and about["posts"] == 300 and about["gold"], about

            def expect(test, **filters):
                wanted = [p["id"] for p in posts if test(p)]
                found = rows(s, **filters)
                assert [r["id"] for r in found["rows"]] == wanted and found["total"] == len(wanted), (filters, found["total"])

            expect(lambda p: True)
            expect(lambda p: any(e["type"] == "LOC" for e in p["entities"]), type="LOC")
            expect(lambda p: any(e["source"] == "refine" for e in p["entities"]), source="refine")
            expect(lambda p: any(e["score"] <= 0.93 for e in p["entities"]), score="0.93")
            expect(lambda p: any(e.get("regions") for e in p["entities"]), image="found")
            expect(lambda p: "image" not in p, image="text")
            expect(lambda p: False, image="error")
            expect(lambda p: False, type="NONE")
            expect(lambda p: p["id"] == "p9", wrong="any")
            expect(lambda p: p["id"] == "p9", wrong="type")
            expect(lambda p: p["id"] != "p9", wrong="right")
            expect(lambda p: True, corrected="no")
            assert rows(s, order="uncertainty")["rows"][0]["id"] == "p7"
            assert [r["id"] for r in s.get("/v1/browse/rows?file=0&from=10&count=2").json["rows"]] == ["p10", "p11"]
            for bad in ("image=x", "wrong=x", "corrected=x", "order=x", "score=x", "count=501", "from=-1", "more=1"):
                problem(s.get("/v1/browse/rows?file=0&" + bad), 400, "bad-request")
            problem(s.get("/v1/browse/rows?file=1"), 404, "not-found")
            problem(s.get("/v1/browse/post?file=0&post=300"), 404, "not-found")
            picture = s.get("/v1/browse/picture?file=0&post=0")
            assert picture.headers["content-type"] == "image/jpeg"
            with open(d / "grace.jpg", "rb") as f:
                assert picture.body == f.read()
            problem(s.get("/v1/browse/picture?file=0&post=1"), 404, "not-found")
            assert d.path not in s.get("/v1/browse/post?file=0&post=0").body.decode()


def save(s, version, who="a", post=5, entities=None):
    entities = [{"text": "Ann", "type": "PER", "start": 0, "end": 3}] if entities is None else entities
    return s.post({"file": 0, "post": post, "who": who, "version": version, "entities": entities}, "/v1/browse/save")


def test_browse_editing():
    """Leases, versions, and a journal that a killed process leaves in the middle of a line."""
    with gm.Folder() as d:
        browsed(d, 20)
        words = ("--recipe", "tag", "--browse", d / "posts.jsonl")

        def lease(who, ends=False):
            return s.post({"file": 0, "post": 5, "who": who, "name": who * 3, "ends": ends}, "/v1/browse/lease")

        with killed(*words) as s:
            assert lease("a").json["seconds"] == 30 and lease("a").status == 200
            held = problem(lease("b"), 409, "conflict", "aaa edits")
            assert held["current"]["version"] == 0
            problem(save(s, 0, "b"), 409, "conflict", "else edits")
            assert save(s, 0).json["version"] == 1
            old = problem(save(s, 0), 409, "conflict", "meanwhile")
            assert old["current"]["version"] == 1 and old["current"]["record"]["entities"][0]["text"] == "Ann"
            assert lease("a", True).json["seconds"] == 0 and save(s, 1, "b").json["version"] == 2
            assert lease("b").status == 200
            for bad in ([{"text": "Bob", "type": "PER", "start": 0, "end": 3}], [{"start": 0}], [1]):
                problem(save(s, 2, "b", entities=bad), 422, "post")
            for bad in ("", "a b", "\xe9", "x" * 64):
                problem(save(s, 0, bad, 1), 400, "bad-request", "who")
            problem(save(s, 0, "a", 20), 404, "not-found")
            gm.expect(gm.run("serve", "--listen", "127.0.0.1:0", *words), 1, "another process")
        journal = d / "posts.jsonl.corrections.jsonl"
        with open(journal, encoding="utf-8") as f:
            lines = f.read().splitlines()
        assert [json.loads(l)["version"] for l in lines] == [1, 2] and json.loads(lines[0])["id"] == "p5"
        with open(journal, "a", encoding="utf-8") as f:
            f.write(lines[1][:50])
        with Server(*words) as s:
            assert s.get("/v1/browse/post?file=0&post=5").json["version"] == 2
            assert "cut short" in s.stderr()
            assert save(s, 2).json["version"] == 3
        with open(journal, encoding="utf-8") as f:
            assert [json.loads(l)["version"] for l in f] == [1, 2, 3]
        d.write("posts.jsonl", json.dumps(post_of(1)) + "\n")
        gm.expect(gm.run("serve", "--listen", "127.0.0.1:0", *words), 1, "corrections.jsonl:1", "another file")


def test_browse_exports():
    """Each format is what gmner data writes of the same posts; the journal's corrections are in it."""
    with gm.Folder() as d:
        browsed(d, 20)
        with Server("--recipe", "tag", "--browse", d / "posts.jsonl") as s:
            for name in ("jsonl", "conll", "fmnerg", "ccks", "ccks-text", "coco", "labelstudio", "riveg", "riveg-pred",
                         "riveg-ve", "riveg-vg", "ofa-ve", "ofa-vg"):
                out = d / ("converted." + name)
                gm.run("data", "convert", d / "posts.jsonl", out, "--to", name)
                with open(out, "rb") as f:
                    wanted = f.read()
                exported = s.get("/v1/browse/export?file=0&format=" + name)
                assert exported.status == 200 and exported.body == wanted, (name, exported.body[:300], wanted[:300])
            gm.run("data", "convert", d / "posts.jsonl", d / "xml", "--to", "voc")
            with tarfile.open(fileobj=io.BytesIO(s.get("/v1/browse/export?file=0&format=voc").body)) as tar:
                names = sorted(tar.getnames())
                assert names == sorted("xml/" + n for n in os.listdir(d / "xml")), names
                for name in names:
                    with open(os.path.join(d.path, name), "rb") as f:
                        assert tar.extractfile(name).read() == f.read(), name
            problem(s.get("/v1/browse/export?file=0&format=csv"), 400, "bad-request")
            assert save(s, 0).status == 200
            line = s.get("/v1/browse/export?file=0&format=jsonl").body.decode().splitlines()[5]
            assert json.loads(line)["entities"][0]["text"] == "Ann"
            assert not [n for n in d.names() if ".export-" in n], d.names()


def test_long_names():
    """Ids of any length in an archive as Python and tar read it; what no file can be called is left out."""
    ids = ["a" * n for n in (91, 92, 120, 200, 220)] + ["\u00e9\u4e2d" * 40, "Z\u00fcrich", "sp ace\nline " + "b" * 100]
    gone = ["c" * 300, "\u4e2d" * 85, "sl/ash"]
    boxes = {"entities": [{"text": "Ann", "type": "PER", "start": 0, "end": 3, "regions": [{"box": [1, 2, 30, 40]}]}]}
    with gm.Folder() as d:
        d.write("posts.jsonl", "".join(json.dumps({"id": i, "text": "Ann", **boxes}) + "\n" for i in ids + gone))
        with Server("--recipe", "tag", "--browse", d / "posts.jsonl") as s:
            answer = s.get("/v1/browse/export?file=0&format=voc")
            assert answer.status == 200, answer.body[:300]
            assert all(i[:20] in s.stderr() for i in gone)
        wanted = sorted(f"xml/{i}.xml" for i in ids)
        with tarfile.open(d.write("all.tar", answer.body)) as tar:
            assert sorted(tar.getnames()) == wanted, tar.getnames()
            assert all(b"<name>Ann</name>" in tar.extractfile(n).read() for n in wanted)
        os.mkdir(d / "out")
        subprocess.run(["tar", "-xf", d / "all.tar", "-C", d / "out"], check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert sorted("xml/" + n for n in os.listdir(d / "out/xml")) == wanted


def open_exports(s, n):
    """Connections that have asked for an export each."""
    all_of_them = [s.connection() for _ in range(n)]
    for c in all_of_them:
        c.request("GET", "/v1/browse/export?file=0&format=coco")
    return all_of_them


def test_exports_in_time():
    """Exports have --timeout, waiting included; none is made for who has gone; a stop ends them with --drain."""
    with gm.Folder() as d:
        d.write("posts.jsonl", "".join(json.dumps(post_of(i)) + "\n" for i in range(20000)))
        words = ("--recipe", "tag", "--browse", d / "posts.jsonl")
        with Server(*words, "--timeout", "0.05") as s:
            problem(s.get("/v1/browse/export?file=0&format=coco"), 504, "timeout")
            for c in open_exports(s, 5):
                assert c.getresponse().status == 504
            assert s.get("/healthz").status == 200
        with Server(*words) as s:
            start = time.monotonic()
            assert s.get("/v1/browse/export?file=0&format=coco").status == 200
            one = time.monotonic() - start
            for c in open_exports(s, 60):
                c.close()
            start = time.monotonic()
            assert s.get("/v1/browse/export?file=0&format=coco").status == 200
            waited = time.monotonic() - start
            print(f"an export: {one:.2f} s, behind 60 whose clients have gone: {waited:.2f} s")
            assert waited < 20 * one, f"{waited} s for an export of {one} s"
        with Server(*words, "--drain", "0") as s:
            waiting = open_exports(s, 60)
            gm.until("one is made", lambda: [n for n in d.names() if ".export-" in n])
            s.process.terminate()
            statuses = []
            for c in waiting:
                r = c.getresponse()
                statuses.append(r.status)
                assert r.status == 200 or b"stopping" in r.read()
            assert statuses.count(503) > 40, statuses
            assert s.process.wait(gm.TIMEOUT_S) == 0
        with Server(*words, "--drain", "600") as s:
            waiting = open_exports(s, 3)
            gm.until("one is made", lambda: [n for n in d.names() if ".export-" in n])
            s.process.terminate()
            answers = [(r.status, r.read()) for r in (c.getresponse() for c in waiting)]
            whole = [body for status, body in answers if status == 200]
            assert whole and all(json.loads(body)["images"] is not None for body in whole)
            assert all(status == 200 or b"stopping" in body for status, body in answers), answers
        assert not [n for n in d.names() if ".export-" in n], d.names()


if __name__ == "__main__":
    gm.main(globals())
