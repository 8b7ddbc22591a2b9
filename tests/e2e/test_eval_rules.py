"""gmner eval's matching rules against tests/ref/metrics_reference.py over generated posts: ties,
duplicates, empty posts, boxes of no area, several boxes an entity; and their properties."""
import json
import os
import random
import sys

import gm

sys.path.insert(0, os.path.join(gm.HOME, "tests", "ref"))
import metrics_reference as ref

TYPES = ["PER", "LOC", "ORG"]
WORDS = ["Ann", "Bob", "Oslo", "Oslo (city)", "U.N.", "é", "Ann"]
TASKS = ["gmner", "eeg", "fmnerg", "ccks"]


def box(rng):
    """Few places and sizes, so that ties and overlaps of exactly one half are frequent."""
    x, y = rng.choice([0, 0, 10, 20]), rng.choice([0, 0, 10])
    w, h = rng.choice([0, 10, 20, 20, 40, 33.3]), rng.choice([10, 20, 0.1])
    return [x, y, x + w, y + h]


def entity(rng, at, text):
    e = {"start": at, "end": at + len(text), "type": rng.choice(TYPES)}
    if rng.random() < 0.9:
        e["fine_type"] = rng.choice(["actor", "city"])
    e["regions"] = [{"box": box(rng)} for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 3]))]
    return e


def posts(rng, n):
    """(gold, predictions): predictions are gold with entities lost, changed, moved and repeated."""
    gold, pred = [], []
    for i in range(n):
        names = [rng.choice(WORDS) for _ in range(rng.choice([0, 1, 1, 2, 3, 5]))]
        at, spots = 0, []
        for name in names:
            spots.append((at, name))
            at += len(name) + 1
        post = {"id": str(i), "text": " ".join(names) or "nothing"}
        theirs = [entity(rng, *s) for s in spots for _ in range(rng.choice([1, 1, 1, 2]))]
        ours = []
        for e in theirs:
            if rng.random() < 0.2:
                continue
            change = rng.random()
            e = dict(e)
            if change < 0.2:
                e = entity(rng, *rng.choice(spots))
            elif change < 0.5:
                e["regions"] = [{"box": box(rng)} for _ in range(rng.choice([0, 1, 2]))]
            ours += [e] * rng.choice([1, 1, 1, 2])
        if rng.random() < 0.3:
            rng.shuffle(ours)
        gold.append({**post, "entities": theirs})
        pred.append({**post, "entities": ours})
    return gold, pred


def write(d, name, records):
    return d.write(name, "".join(json.dumps(r) + "\n" for r in records))


def score(gold, pred, *options):
    r = gm.expect_ok(gm.run("eval", "--gold", gold, "--pred", pred, "--json", *options))
    return json.loads(r.out)


def counts(out):
    return out["tp"], out["n_pred"], out["n_gold"]


def kind_of(task):
    return "gmner" if task == "ccks" else task


def test_against_reference():
    """6 batches of 400 posts (5,882 predictions), all tasks and rules, two thresholds."""
    rng = random.Random(7)
    n_pred = 0
    with gm.Folder() as d:
        for batch in range(6):
            gold, pred = posts(rng, 400)
            g, p = write(d, "g.jsonl", gold), write(d, "p.jsonl", pred)
            n_pred += sum(len(x["entities"]) for x in pred)
            for task in TASKS:
                for rule, count in ref.RULES.items():
                    strict = batch % 2 == 1
                    least = 0.5 if batch < 4 else 0.75
                    options = ["--iou-strict"] if strict else []
                    out = score(g, p, "--task", task, "--rule", rule, "--iou", least, *options)
                    only = [ref.SHARED_TASK] if (task, rule) == ("ccks", "refineg") else []
                    want = count(gold, pred, kind_of(task), least, strict, *only)
                    assert counts(out) == want, (batch, task, rule, counts(out), want)
                    if rule == "riveg":
                        last = score(g, p, "--task", task, "--rule", "riveg", "--box", "last", "--iou", least, *options)
                        assert counts(last) == count(gold, pred, kind_of(task), least, strict, -1), (batch, task)
                    if not strict:  # the curve is one for each threshold
                        for x, f1 in list(out["curve"].items())[:-1] if (batch, task) == (0, "gmner") else []:
                            tp, np, ng = count(gold, pred, kind_of(task), float(x), False)
                            assert abs(f1 - 2 * tp / (np + ng)) < 1e-12, (task, rule, x)
    assert n_pred > 5000, n_pred


