"""How sure a model is of its boxes (ground: samples), and the stage check, which asks about the unsure ones. What is
asserted is what the server was sent, and what becomes of its answers."""
import json
import re
import sqlite3
import time

import families
import gm
import llm_server
from annotations import png

W, H = 331, 207
LINE = re.compile(r"^(\d+)\. (\S+) \((\w+)\), found at (\[.*\]), (\d+)% sure$", re.M)


def iou(a, b):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = lambda x: (x[2] - x[0]) * (x[3] - x[1])  # noqa: E731
    return w * h / (area(a) + area(b) - w * h)


def agreement(samples):
    """Mean over all pairs of lists of boxes."""
    pairs = [(a, b) for i, a in enumerate(samples) for b in samples[i + 1:]]

    def one(a, b):
        if not a and not b:
            return 1
        best = lambda x, y: sum(max((iou(p, q) for q in y), default=0) for p in x)  # noqa: E731
        return (best(a, b) + best(b, a)) / (len(a) + len(b))
    return sum(one(a, b) for a, b in pairs) / len(pairs) if pairs else 0


def pixels(box):
    return [x * (H if i % 2 else W) / 1000 for i, x in enumerate(box)]


def thousandths(box):
    return [round(x * 1000 / (H if i % 2 else W)) for i, x in enumerate(box)]


