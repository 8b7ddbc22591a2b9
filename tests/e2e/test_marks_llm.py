"""ground by numbers: proposed boxes are drawn and numbered in the picture, and the model answers with numbers. What is
asserted is what the server was sent, and the boxes that come out."""
import json
import re
import time

import gm
from ground_posts import TEXT, Server, of_one, pictures, predict, read, write_posts

OBJECTS = [{"label": "person", "score": 0.9, "box": [10, 20, 110, 120]},
           {"label": "tie", "score": 0.8, "box": [11, 20, 110, 120]},      # nearly the same: no mark of its own
           {"label": "dog", "score": 0.4, "box": [200, 30, 300, 190]},
           {"label": "person", "score": 0.7, "box": [120, 5, 190.5, 200]},
           {"label": "car", "score": 0.3, "box": [50, 50, 50, 90]}]         # no area
MARKED = [OBJECTS[0], OBJECTS[3], OBJECTS[2]]  # best first
POST = ("batch: post", "marks: 20")


def write(d, objects=OBJECTS, n=1, **more):
    write_posts(d, ((331, 207),) * n, **more)
    with open(d / "in.jsonl", encoding="utf-8") as f:
        posts = [json.loads(line) for line in f]
    if objects is not None:
        for p in posts:
            p["objects"] = objects
    d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in posts))


def chosen(*of):
    return json.dumps({"entities": [{"entity": n, "reason": "", "visible": bool(k), "numbers": k} for n, k in of]})


def jpeg(request):
    return [p["image_url"]["url"] for p in request["messages"][-1]["content"] if p["type"] == "image_url"]


def test_one_question_a_post():
    with gm.Folder() as d, Server(lambda *_: chosen((1, [2]), (2, []), (3, [1, 3]))) as server:
        write(d)
        gm.expect_ok(predict(d, server, *POST))
        (text, request), = server.requests
        assert not server.probes  # no numbers of boxes are said, so none are learned
        assert "\n1. Ann Lee (PER)\n2. Bob (PER): a man with a hat\n3. NASA (ORG)\n" in text and "Bonn (LOC)" not in text
        assert "numbered from 1 to 3;" in text and "several times" in text and "xmin" not in text
        item = request["response_format"]["json_schema"]["schema"]["properties"]["entities"]["items"]
        assert item["required"] == ["entity", "reason", "visible", "numbers"] == list(item["properties"])
        assert item["properties"]["numbers"]["items"] == {"type": "integer", "minimum": 1, "maximum": 20}
        (w, h), = pictures(request)
        assert w % 28 == 0 and h % 28 == 0 and abs(w / h - 331 / 207) < 0.05
        e = read(d)[0]["entities"]
        boxes = [[(r["label"], r["score"], r["box"]) for r in x["regions"]] for x in e]
        one = lambda o, label: (label, o["score"], o["box"])  # noqa: E731
        # the person that no detector calls one is one; what else there is keeps the detector's word
        assert boxes == [[one(MARKED[1], "person")], [], [one(MARKED[0], "person"), one(MARKED[2], "dog")],
                         [one(MARKED[1], "person")], []], boxes
        assert e[1]["note"] == "no_box:not_found" and e[4]["note"] == "no_box:below_threshold:0.5"
        # The marks are in the picture: with others it is another one. What has no mark changes nothing, so that the
        # same question has its answer already.
        write(d, OBJECTS[:4])
        gm.expect_ok(predict(d, server, *POST, out="b.jsonl"))
        assert len(server.requests) == 1 and read(d, "b.jsonl")[0]["entities"] == e
        write(d, [OBJECTS[1], *OBJECTS[2:]])
        gm.expect_ok(predict(d, server, *POST, out="c.jsonl"))
        assert len(server.requests) == 2 and jpeg(server.requests[1][1]) != jpeg(request)


def test_a_mark_for_each():
    """One question an entity, one box at most, and no more marks than asked for."""
    with gm.Folder() as d, Server(lambda *_: '{"reason": "", "numbers": [2, 1]}') as server:
        write(d)
        gm.expect_ok(predict(d, server, "marks: 2", "boxes: one"))
        assert len({t for t, _ in server.requests}) == 3 and len({jpeg(r)[0] for _, r in server.requests}) == 1
        for text, request in server.requests:
            assert "numbered from 1 to 2;" in text and "several times" not in text
            assert request["response_format"]["json_schema"]["schema"]["required"] == ["reason", "numbers"]
        assert any('holds "Bob" (PER: a man\nwith a hat)?' in t for t, _ in server.requests)
        e = read(d)[0]["entities"][0]
        assert [r["box"] for r in e["regions"]] == [MARKED[1]["box"]] and e["note"] == "ground_rejected:too_many_boxes"


def test_boxes_that_are_said():
    """boxes: one is for those too."""
    for boxes, n in (("one", 1), ("several", 2)):
        with gm.Folder() as d, Server(lambda *_: '{"boxes": [[0, 0, 500, 500], [500, 0, 900, 900]]}') as server:
            write(d)
            gm.expect_ok(predict(d, server, "boxes: " + boxes, 'coords: "1000"'))
            assert all(("several times" in t) == (n == 2) for t, _ in server.requests)
            assert len(read(d)[0]["entities"][0]["regions"]) == n


