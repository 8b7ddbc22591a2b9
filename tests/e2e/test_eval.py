"""gmner eval as a whole: tables, JSON, pairing, what it says about files that do not fit."""
import json
import os
import tempfile

import gm

GOLD = "IMGID:1\nAnn\tB-PER\nLee\tI-PER\nruns\tO\n\nIMGID:2\nOslo\tB-LOC\n\nIMGID:3\nin\tO\nBonn\tI-LOC\n"


def files(folder, **texts):
    """Write each text to a file of its name in folder; their paths."""
    paths = []
    for name, text in texts.items():
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        paths.append(path)
    return paths


def post(id, text, *entities, **more):
    return json.dumps({"id": id, "text": text, **more, "entities": [
        {"type": t, "start": a, "end": b} for t, a, b in entities]}) + "\n"


PRED = (post("3", "in Bonn", ("LOC", 3, 7)) + post("1", "Ann Lee runs", ("PER", 0, 3), ("X", 8, 12))
        + post("2", "Oslo", ("LOC", 0, 4)))


def test_json():
    with tempfile.TemporaryDirectory() as d:
        gold, pred = files(d, gold=GOLD, pred=PRED)
        r = gm.run("eval", "--gold", gold, "--pred", pred, "--json")
        assert r.code == 0, r.err
        out = json.loads(r.out)
        assert (out["task"], out["rule"], out["posts"]) == ("mner", "exact", 3)
        assert (out["tp"], out["n_pred"], out["n_gold"]) == (2, 4, 3)
        assert abs(out["f1"] - 4 / 7) < 1e-12
        assert list(out["per_type"]) == ["LOC", "PER", "X"]
        assert out["per_type"]["LOC"]["f1"] == 1
        assert out["per_type"]["X"] == {"tp": 0, "n_pred": 1, "n_gold": 0, "precision": 0,
                                        "recall": 0, "f1": 0}


def test_table_and_stdin():
    with tempfile.TemporaryDirectory() as d:
        (gold,) = files(d, gold=GOLD)
        r = gm.run("eval", "--task", "span", "--gold", gold, "--pred", "-", stdin=PRED)
        assert r.code == 0, r.err
        assert r.out.splitlines()[-1].split() == ["micro", "0.5000", "0.6667", "0.5714", "2", "4", "3"]


def test_scheme():
    """The I-LOC that follows O begins an entity in conlleval's reading alone."""
    with tempfile.TemporaryDirectory() as d:
        gold, pred = files(d, gold=GOLD, pred=PRED)
        r = gm.run("eval", "--scheme", "strict", "--gold", gold, "--pred", pred, "--json")
        out = json.loads(r.out)
        assert (out["tp"], out["n_pred"], out["n_gold"]) == (1, 4, 2)


def test_failed_posts():
    with tempfile.TemporaryDirectory() as d:
        gold, pred = files(d, gold=GOLD, pred=GOLD[:GOLD.index("IMGID:2")])
        failed = [{"id": i, "text": t, "error": {"stage": "tag", "code": "nomem", "message": "m"}}
                  for i, t in (("1", "Ann Lee runs"), ("2", "Oslo"))]
        with open(pred, "w", encoding="utf-8") as f:
            f.write("".join(json.dumps(x) + "\n" for x in failed) + post("3", "in Bonn"))
        r = gm.run("eval", "--gold", gold, "--pred", pred, "--json")
        assert r.code == 0 and "2 of 3 predicted posts of" in r.err, r.err
        assert json.loads(r.out)["n_gold"] == 3


def test_files_that_do_not_fit():
    with tempfile.TemporaryDirectory() as d:
        gold, pred = files(d, gold=GOLD, pred=PRED)
        short, text, broken, bare = files(
            d, short=post("2", "Oslo"), text=PRED.replace("Oslo", "Rome"),
            broken=PRED + "{\n", bare='{"id": "1", "text": "Ann Lee runs"}\n')
        ev = lambda p: gm.run("eval", "--gold", gold, "--pred", p)
        gm.expect(ev(short), 1, "2 gold posts have no prediction (first: id 1, line 1)")
        gm.expect(ev(text), 1, "post 2", "another text", "Rome", "Oslo")
        gm.expect(ev(broken), 1, "broken:4:", "not valid JSON")
        gm.expect(ev(bare), 1, "post 1", "run gmner predict on it first")
        gm.expect(ev(d), 1, d, "directory")
        gm.expect(ev(os.path.join(d, "none")), 1, "none", "No such file")
        gm.expect(gm.run("eval", "--gold", "-", "--pred", "-"), 1, "cannot both be standard input")
        gm.expect(gm.run("eval", "--gold", gold), 2, "--pred FILE is missing")
        gm.expect(gm.run("eval", "--task", "gold", "--gold", gold, "--pred", pred), 2, "--task")


gm.main(globals())
