"""gmner eval --calibration: its figures against plain Python on generated predictions, its drawing,
and what it says about files without confidences."""
import json
import math
import random
import xml.etree.ElementTree as ET

import gm

SVG = "{http://www.w3.org/2000/svg}"
MEASURES = ("score", "marginal", "entropy", "margin")


def entity(at, kind, rng=None, levels=0):
    e = {"start": 2 * at, "end": 2 * at + 1, "type": kind}
    if rng:
        def p():
            return rng.randrange(levels + 1) / levels if levels else rng.random()
        e["score"] = round(p(), 6)
        if rng.random() < 0.9:  # some have a score only
            e["uncertainty"] = {"marginal": round(p(), 6), "entropy": round(3 * p(), 6),
                                "margin": None if rng.random() < 0.1 else round(9 * p(), 6)}
    return e


def generate(seed, n_posts, levels):
    """Gold and predicted lines, and for each measure [(confidence, right)]."""
    rng = random.Random(seed)
    gold, pred, judged = [], [], {m: [] for m in MEASURES}
    for i in range(n_posts):
        text = " ".join("w" for _ in range(8))
        g, p = [], []
        for at in range(8):
            if rng.random() < 0.5:
                continue
            e = entity(at, rng.choice("AB"), rng, levels)
            p.append(e)
            right = rng.random() < (e["score"] + 0.6) / 2
            if right or rng.random() < 0.5:
                g.append(entity(at, e["type"] if right else "C"))
            judged["score"].append((e["score"], right))
            u = e.get("uncertainty", {})
            for m, sign in (("marginal", 1), ("entropy", -1), ("margin", 1)):
                if u.get(m) is not None:
                    judged[m].append((sign * u[m], right))
        gold.append(json.dumps({"id": str(i), "text": text, "entities": g}) + "\n")
        pred.append(json.dumps({"id": str(i), "text": text, "entities": p}) + "\n")
    return "".join(gold), "".join(pred), judged


def ece(pairs):
    bins = [[] for _ in range(15)]
    for c, right in pairs:
        bins[max(0, math.ceil(c * 15) - 1)].append((c, right))
    return sum(abs(sum(c for c, _ in b) - sum(r for _, r in b)) for b in bins) / len(pairs)


def ece_mass(pairs):
    """Bins by the rank of the first answer of the same confidence."""
    ordered = sorted(c for c, _ in pairs)
    bins = {}
    for c, right in pairs:
        bins.setdefault(ordered.index(c) * 15 // len(pairs), []).append(c - right)
    return sum(abs(sum(b)) for b in bins.values()) / len(pairs)


def risks(pairs):
    """Expected share of wrong ones among the k surest, k = 1 ..; ties in random order."""
    out = []
    ordered = sorted((c for c, _ in pairs), reverse=True)
    for k in range(1, len(pairs) + 1):
        last = ordered[k - 1]
        wrong = sum(not r for c, r in pairs if c > last)
        tied = [r for c, r in pairs if c == last]
        taken = k - sum(c > last for c in ordered)
        out.append((wrong + taken * sum(not r for r in tied) / len(tied)) / k)
    return out


def close(a, b):
    assert abs(a - b) < 1e-9, (a, b)


def check(have, pairs, is_probability):
    n, right = len(pairs), sum(r for _, r in pairs)
    assert (have["n"], have["right"]) == (n, right), have
    assert ("ece" in have) == is_probability
    if is_probability:
        close(have["ece"], ece(pairs))
        close(have["ece_mass"], ece_mass(pairs))
        assert len(have["bins"]) == 15 and sum(b["n"] for b in have["bins"]) == n
        close(sum(b["n"] * b["accuracy"] for b in have["bins"]), right)
        close(sum(b["n"] * abs(b["accuracy"] - b["confidence"]) for b in have["bins"]) / n, have["ece"])
    want = risks(pairs)
    close(have["aurc"], sum(want) / n)
    ideal = risks([(r, r) for _, r in sorted(pairs, key=lambda p: -p[1])])
    # In the ideal order the right ones come first; risks() of {0, 1} mixes no ties of both kinds.
    close(have["e_aurc"], have["aurc"] - sum(ideal) / n)
    assert len(have["risk"]) == 100
    for percent in range(1, 101):
        close(have["risk"][percent - 1], want[-(-percent * n // 100) - 1])


def test_figures():
    for seed, n_posts, levels in ((1, 60, 0), (2, 100, 10), (3, 40, 1), (4, 3, 2), (5, 1, 0)):
        gold, pred, judged = generate(seed, n_posts, levels)
        with gm.Folder() as d:
            r = gm.expect_ok(gm.run("eval", "--gold", d.write("g.jsonl", gold), "--pred",
                                    d.write("p.jsonl", pred), "--calibration", "--json"))
        out = json.loads(r.out)
        assert out["n_pred"] == len(judged["score"])
        have = out["calibration"]
        assert list(have) == [m for m in MEASURES if judged[m]], list(have)
        for m in have:
            check(have[m], judged[m], m in ("score", "marginal"))


def test_table_and_drawing():
    gold, pred, judged = generate(7, 50, 0)
    with gm.Folder() as d:
        g, p = d.write("g.jsonl", gold), d.write("p.jsonl", pred)
        r = gm.expect_ok(gm.run("eval", "--gold", g, "--pred", p, "--calibration", "--svg", d / "c.svg"))
        rows = {line.split()[0]: line.split() for line in r.out.splitlines() if line}
        assert rows["score"][1] == str(len(judged["score"]))
        assert abs(float(rows["score"][2]) - ece(judged["score"])) < 6e-5, rows["score"]
        assert rows["entropy"][2] == "-"
        root = ET.parse(d / "c.svg").getroot()
        curves = [e for e in root.iter(SVG + "polyline")]
        assert len(curves) == 4 and all(len(c.get("points").split()) == 100 for c in curves)
        bars = [e for e in root.iter(SVG + "rect") if e.get("class") == "in"]
        filled = {m: {max(0, math.ceil(c * 15) - 1) for c, _ in judged[m]} for m in MEASURES[:2]}
        assert len(bars) == sum(map(len, filled.values()))


def test_without_confidences():
    post = {"id": "1", "text": "w w", "entities": [{"start": 0, "end": 1, "type": "A"}]}
    with gm.Folder() as d:
        f = d.write("g.jsonl", json.dumps(post) + "\n")
        gm.expect(gm.run("eval", "--gold", f, "--pred", f, "--calibration", "--svg", d / "c.svg"), 1,
                  "no predicted entity has a score")
        assert d.names() == ["g.jsonl"]
        gm.expect(gm.run("eval", "--gold", f, "--pred", f, "--svg", d / "c.svg"), 2, "--calibration")
        gm.expect(gm.run("eval", "--task", "entail", "--gold", f, "--pred", f, "--calibration"), 2,
                  "--calibration")


gm.main(globals())