def test_hand_computed():
    """The cases of docs/metrics.md."""
    def post(*entities):
        return [{"id": "1", "text": "Ann and Ann", "entities": [
            {"start": s, "end": s + 3, "type": t, "regions": [{"box": b} for b in boxes]}
            for s, t, boxes in entities]}]
    a, b, half, none = [0, 0, 10, 10], [20, 0, 30, 10], [0, 0, 10, 20], [5, 5, 5, 5]
    cases = [
        # gold, predictions, tp of riveg, set, optimal, ccks, refineg
        ("exactly one half counts", [(0, "PER", [a])], [(0, "PER", [half])], 1, 1, 1, 1, 1),
        ("an empty union is 0", [(0, "PER", [none])], [(0, "PER", [none])], 0, 0, 0, 0, 0),
        ("both not in the image", [(0, "PER", [])], [(0, "PER", [])], 1, 1, 1, 1, 1),
        ("one in the image", [(0, "PER", [a])], [(0, "PER", [])], 0, 0, 0, 0, 0),
        ("the best of several boxes", [(0, "PER", [a])], [(0, "PER", [a, b])], 1, 1, 1, 1, 1),
        ("not the best of several", [(0, "PER", [a])], [(0, "PER", [b, a])], 0, 1, 1, 1, 1),
        ("any gold box", [(0, "PER", [a, b])], [(0, "PER", [b])], 1, 1, 1, 1, 1),
        ("a misfit ends no scan", [(0, "PER", [b]), (8, "PER", [a])], [(8, "PER", [a])], 1, 1, 1, 1, 1),
        ("the same text elsewhere", [(0, "PER", [])], [(8, "PER", [])], 1, 0, 1, 1, 1),
        ("twice the same", [(0, "PER", [])], [(0, "PER", []), (0, "PER", [])], 1, 1, 1, 1, 1),
        ("first fit is greedy", [(0, "PER", [a, b]), (8, "PER", [a])],
         [(0, "PER", [a]), (8, "PER", [b])], 1, 1, 2, 2, 2),
    ]
    with gm.Folder() as d:
        for name, gold, pred, *want in cases:
            g, p = write(d, "g.jsonl", post(*gold)), write(d, "p.jsonl", post(*pred))
            got = [score(g, p, "--task", "gmner", "--rule", r)["tp"]
                   for r in ref.RULES]
            assert got == want, (name, got, want)
        g, p = write(d, "g.jsonl", post((0, "PER", [a]))), write(d, "p.jsonl", post((0, "PER", [half])))
        assert score(g, p, "--task", "gmner", "--iou-strict")["tp"] == 0
        # Python's doubles say 0.49999999999999994, numbers of single precision 0.50000003.
        g, near = [write(d, n, post((0, "PER", [[0.1, 0, x, 1]]))) for n, x in (("g.jsonl", 0.3), ("n.jsonl", 0.5))]
        assert score(g, near, "--task", "gmner")["tp"] == 0
        g = write(d, "g.jsonl", post((0, "PER", [a])))
        assert score(g, p, "--task", "gmner", "--iou", "0.51")["tp"] == 0
        doubled = write(d, "p.jsonl", post((0, "PER", []), (0, "PER", [])))
        gold = write(d, "g.jsonl", post((0, "PER", [])))
        sizes = {r: score(gold, doubled, "--task", "gmner", "--rule", r)["n_pred"] for r in ref.RULES}
        assert sizes == {"riveg": 2, "optimal": 2, "set": 1, "ccks": 1, "refineg": 1}, sizes


