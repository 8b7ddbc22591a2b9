"""check by crops: each box is cut out of the picture, and a model says whether it is the entity; what it doesn't confirm is
asked about once more in the whole picture. What is asserted is what the server was sent, and what becomes of it."""
import json
import math
import re
import sqlite3
import struct
import time
import zlib

import families
import gm
import llm_server

W, H = 400, 300
NAME = re.compile(r'Is this "(\w+)"')
LINE = re.compile(r"^(\d+)\. (\w+) \((\w+)\), found at (.*), (\d+)% sure$", re.M)
A, B, C = [100, 50, 200, 100], [10, 20, 60, 120], [300, 200, 380, 290]


def png():
    """A picture of which no two parts are alike."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes(v for x in range(W) for v in (x * 255 // W, y * 255 // H, (x * y) % 251)) for y in range(H))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def word(p):
    """yes or no with its probability, as servers say it."""
    top = [{"token": "yes", "logprob": math.log(p)}, {"token": "no", "logprob": math.log(1 - p)}]
    said = "yes" if p >= 0.5 else "no"
    return said, {"logprobs": {"content": [dict(top[said == "no"], top_logprobs=top)]}}


class Server(llm_server.Own):
    """`crop(name, how often it was asked about before)`, `region(list of lines)`; keeps what it was sent."""

    def __init__(self, crop, region=None, delay=0):
        self.crops, self.regions, self.probes = [], [], 0

        def say(text, request):
            time.sleep(delay)
            if families.of_shapes(text):
                self.probes += 1
                return families.of_shapes(text)
            if "cut out" in text:
                name = NAME.search(text)[1]
                before = sum(n == name for n, *_ in self.crops)
                self.crops.append((name, text, request))
                return crop(name, before)
            self.regions.append((text, request))
            return region(LINE.findall(text))

        super().__init__(say)


def write_posts(d, posts, **more):
    """Posts are lists of (name, type, [(box, score), …])."""
    d.write("p.png", png())
    d.write("in.jsonl", "".join(json.dumps({
        "id": str(i), "text": " and ".join(name for name, *_ in entities), "image": d / "p.png", **more, "entities": [
            {"text": name, "type": t, "start": (s := " and ".join(n for n, *_ in entities).index(name)),
             "end": s + len(name), "regions": [{"box": b, "score": x} for b, x in regions]}
            for name, t, regions in entities]}) + "\n" for i, entities in enumerate(posts)))


def words(d, server, settings, *args, out="out.jsonl"):
    recipe = d.write("r.yaml", "name: r\nstages:\n  - stage: check\n    backend: llm\n" +
                     "".join(f"    {s}\n" for s in settings))
    return ["predict", d / "in.jsonl", "-r", recipe, "-o", d / out, "--endpoint", server.url, "--model", "m", *args]


def predict(d, server, *settings):
    gm.expect_ok(gm.run(*words(d, server, settings), env={"GMNER_CACHE": d / "cache.sqlite"}))
    with open(d / "out.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def regions(e):
    return [(r["box"], round(r["score"], 4)) for r in e["regions"]]


def verdicts(*of, places="boxes"):
    return json.dumps({"entities": [{"entity": n, "reason": "", "answer": a, places: b} for n, a, b in of]})


def thousandths(box):
    return [round(x * 1000 / (H if i % 2 else W)) for i, x in enumerate(box)]


def test_what_is_sent():
    """One question a box: the box and 15% of its sides around it, as far as the picture goes."""
    with gm.Folder() as d, Server(lambda *_: word(0.8)) as server:
        write_posts(d, [[("Ann", "PER", [(A, 0.9), (B, 0.8)]), ("NASA", "ORG", [(C, 1)]), ("Rome", "LOC", [])]])
        out = predict(d, server, "crop: 0.15")[0]["entities"]
        assert sorted(n for n, *_ in server.crops) == ["Ann", "Ann", "NASA"] and not server.regions
        for name, text, request in server.crops:
            assert request["logprobs"] is True and request["max_tokens"] == 8 and "response_format" not in request
            assert 'The post with the photo says: "Ann and NASA and Rome"' in text
            assert ("\nPER: A person" in text) == (name == "Ann")
            assert all(x % 28 == 0 for x in families.sent_size(request))
        assert regions(out[0]) == [(A, 0.8), (B, 0.8)] and regions(out[1]) == [(C, 0.8)] and out[2]["regions"] == []


def test_the_margin():
    """Byte for byte the picture that a box has which is larger by 15% of its sides on each side, as far as there is
    picture; and small boxes are enlarged as all pictures are."""
    larger = {(100, 50, 200, 100): [85, 42.5, 215, 107.5], (5, 20, 65, 120): [0, 5, 74, 135], (300, 200, 400, 300): [285, 185, 400, 300]}
    for box, around in larger.items():
        sent = []
        for b, share in ((list(box), 0.15), (around, 0), (list(box), 0)):
            with gm.Folder() as d, Server(lambda *_: word(0.8)) as server:
                write_posts(d, [[("Ann", "PER", [(b, 1)])]])
                predict(d, server, f"crop: {share}")
                (_, _, request), = server.crops
                (url,) = (p["image_url"]["url"] for p in request["messages"][-1]["content"] if p["type"] == "image_url")
                sent.append(url)
                w, h = families.sent_size(request)
                assert w * h >= 0.9 * 512 * 512
        assert sent[0] == sent[1] != sent[2], box


POST = [("Ann", "PER", [(A, 0.9)]), ("Bob", "PER", [(B, 0.8)]), ("Cid", "PER", [(C, 0.7)]), ("Dan", "PER", [(A, 0.6)]),
        ("Eve", "PER", [(B, 0.5)]), ("Fay", "PER", [(C, 0.4), (A, 0.3)]), ("Gus", "PER", [(B, 1)])]


def crop(name, before):
    """Ann is right; Bob is not and then is; Cid never is; of Fay's boxes one is; about Gus nothing can be read."""
    return {"Ann": "Yes.", "Bob": word(0.9 if before else 0.3), "Cid": word(0.2), "Dan": "no", "Eve": word(0.1),
            "Fay": word(0.3 if before else 0.7), "Gus": "who knows"}[name]