class Server(llm_server.Own):
    """`ground(number of the sample, 0 = the answer; text)` and `check(text)`; keeps what it was sent."""

    def __init__(self, ground=None, check=None, delay=0):
        self.grounds, self.checks, self.probes = [], [], 0

        def say(text, request):
            shapes = families.of_shapes(text)
            if shapes:
                self.probes += 1
                return shapes
            time.sleep(delay)
            if "found at" in text:
                self.checks.append((text, request))
                return check(text)
            self.grounds.append((text, request))
            return ground(request.get("seed", 0) // 100, text)

        super().__init__(say)


def write_posts(d, posts):
    """Posts are lists of (name, type, regions or None)."""
    d.write("p.png", png(W, H))
    lines = []
    for i, entities in enumerate(posts):
        text = " and ".join(name for name, *_ in entities)
        lines.append(json.dumps({"id": str(i), "text": text, "image": d / "p.png", "entities": [
            {"text": name, "type": t, "start": text.index(name), "end": text.index(name) + len(name),
             **({"regions": [{"box": b, "score": s} for b, s in regions]} if regions else {})}
            for name, t, regions in entities]}) + "\n")
    return d.write("in.jsonl", "".join(lines))


def recipe(d, **stages):
    return d.write("r.yaml", "name: r\nstages:\n" + "".join(
        f"  - stage: {stage}\n    backend: llm\n" + "".join(f"    {s}\n" for s in settings)
        for stage, settings in stages.items()))


def words(d, server, *args, out="out.jsonl"):
    return ["predict", d / "in.jsonl", "-r", d / "r.yaml", "-o", d / out, "--endpoint", server.url, "--model", "m", *args]


def predict(d, server, *args):
    gm.expect_ok(gm.run(*words(d, server, *args), env={"GMNER_CACHE": d / "cache.sqlite"}))
    with open(d / "out.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def boxes(*lists):
    return json.dumps({"entities": [{"entity": n + 1, "reason": "", "visible": bool(b), "boxes": b}
                                    for n, b in enumerate(lists)]})


def test_scores_from_samples():
    """One entity with a box that moves, one of whom half of the samples have two boxes, one that comes and goes,
    and one that is never there; one answer can't be read at all."""
    a, b = [100, 100, 500, 500], [600, 100, 900, 900]
    said = {0: boxes([a], [a, b], [b], []), 1: boxes([a], [a], [b], []), 2: boxes([[200, 100, 600, 500]], [a, b], [], []),
            3: boxes([[100, 150, 500, 550]], [b], [b], []), 4: boxes([a], [a, b], [], [])}
    names = [("Ann", "PER", None), ("Bob", "PER", None), ("NASA", "ORG", None), ("Rome", "LOC", None)]
    for unreadable in (None, 4):
        with gm.Folder() as d, Server(lambda k, _: "no idea" if k == unreadable else said[k]) as server:
            write_posts(d, [names])
            recipe(d, ground=("batch: post", 'coords: "1000"', "samples: 4"))
            out = predict(d, server)[0]["entities"]
            seeds = [(r["temperature"], r.get("seed")) for _, r in server.grounds]
        assert seeds[0] == (0, None) and {(0.7, k) for k in (100, 200, 300, 400)} <= set(seeds[1:]), seeds
        read = [json.loads(said[k])["entities"] for k in (1, 2, 3, 4) if k != unreadable]
        for i, e in enumerate(out[:3]):
            want = agreement([[pixels(x) for x in s[i]["boxes"]] for s in read])
            assert e["regions"] and all(abs(r["score"] - want) < 1e-5 for r in e["regions"]), (i, e, want)
            assert 0 < want < 1
        assert not out[3]["regions"]


def test_samples_without_a_seed():
    """Where no seed is sent, the questions of the samples are the same, and yet each has an answer of its own; the
    same ones again from the cache."""
    moved = [[100, 100, 500, 500], [100, 100, 500, 500], [200, 100, 600, 500], [100, 300, 500, 700], [100, 100, 900, 500]]
    with gm.Folder() as d, Server(lambda *_: boxes([moved[len(server.grounds) - 1]])) as server:
        write_posts(d, [[("Ann", "PER", None)]])
        recipe(d, ground=("batch: post", 'coords: "1000"', "samples: 4", "extra: {seed: null}"))
        want = agreement([[pixels(b)] for b in moved[1:]])
        for run in ("one", "two"):
            (e,) = predict(d, server, "--in-flight", "1", "--run", d / run)[0]["entities"]
            assert len(server.grounds) == 5 and not any("seed" in r for _, r in server.grounds), server.grounds
            assert abs(e["regions"][0]["score"] - want) < 1e-5 and want < 0.9, (e, want)


def test_nothing_found_is_not_asked_again():
    with gm.Folder() as d, Server(lambda *_: '{"reason": "", "boxes": []}') as server:
        write_posts(d, [[("Ann", "PER", None), ("Bob", "PER", None)]])
        recipe(d, ground=('coords: "1000"', "samples: 2"))
        predict(d, server)
        assert len(server.grounds) == 2
    with gm.Folder() as d, Server(lambda k, _: '{"reason": "", "boxes": [[0, 0, %d, 500]]}' % (500 + 250 * (k == 1))) as server:
        write_posts(d, [[("Ann", "PER", None), ("Bob", "PER", None)]])
        recipe(d, ground=('coords: "1000"', "samples: 2", "sample_temperature: 1.2"))
        out = predict(d, server)[0]["entities"]
        assert len(server.grounds) == 2 + 4 and {r["temperature"] for _, r in server.grounds} == {0, 1.2}
        assert all(abs(e["regions"][0]["score"] - 2 / 3) < 1e-3 for e in out), out


ONE, TWO = [10, 20, 110, 120], [200, 30, 300, 190]
POST = [("Ann", "PER", [(ONE, 0.4)]), ("Bob", "PER", [(ONE, 0.9), (TWO, 0.3)]), ("Cid", "PER", [(TWO, 0.51)]),
        ("NASA", "ORG", [(TWO, 0.1)]), ("Rome", "LOC", None), ("Dan", "PER", [(ONE, 0.2)])]


def verdicts(*of):
    return json.dumps({"entities": [{"entity": n, "reason": "", "answer": a, "boxes": b} for n, a, b in of]})


def test_the_unsure_are_asked_about():
    new = [500, 500, 600, 750]
    said = verdicts((1, "keep", []), (2, "Change", [new]), (3, "none", []), (4, "change", [[2000, 2000, 2100, 2100]]))
    with gm.Folder() as d, Server(check=lambda _: said) as server:
        write_posts(d, [POST, [("Eve", "PER", [(ONE, 0.5)])]])
        recipe(d, check=('coords: "1000"',))
        out, sure = predict(d, server)
        (text, request), = server.checks
    e = {x["text"]: x for x in out["entities"]}
    lines = LINE.findall(text)
    assert [(n, name, int(s)) for n, name, _, _, s in lines] == [
        ("1", "Ann", 40), ("2", "Bob", 30), ("3", "NASA", 10), ("4", "Dan", 20)], text
    assert lines[0][3] == str(thousandths(ONE)), (lines, thousandths(ONE))
    assert lines[1][3] == f"{thousandths(ONE)} and {thousandths(TWO)}"
    assert text.index("It is sure of these:\nCid (PER), found at %s\n" % thousandths(TWO)) < text.index("It isn't sure")
    assert families.sent_size(request) and "from 0 to 1000" in text and "\nPER: A person" in text
    schema = request["response_format"]["json_schema"]["schema"]["properties"]["entities"]["items"]
    assert schema["required"] == ["entity", "reason", "answer", "boxes"]
    assert [r["box"] for r in e["Ann"]["regions"]] == [ONE] and e["Ann"]["regions"][0]["score"] == 0.4
    (got,) = (r["box"] for r in e["Bob"]["regions"])
    assert all(abs(x - y) < 0.01 for x, y in zip(got, pixels(new))), got
    assert e["NASA"]["regions"] == [] and e["NASA"]["note"] == "no_box:not_confirmed"
    assert [r["box"] for r in e["Dan"]["regions"]] == [ONE] and e["Dan"]["note"] == "check_rejected:box_outside"
    assert [r["score"] for r in e["Cid"]["regions"]] == [0.51] and "note" not in e["Rome"]
    assert sure["entities"][0]["regions"] == [{"box": ONE, "score": 0.5}]  # not over the threshold


def test_threshold_frame_and_order():
    with gm.Folder() as d, Server(check=lambda t: verdicts(*((int(n), "change", [[20, 10, 320, 310]]) for n, *_ in
                                                              LINE.findall(t)))) as server:
        write_posts(d, [POST])
        recipe(d, check=('coords: sent', "order: yxyx", "region: 0.8"))
        out = predict(d, server)[0]["entities"]
        (text, request), = server.checks
        w, h = families.sent_size(request)
    ((n, name, _, box, sure),) = LINE.findall(text)
    x0, y0, x1, y1 = TWO
    want = [round(y0 * h / H), round(x0 * w / W), round(y1 * h / H), round(x1 * w / W)]
    assert (n, name, sure) == ("1", "NASA", "10") and json.loads(box) == want, (box, want)
    assert "[ymin, xmin, ymax, xmax]" in text
    got, right = out[3]["regions"][0]["box"], [10 * W / w, 20 * H / h, 310 * W / w, 320 * H / h]
    assert all(abs(x - y) < 0.02 for x, y in zip(got, right)), (got, right)


def test_answers_that_do_not_fit():
    for said in ("I don't know", verdicts((1, "keep", [])), verdicts(*((i, "maybe", []) for i in (1, 2, 3, 4)))):
        with gm.Folder() as d, Server(check=lambda _, said=said: said) as server:
            write_posts(d, [POST])
            recipe(d, check=('coords: "1000"',))
            out = predict(d, server)[0]["entities"]
            assert len(server.checks) == 3
        assert [e.get("note") for e in out] == ["check_rejected:schema", "check_rejected:schema", None,
                                                "check_rejected:schema", None, "check_rejected:schema"], out
        assert all([r["box"] for r in e["regions"]] == [b for b, _ in r_] for e, (_, _, r_) in zip(out, POST) if r_)


def test_numbers_are_learned_once():
    """By ground's own question, for both stages."""
    with gm.Folder() as d, Server(lambda k, _: boxes([[100, 100, 500 + 90 * k, 500]]),
                                  lambda _: verdicts((1, "keep", []))) as server:
        write_posts(d, [[("Ann", "PER", None)]])
        recipe(d, ground=("batch: post", "samples: 4"), check=("region: 0.1",))
        predict(d, server)
        assert server.probes == 3 and len(server.checks) == 1 and len(server.grounds) == 5


def chain(n):
    """n entities, one a post: what the server does to entity i, and whether it is right in the end."""
    wrong = lambda i: i % 3 == 0  # its box, and then its samples don't agree  # noqa: E731
    unsure = lambda i: wrong(i) or i % 5 == 1  # noqa: E731
    mends = lambda i: i % 4 != 3  # noqa: E731
    spoils = lambda i: unsure(i) and not wrong(i) and i % 10 == 1  # noqa: E731
    return wrong, unsure, mends, spoils


def test_known_error_rates():
    """A third of the boxes is wrong and unsure, some right ones are unsure; the check mends three of four, and
    spoils some: the score is the one that this gives."""
    n, good, bad = 60, [100, 100, 500, 500], [600, 600, 900, 900]
    wrong, unsure, mends, spoils = chain(n)

    def ground(k, text):
        i = int(re.search(r"1\. E(\d+)x", text)[1])
        return boxes([[600, 600, 900, 900] if k % 2 else [0, 0, 90, 90]] if k and unsure(i) else [bad if wrong(i) else good])

    def check(text):
        i = int(re.search(r"1\. E(\d+)x", text)[1])
        if spoils(i):
            return verdicts((1, "none", []))
        return verdicts((1, "change", [good])) if wrong(i) and mends(i) else verdicts((1, "keep", []))

    with gm.Folder() as d, Server(ground, check) as server:
        write_posts(d, [[(f"E{i}x", "PER", None)] for i in range(n)])
        with open(d / "in.jsonl", encoding="utf-8") as f:
            gold = [json.loads(line) for line in f]
        for p in gold:
            p["entities"][0]["regions"] = [{"box": pixels(good), "score": 1}]
        d.write("gold.jsonl", "".join(json.dumps(p) + "\n" for p in gold))
        recipe(d, ground=("batch: post", 'coords: "1000"', "samples: 4"), check=('coords: "1000"',))
        predict(d, server)
        r = gm.expect_ok(gm.run("eval", "--task", "gmner", "--gold", d / "gold.jsonl", "--pred", d / "out.jsonl", "--json"))
        assert len(server.checks) == sum(map(unsure, range(n)))
    score = json.loads(r.out)
    tp = sum((mends(i) if wrong(i) else not spoils(i)) for i in range(n))
    assert 0 < tp < n
    assert (score["tp"], score["n_pred"], score["n_gold"]) == (tp, n, n), (score, tp)


def test_killed_and_gone_on_with():
    n = 80
    with gm.Folder() as d, Server(lambda k, _: boxes([[10 * k, 100, 500 + 90 * k, 500]]),
                                  lambda _: verdicts((1, "change", [[1, 2, 300, 400]])), delay=0.01) as server:
        write_posts(d, [[(f"E{i}x", "PER", None)] for i in range(n)])
        recipe(d, ground=("batch: post", 'coords: "1000"', "samples: 2"), check=('coords: "1000"', "region: 0.1"))
        killed = gm.kill_runs(words(d, server, "--in-flight", "4"), {"GMNER_CACHE": d / "cache.sqlite"}, 0.15, 0.25, 0.35)
        predict(d, server, "--in-flight", "4")
        n_all = len(server.grounds) + len(server.checks)
        gm.expect_ok(gm.run(*words(d, server, out="whole.jsonl"), env={"GMNER_CACHE": d / "other.sqlite"}))
        with open(d / "out.jsonl", encoding="utf-8") as a, open(d / "whole.jsonl", encoding="utf-8") as b:
            assert a.read() == b.read()
        with sqlite3.connect(d / "out.jsonl.run/store.sqlite") as db:
            assert db.execute("SELECT stage, count(*) FROM result GROUP BY stage ORDER BY stage").fetchall() == [
                ("check", n), ("ground", n)]
    assert killed and 4 * n <= n_all <= 4 * n + 8 * killed, (n_all, killed)  # at most those on their way again


def test_bad_settings():
    with gm.Folder() as d, Server() as server:
        write_posts(d, [POST])
        for stages, *parts in (({"ground": ("samples: 1",)}, '"samples" is 1', "2 to 16"),
                               ({"ground": ("samples: 2.5",)}, '"samples" is 2.5'),
                               ({"check": ("region: 2",)}, '"region" is 2'), ({"check": ("samples: 4",)}, '"samples"', "check"),
                               ({"check": ("ground_prompt: nothing",)}, "nothing"),
                               ({"check": ("images: never",)}, "asks about pictures"),
                               ({"check": (), "ground": ()}, "stage ground cannot come after check")):
            recipe(d, **stages)
            gm.expect(gm.run(*words(d, server), env={"GMNER_CACHE": d / "cache.sqlite"}), 1, *parts)


gm.main(globals())