def test_which_box_counts():
    """By hand: two entities, the right box of one is its first and of the other its last. Files of RiVEG's form have
    the one that counts last, whatever the program that reads them."""
    def post(ann, bob):
        return [{"id": "1", "text": "Ann Bob", "entities": [
            {"start": s, "end": s + 3, "type": "PER", "regions": [{"box": b} for b in boxes]}
            for s, boxes in ((0, ann), (4, bob))]}]
    a, b, c = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]
    want = {("riveg", None): 1, ("riveg", "best"): 1, ("riveg", "last"): 2, ("riveg", "any"): 2,
            ("set", None): 2, ("set", "best"): 1, ("set", "last"): 2, ("optimal", "best"): 1, ("optimal", "any"): 2}
    with gm.Folder() as d:
        g, p = write(d, "g.jsonl", post([a], [b])), write(d, "p.jsonl", post([a, a], [c, a, b]))
        for (rule, box), tp in want.items():
            got = score(g, p, "--task", "gmner", "--rule", rule, *(["--box", box] if box else []))
            assert counts(got) == (tp, 2, 2), (rule, box, got)
        lines = d.path + "/p.txt"
        gm.expect_ok(gm.run("data", "convert", "--to", "riveg-pred", p, lines))
        for box, tp in ((None, 2), ("best", 1), ("last", 2)):
            assert score(g, lines, "--task", "gmner", *(["--box", box] if box else []))["tp"] == tp, box
        args = ("eval", "--gold", g, "--pred", p, "--box", "best")
        gm.expect(gm.run(*args, "--task", "gmner", "--rule", "refineg"), 2, "--box is for the rules riveg, set")
        gm.expect(gm.run(*args), 2, "--box is for tasks with boxes")


def test_properties():
    rng = random.Random(11)
    with gm.Folder() as d:
        gold, pred = posts(rng, 300)
        g, p = write(d, "g.jsonl", gold), write(d, "p.jsonl", pred)
        order = rng.sample(range(300), 300)
        g2 = write(d, "g2.jsonl", [gold[i] for i in order])
        p2 = write(d, "p2.jsonl", [pred[i] for i in rng.sample(range(300), 300)])
        mixed = write(d, "m.jsonl", [{**x, "entities": rng.sample(x["entities"], len(x["entities"]))}
                                     for x in pred])
        copies = write(d, "c.jsonl", [{**x, "entities": x["entities"] * 2} for x in pred])
        for task in TASKS:
            for rule in ref.RULES:
                run = lambda a, b: score(a, b, "--task", task, "--rule", rule)
                one = run(g, p)
                assert run(g2, p2)["groups"] == one["groups"], "the order of posts"
                assert counts(run(g2, p2)) == counts(one), "the order of posts"
                full = run(g, g)
                no_area = sum(1 for x in gold for e in x["entities"] if e["regions"])
                if rule != "refineg":  # there the second of two equal gold boxes is out of reach
                    assert full["n_pred"] == full["n_gold"] and full["tp"] >= full["n_gold"] - 3 * no_area
                if rule not in ("riveg", "refineg"):
                    assert counts(run(g, mixed)) == counts(one), "the order in a post"
                    back = run(p, g)
                    assert (back["tp"], back["n_gold"], back["n_pred"]) == counts(one), "symmetry"
                if rule in ("set", "ccks", "refineg"):
                    assert counts(run(g, copies)) == counts(one), "copies count once"
                else:
                    assert run(g, copies)["n_pred"] == 2 * one["n_pred"], "copies count"
            tps = {r: score(g, p, "--task", task, "--rule", r)["tp"] for r in ref.RULES}
            assert tps["riveg"] <= tps["optimal"], tps


def test_decomposition_and_groups():
    """Steps only fall, the last is the total; groups and confusion add up to the whole."""
    rng = random.Random(5)
    with gm.Folder() as d:
        gold, pred = posts(rng, 300)
        g, p = write(d, "g.jsonl", gold), write(d, "p.jsonl", pred)
        for task, names in (("gmner", ["span", "type", "entailment", "box"]),
                            ("eeg", ["span", "entailment", "box"]), ("mner", ["span", "type"])):
            out = score(g, p, "--task", task)
            steps = out["steps"]
            assert [s["step"] for s in steps] == names
            tps = [s["tp"] for s in steps]
            assert tps == sorted(tps, reverse=True) and tps[-1] == out["tp"], tps
            assert abs(1 - sum(s["lost"] for s in steps) - out["f1"]) < 1e-12
            for dim, groups in out["groups"].items():
                for k in ("tp", "n_pred", "n_gold"):
                    total = sum(x[k] for x in groups.values())
                    boxed = out["groups"].get("image", {}).get("in the image")
                    assert total == (boxed if dim == "box" else out)[k], (task, dim, k)
            cells = out["confusion"]
            if task != "eeg":
                assert sum(c["n"] for c in cells if c["gold"]) == out["n_gold"]
                assert sum(c["n"] for c in cells if c["pred"]) == out["n_pred"]
                assert sum(c["n"] for c in cells if c["gold"] == c["pred"]) >= out["tp"]
                assert sum(t["tp"] for t in out["per_type"].values()) == out["tp"]


gm.main(globals())