def region(lines):
    """Who it is asked about, in the order of the post: Bob and Cid are elsewhere, Dan isn't there, Eve is where she was."""
    say = {"Bob": ("change", [[500, 500, 600, 750]]), "Cid": ("change", [[0, 0, 100, 100]]), "Dan": ("none", []), "Eve": ("keep", [])}
    return verdicts(*((int(n), *say[name]) for n, name, *_ in lines))


def test_what_becomes_of_it():
    for then in ("drop", "keep"):
        with gm.Folder() as d, Server(crop, region) as server:
            write_posts(d, [POST])
            out = {e["text"]: e for e in predict(d, server, "crop: 0.15", 'coords: "1000"', "unconfirmed: " + then)[0]["entities"]}
            (text, request), = server.regions
            # who is asked about once more, and with which probability of what was found
            assert [(n, name, int(p)) for n, name, _, _, p in LINE.findall(text)] == [
                ("1", "Bob", 30), ("2", "Cid", 20), ("3", "Dan", 0), ("4", "Eve", 10)], text
            assert f"1. Bob (PER), found at {thousandths(B)}, 30% sure" in text
            sure = text[text.index("sure of these:"):text.index("It isn't sure")]
            assert all((name in sure) == (name in ("Ann", "Fay", "Gus")) for name, *_ in POST), sure
            assert families.sent_size(request)
        asked = [n for n, *_ in server.crops]
        assert {n: asked.count(n) for n in set(asked)} == {
            "Ann": 1, "Bob": 2, "Cid": 2, "Dan": 1, "Eve": 1, "Fay": 2, "Gus": 3}, asked  # Gus: asked for again
        keep = then == "keep"
        assert regions(out["Ann"]) == [(A, 1)] and "note" not in out["Ann"]
        ((box, p),) = regions(out["Bob"])
        assert p == 0.9 and all(abs(x - y) < 0.02 for x, y in zip(box, [200, 150, 240, 225])) and "note" not in out["Bob"]
        for name, found in (("Cid", (C, 0.7)), ("Eve", (B, 0.5))):
            assert regions(out[name]) == [found] * keep, out[name]
            assert out[name]["note"] == ("check:not_confirmed" if keep else "no_box:not_confirmed")
        assert regions(out["Dan"]) == [] and out["Dan"]["note"] == "no_box:not_confirmed"
        assert len(out["Fay"]["regions"]) == 1 + keep and sorted(p for _, p in regions(out["Fay"]))[-1] == 0.7
        assert regions(out["Gus"]) == [(B, 1)] and out["Gus"]["note"] == "check_rejected:not_yes_or_no"


