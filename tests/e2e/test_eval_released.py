"""The CCKS-2025 shared task: gmner eval --rule refineg against a re-implementation of ReFineG's released
evaluator (tests/ref/metrics_reference.py) on generated files (GM_FILES says on how many: 30 every day, 1,000
in the long tests), and recipes/refineg-ccks.yaml from the task's files to a submission."""
import json
import os
import random
import re
import sys

import families
import gm
import llm_server
import tiny_model
from posts_data import conll

sys.path.insert(0, os.path.join(gm.HOME, "tests", "ref"))
import metrics_reference as ref


def score(gold, pred, task):
    return json.loads(gm.expect_ok(gm.run("eval", "--gold", gold, "--pred", pred, "--json", "--task", task,
                                          "--rule", "refineg", "--from", "ccks")).out)


def counts(out):
    return out["tp"], out["n_pred"], out["n_gold"]


def entries(rng):
    """[(name, type, box or None)] as a file of the shared task might have for one post."""
    names = ["Leopard 2", "Leopard  2", "leopard 2", "U32 (A)", "NATO"]
    types = [*ref.SHARED_TASK[:3], "other", "person"]
    out = []
    for _ in range(rng.choice([0, 1, 2, 2, 3, 4, 6])):
        box = [int(x) for x in box_of_pixels(rng)] if rng.random() < 0.7 else None
        out.append((rng.choice(names[:rng.choice([1, 2, 5])]), rng.choice(types[:4]), box))
    return out


def box_of_pixels(rng):
    x, y = rng.choice([0, 0, 10, 20, 5000]), rng.choice([0, 0, 10, 3])
    return [x, y, x + rng.choice([0, 10, 20, 20, 40, 33, 6001]), y + rng.choice([10, 20, 1, 4099])]


def changed(rng, gold):
    """Predictions: entries lost, renamed, retyped (also to a type that the task hasn't), moved, repeated."""
    pred = []
    for name, type_, box in gold:
        change = rng.random()
        if change < 0.15:
            continue
        if change < 0.3:
            type_ = rng.choice([*ref.SHARED_TASK, "person"])
        elif change < 0.5:
            box = box_of_pixels(rng) if rng.random() < 0.7 else None
        elif change < 0.6:
            name = rng.choice(["NATO", "Leopard"])
        pred += [(name, type_, box)] * rng.choice([1, 1, 1, 2])
        if box and rng.random() < 0.3:
            pred.append((name, type_, [x + rng.choice([0, 0, 1, 2]) for x in box]))
    rng.shuffle(pred)
    return pred


def entity_file(d, name, posts):
    sides = ("xmin", "ymin", "xmax", "ymax")
    return d.write(name, json.dumps({str(i): [{"name": n, "label": t, "bnd": b and dict(zip(sides, b))}
                                              for n, t, b in post] for i, post in enumerate(posts)}))


def test_released_evaluator():
    """Equal counts, F1 and curve."""
    n_files = int(os.environ.get("GM_FILES", "30"))
    rng = random.Random(2025)
    n_tp = 0
    with gm.Folder() as d:
        for i in range(n_files):
            gold = [entries(rng) for _ in range(rng.choice([1, 3, 10, 40]))]
            pred = [changed(rng, g) for g in gold]
            g, p = entity_file(d, "g.json", gold), entity_file(d, "p.json", pred)
            out = score(g, p, "ccks")
            pairs = list(zip(gold, pred))
            want = ref.refineg_posts(pairs, 0.5, False, ref.SHARED_TASK)
            assert counts(out) == want, (i, counts(out), want)
            n_tp += want[0]
            f1 = 2 * want[0] / (want[1] + want[2]) if want[0] else 0
            assert abs(out["f1"] - f1) < 1e-12
            for x, of_curve in list(out["curve"].items())[:-1]:
                tp, np, ng = ref.refineg_posts(pairs, float(x), False, ref.SHARED_TASK)
                assert abs(of_curve - (2 * tp / (np + ng) if tp else 0)) < 1e-12, (i, x)
            if i % 10 == 0:  # the entity alone: no types
                bare = [[[(n, "", b) for n, _, b in e] for e in pair] for pair in pairs]
                assert counts(score(g, p, "eeg")) == ref.refineg_posts(bare, 0.5, False), i
    assert n_tp > 5 * n_files