def test_numbers_that_are_none():
    """A number that is not drawn is asked for again; in the end what fits counts, and the rest is asked for alone."""
    def say(text, _):
        one = of_one(text)
        return chosen((1, [4 if one == "Bob" else 1])) if one else chosen((1, [1]), (2, [4]), (3, [2]))

    with gm.Folder() as d, Server(say) as server:
        write(d)
        gm.expect_ok(predict(d, server, *POST))
        assert [of_one(t) for t, _ in server.requests] == [None] * 3 + ["Bob"] * 3
        e = read(d)[0]["entities"]
        assert [r["box"] for r in e[0]["regions"] + e[2]["regions"]] == [MARKED[0]["box"], MARKED[1]["box"]]
        assert e[1]["note"] == "ground_rejected:schema"


def test_proposals():
    """Of a file, by id or by the picture's name, whatever their order; a post that it lacks, or has nothing for, has
    none, and nothing is asked about it."""
    other = [{"box": [1, 2, 50, 60], "score": 0.2}, {"box": [100, 20, 200, 90], "score": 0.6}]
    for key in ({"id": "0"}, {"image": "elsewhere/331x207.png"}):
        with gm.Folder() as d, Server(lambda *_: chosen((1, [1]), (2, []), (3, [2]))) as server:
            write(d, None)
            file = d.write("p.jsonl", json.dumps({"id": "9", "objects": OBJECTS}) + "\n" +
                           json.dumps({**key, "objects": other}) + "\n")
            settings = (*POST, f"proposals: {file}")
            gm.expect_ok(predict(d, server, *settings))
            e = read(d)[0]["entities"]
            assert [(r["box"], r["score"]) for r in e[0]["regions"] + e[2]["regions"]] == [
                (other[1]["box"], 0.6), (other[0]["box"], 0.2)], e
            # what the file says is part of what results depend on
            gm.expect_ok(predict(d, server, *settings))
            assert len(server.requests) == 1
            d.write("p.jsonl", json.dumps({"id": "0", "objects": OBJECTS}) + "\n")
            gm.expect_ok(predict(d, server, *settings))
            assert len(server.requests) == 2 and read(d)[0]["entities"][0]["regions"][0]["box"] == MARKED[0]["box"]
            # a line for each region
            d.write("p.jsonl", "".join(json.dumps({"id": i, "objects": [o]}) + "\n" for o in OBJECTS for i in ("1", "0")))
            gm.expect_ok(predict(d, server, *settings))
            assert len(server.requests) == 2 and read(d)[0]["entities"][0]["regions"][0]["box"] == MARKED[0]["box"]
            d.write("p.jsonl", json.dumps({"id": "0", "objects": []}) + "\n")
            gm.expect_ok(predict(d, server, *settings))
            assert len(server.requests) == 2
            assert [x["note"] for x in read(d)[0]["entities"][:4]] == ["no_box:no_proposals"] * 4


def test_refused():
    with gm.Folder() as d, Server(lambda *_: "") as server:
        write(d, None)
        bad = d.write("bad.jsonl", json.dumps({"id": "0", "objects": OBJECTS}) + '\n{"id": "1", "objects": [{"box": [1, 2]}]}\n')
        for settings, *parts in ((("marks: 21",), '"marks" is 21'), (("marks: 2.5",), '"marks" is 2.5', "whole number"),
                                 (("proposals: x.jsonl",), '"proposals" is of the setting "marks"'),
                                 (("marks: 5", "proposals: nothing.jsonl"), "nothing.jsonl"),
                                 (("marks: 5", f"proposals: {bad}"), "bad.jsonl:2: objects[0]", "xmin"),
                                 (("marks: 5", "examples: {pool: %s}" % (d / "in.jsonl")), '"examples" goes with boxes that the model says'),
                                 (("boxes: two",), '"boxes" is "two"; it must be one or several')):
            gm.expect(predict(d, server, *settings), 1, *parts)
        r = predict(d, server, *POST)  # nobody has looked at the picture
        assert r.code == 3 and "no objects to number" in read(d)[0]["error"]["message"], r.err


def test_samples():
    """How far answers agree is said of their boxes."""
    def say(_, request):
        k = request.get("seed", 0) // 100
        return chosen((1, [1]), (2, [2 if k % 2 else 3]), (3, []))

    with gm.Folder() as d, Server(say) as server:
        write(d)
        gm.expect_ok(predict(d, server, *POST, "samples: 4"))
        assert len(server.requests) == 5
        e = read(d)[0]["entities"]
        assert e[0]["regions"][0]["score"] == 1 and abs(e[1]["regions"][0]["score"] - 2 / 6) < 1e-5, e


def test_killed_and_gone_on_with():
    n = 60
    with gm.Folder() as d:
        def say(text, _):
            time.sleep(0.01)
            return chosen(*((int(k), [1 + int(k) % 2]) for k in re.findall(r"^(\d+)\. ", text, re.M)))

        with Server(say) as server:
            write(d, n=n, text=TEXT, entities=[("Ann Lee", "PER", 0, {})])
            with open(d / "in.jsonl", encoding="utf-8") as f:
                posts = [dict(json.loads(line), text=f"Ann Lee {i}") for i, line in enumerate(f)]
            d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
            d.write("r.yaml", "name: r\nstages:\n  - stage: ground\n    backend: llm\n    batch: post\n    marks: 20\n")
            words = ["predict", d / "in.jsonl", "-r", d / "r.yaml", "-o", d / "out.jsonl", "--endpoint",
                     server.url, "--model", "m", "--in-flight", "4"]
            killed = gm.kill_runs(words, {"GMNER_CACHE": d / "cache.sqlite"}, 0.15, 0.2, 0.25)
            gm.expect_ok(predict(d, server, *POST, args=("--in-flight", "4")))
            assert killed and n <= len(server.requests) <= n + 8 * killed, (killed, len(server.requests))
            assert [p["entities"][0]["regions"][0]["box"] for p in read(d)] == [MARKED[1]["box"]] * n


gm.main(globals())