def test_without_a_second_look():
    """No question about the whole picture, and so nothing to learn of the model's numbers."""
    with gm.Folder() as d, Server(crop) as server:
        write_posts(d, [POST])
        out = {e["text"]: e for e in predict(d, server, "crop: 0.15", "retry: false", "confirm: 0.25")[0]["entities"]}
        assert server.probes == 0 and len(server.crops) == 6 + 1 + 3
        assert [n for n, e in out.items() if not e["regions"]] == ["Cid", "Dan", "Eve"]
        assert regions(out["Bob"]) == [(B, 0.3)]
    with gm.Folder() as d, Server(crop, region) as server:  # a threshold says whose boxes are cut out
        write_posts(d, [POST])
        out = predict(d, server, "crop: 0.15", "retry: false", "region: 0.45")[0]["entities"]
        assert {n for n, *_ in server.crops} == {"Eve", "Fay"} and regions(out[2]) == [(C, 0.7)]


def test_a_box_beyond_the_picture():
    """There is nothing to ask about; it is not confirmed, and the post's other boxes are asked about as ever."""
    beyond = [W + 10, 10, W + 60, 60]
    with gm.Folder() as d, Server(crop) as server:
        write_posts(d, [[("Ann", "PER", [(beyond, 1), (A, 0.9)]), ("Bob", "PER", [(beyond, 1)])], [("Cid", "PER", [(beyond, 1)])]])
        out = [e for p in predict(d, server, "crop: 0.15", "retry: false") for e in p["entities"]]
        assert [n for n, *_ in server.crops] == ["Ann"]
        assert regions(out[0]) == [(A, 1)] and [regions(e) for e in out[1:]] == [[], []]
        assert [e["note"] for e in out[1:]] == ["no_box:not_confirmed"] * 2


def test_by_marks():
    """The second look among numbered boxes; without crops, too."""
    objects = [{"label": "person", "score": s, "box": b} for b, s in ((A, 0.9), (B, 0.8), (C, 0.7))]
    marks = {"Bob": ("change", [3]), "Cid": ("change", [1]), "Dan": ("none", []), "Eve": ("keep", [])}

    def say(lines):
        return verdicts(*((int(n), *marks[name]) for n, name, *_ in lines), places="numbers")

    with gm.Folder() as d, Server(crop, say) as server:
        write_posts(d, [POST], objects=objects)
        out = {e["text"]: e for e in predict(d, server, "crop: 0.15", "marks: 20")[0]["entities"]}
        (text, request), = server.regions
        assert "1. Bob (PER), found at box 2, 30% sure\n2. Cid (PER), found at box 3, 20% sure" in text and server.probes == 0
        assert "numbered from 1 to 3" in text and "xmin" not in text
        item = request["response_format"]["json_schema"]["schema"]["properties"]["entities"]["items"]
        assert item["required"] == ["entity", "reason", "answer", "numbers"]
        assert regions(out["Bob"]) == [(C, 0.9)] and out["Bob"]["regions"][0]["label"] == "person"
        assert [n for n, e in out.items() if not e["regions"]] == ["Cid", "Dan", "Eve"]
    with gm.Folder() as d, Server(None, lambda lines: verdicts((1, "change", [2]), places="numbers")) as server:
        write_posts(d, [[("Ann", "PER", [(C, 0.3)]), ("Bob", "PER", [([0, 0, 400, 300], 0.9)])]], objects=objects)
        out = predict(d, server, "marks: 20")[0]["entities"]
        (text, _), = server.regions
        assert "1. Ann (PER), found at box 3, 30% sure" in text and "Bob (PER), found at a place without a box" in text
        assert regions(out[0]) == [(B, 0.8)]