def test_by_hand():
    """What the released evaluator does that others don't."""
    a, moved, far = [0, 0, 10, 10], [0, 0, 10, 11], [50, 50, 60, 60]
    cases = [  # gold, predicted: right, counted, of gold
        ("two boxes on one gold box", [("T-72", "vehicle", a)], [("T-72", "vehicle", a), ("T-72", "vehicle", moved)],
         (1, 1, 1)),
        ("all misses are one", [("T-72", "vehicle", a)], [("T-72", "vehicle", far), ("T-72", "vehicle", [1, 90, 2, 99])],
         (0, 1, 1)),
        ("the second of two equal gold boxes", [("T-72", "vehicle", a)] * 2, [("T-72", "vehicle", a)] * 2, (1, 1, 2)),
        ("the first gold box takes, whatever its type", [("T-72", "weapon", a), ("T-72", "vehicle", moved)],
         [("T-72", "vehicle", a)], (0, 1, 2)),
        ("in the image and not", [("T-72", "vehicle", a), ("T-72", "vehicle", None)], [("T-72", "vehicle", None)], (1, 1, 2)),
        ("a post without predictions", [("T-72", "vehicle", a)], [], (0, 0, 0)),
        ("a post without gold", [], [("T-72", "vehicle", a)], (0, 0, 0)),
        ("a type that the task hasn't", [("T-72", "vehicle", a)], [("T-72", "tank", a)], (0, 0, 0)),
        ("0 by 0", [("T-72", "vehicle", [5, 5, 5, 5])], [("T-72", "vehicle", [5, 5, 5, 5])], (0, 1, 1)),
    ]
    with gm.Folder() as d:
        for name, gold, pred, want in cases:
            got = counts(score(entity_file(d, "g.json", [gold]), entity_file(d, "p.json", [pred]), "ccks"))
            assert got == want == ref.refineg_posts([(gold, pred)], 0.5, False, ref.SHARED_TASK), (name, got)


def test_from_posts_to_the_submission():
    """Every uncertain entity and every groundable one is asked about, places never; boxes come out whole."""
    asked = []

    def say(text, _):
        shapes = families.of_shapes(text)
        if shapes:  # coords: auto
            return shapes
        asked.append(text)
        if "boxes" in text:
            return json.dumps([{"entity": int(n), "visible": True, "boxes": [[100.3, 200, 500.7, 601]]}
                               for n in re.findall(r"(?m)^(\d+)\. ", text)])
        return json.dumps({"entities": [{"entity": int(n), **({"type": k} if "the types of" in text else {"names": [t]})}
                                        for n, t, k in re.findall(r"^(\d+)\. (.*?) \((.*?)\)", text, re.M)]})

    image = os.path.join(gm.HOME, "tests", "golden", "image", "baseline.jpg")
    with gm.Folder() as d, llm_server.Own(say) as server:
        tiny_model.write(d / "encoder")
        data = d.write("train.txt", conll(per="vehicle", loc="location"))
        gm.expect_ok(gm.run("train", "--train", data, "--dev", data, "-o", d / "tagger", "--encoder", d / "encoder",
                            "--lr", "0.005", "--epochs", "20", "--precision", "f32",
                            "--config", d.write("c.yaml", "head_lr: 0.02\n")))
        os.mkdir(d / "images")
        texts = {"17": "Bert visits in Rome .", "9": "Anna lives in Paris .", "30": "nothing"}
        for i in texts:
            os.symlink(image, d / f"images/{i}.jpg")
        d.write("text.json", json.dumps({i: {"text": t} for i, t in texts.items()}))
        predict = ["predict", d / "text.json", "--images", d / "images", "-r", "refineg-ccks", "--tagger", d / "tagger",
                   "--endpoint", server.url, "--model", "m"]
        gm.expect_ok(gm.run(*predict, "-o", d / "out.jsonl", env={"GMNER_CACHE": d / "cache.sqlite"}))
        gm.expect_ok(gm.run("data", "convert", d / "out.jsonl", d / "submission.json", "--to", "ccks"))
        with open(d / "submission.json", encoding="utf-8") as f:
            out = json.load(f)
        assert list(out) == ["17", "9", "30"] and out["30"] == []
        for i, name, place in (("17", "Bert", "Rome"), ("9", "Anna", "Paris")):
            car, town = out[i]
            assert (car["name"], car["label"], town) == (name, "vehicle",
                                                         {"name": place, "label": "location", "bnd": None})
            assert all(isinstance(x, int) for x in car["bnd"].values()), car
        boxes = [t for t in asked if "boxes" in t]
        assert len(boxes) == 2 and not any("(location)" in t for t in boxes), boxes
        assert "\n1. Bert (vehicle)\nvehicle: A military or transport vehicle on land" in "".join(boxes)
        gold = d.write("gold.json", json.dumps(out))
        assert counts(score(gold, d / "submission.json", "ccks")) == (4, 4, 4)
        # the question about types has all six, with what they mean; asked about everything here
        asked.clear()
        gm.expect_ok(gm.run(*predict, "-o", d / "all.jsonl", "--settings",
                            d.write("all.yaml", "refine:\n  span: 0\n  type: 0\n"), env={"GMNER_CACHE": d / "c2.sqlite"}))
        about = [t for t in asked if "the types of" in t]
        assert len(about) == 2, asked
        for name in ref.SHARED_TASK:
            assert re.search(rf"^{name}: \w.{{20,}}$", about[0], re.M), (name, about[0])


gm.main(globals())