def test_known_error_rates():
    """Of 60 boxes 20 are wrong. A crop finds 15 of these and takes 4 right ones for wrong; the second look finds the right place of
    two thirds of the first. The score is the one that this gives."""
    n, good, bad = 60, A, C
    wrong = lambda i: i % 3 == 0  # noqa: E731
    refused = lambda i: i % 12 != 0 if wrong(i) else i % 15 == 1  # noqa: E731
    mended = lambda i: wrong(i) and refused(i) and i % 9 != 3  # noqa: E731

    def say_crop(name, before):
        return "yes" if before or not refused(int(name[1:-1])) else "no"

    def say_region(lines):
        return verdicts(*((int(k), "change", [thousandths(good)]) if mended(int(name[1:-1])) else (int(k), "none", [])
                          for k, name, *_ in lines))

    with gm.Folder() as d, Server(say_crop, say_region) as server:
        write_posts(d, [[(f"E{i}x", "PER", [(bad if wrong(i) else good, 1)])] for i in range(n)])
        with open(d / "in.jsonl", encoding="utf-8") as f:
            gold = [json.loads(line) for line in f]
        for p in gold:
            p["entities"][0]["regions"] = [{"box": good, "score": 1}]
        d.write("gold.jsonl", "".join(json.dumps(p) + "\n" for p in gold))
        predict(d, server, "crop: 0.15", 'coords: "1000"')
        assert len(server.regions) == sum(map(refused, range(n))) == 19
        r = gm.expect_ok(gm.run("eval", "--task", "gmner", "--gold", d / "gold.jsonl", "--pred", d / "out.jsonl", "--json"))
    score = json.loads(r.out)
    tp = sum(mended(i) if wrong(i) else not refused(i) for i in range(n))
    assert 36 < tp < n and (score["tp"], score["n_pred"], score["n_gold"]) == (tp, n, n), (score, tp)


def test_killed_and_gone_on_with():
    n = 60
    with gm.Folder() as d, Server(lambda name, before: word(0.9 if int(name[1:-1]) % 2 else 0.1),
                                  lambda lines: verdicts((1, "change", [[500, 500, 600, 750]])), delay=0.01) as server:
        write_posts(d, [[(f"E{i}x", "PER", [(A, 1)])] for i in range(n)])
        settings = ("crop: 0.15", 'coords: "1000"', "unconfirmed: keep")
        killed = gm.kill_runs(words(d, server, settings, "--in-flight", "4"), {"GMNER_CACHE": d / "cache.sqlite"},
                              0.15, 0.25, 0.35)
        predict(d, server, *settings)
        n_all = len(server.crops) + len(server.regions)
        gm.expect_ok(gm.run(*words(d, server, settings, out="whole.jsonl"), env={"GMNER_CACHE": d / "other.sqlite"}))
        with open(d / "out.jsonl", encoding="utf-8") as a, open(d / "whole.jsonl", encoding="utf-8") as b:
            assert a.read() == b.read()
        with sqlite3.connect(d / "out.jsonl.run/store.sqlite") as db:
            assert db.execute("SELECT count(*) FROM result WHERE stage = 'check'").fetchone() == (n,)
    least = n + n  # a crop each; for half of them the picture, and the new box's crop
    assert killed and least <= n_all <= least + 8 * killed, (n_all, killed)


def test_a_post_that_fails():
    """One crop has no answer at all: the post is as it came, with its error."""
    with gm.Folder() as d, Server(lambda name, _: llm_server.Reply(400, {"error": {"message": "no"}}) if name == "Bob" else "no",
                                  region) as server:
        write_posts(d, [POST[:2]])
        r = gm.run(*words(d, server, ("crop: 0.15", 'coords: "1000"')), env={"GMNER_CACHE": d / "cache.sqlite"})
        assert r.code in (1, 3), r.err
        if r.code == 3:
            with open(d / "out.jsonl", encoding="utf-8") as f:
                post = json.loads(f.readline())
            assert post["error"]["stage"] == "check" and [regions(e) for e in post["entities"]] == [[(A, 0.9)], [(B, 0.8)]]


def test_bad_settings():
    with gm.Folder() as d, Server(crop) as server:
        write_posts(d, [POST])
        for settings, *parts in ((("crop: 3",), '"crop" is 3'), (("crop: much",), '"crop"'), (("retry: false",), '"retry" is of the setting "crop"'),
                                 (("crop: 0", "retry: 2"), '"retry" must be true or false'),
                                 (("crop: 0.1", "unconfirmed: lose"), '"unconfirmed" is "lose"; it must be drop or keep'),
                                 (("crop: 0.1", "crop_prompt: nothing"), "nothing"), (("crop: 0.1", "confirm: 2"), '"confirm" is 2')):
            gm.expect(gm.run(*words(d, server, settings), env={"GMNER_CACHE": d / "cache.sqlite"}), 1, *parts)


gm.main(globals())
