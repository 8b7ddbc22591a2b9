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


def conll(*posts):
    """Posts "PER-tags by spaces" with the ids 0, 1, … of a list of (id, tags)."""
    return "".join(f"IMGID:{i}\n" + "".join(f"w{k}\t{t}\n" for k, t in enumerate(tags.split())) + "\n"
                   for i, tags in posts)


def strict(gold, pred, *options):
    with tempfile.TemporaryDirectory() as d:
        g, p = files(d, gold=gold, pred=pred)
        r = gm.run("eval", "--scheme", "strict", "--gold", g, "--pred", p, "--json", *options)
        gm.expect_ok(r)
        out = json.loads(r.out)
        return (out["tp"], out["n_pred"], out["n_gold"]), r.err


def test_strict_scheme_is_golds():
    """Figures of seqeval 1.2.2, mode="strict", which takes the scheme from all of gold."""
    gold = [("0", "S-PER"), ("1", "S-PER")]
    pred = [("0", "B-PER"), ("1", "S-PER")]
    for order in (1, -1):
        assert strict(conll(*gold[::order]), conll(*pred[::order]))[0] == (1, 1, 2), order
    # Gold's first post alone looks like BIO; predictions never end what they begin.
    gold = [("0", "B-PER I-PER O"), ("1", "B-PER E-PER")]
    pred = [("0", "B-PER I-PER O"), ("1", "B-PER I-PER")]
    for order in (1, -1):
        assert strict(conll(*gold[::order]), conll(*pred[::order]))[0] == (0, 0, 1), order
    assert strict(conll(*gold), conll(*pred), "--tags", "bio")[0] == (1, 2, 2)
    bio = conll(("0", "B-PER I-PER O"))
    assert strict(bio, bio, "--tags", "bioes")[0] == (0, 0, 0)
    # Gold decides for predictions in BIOES, too.
    assert strict(bio, conll(("0", "B-PER E-PER O")))[0] == (0, 1, 1)


def test_iob1_and_ioe():
    iob1 = conll(("0", "I-PER I-PER B-PER O I-LOC"))
    counts, err = strict(iob1, iob1)
    assert counts == (1, 1, 1) and "look like IOB1" in err and "--tags iob1" in err, (counts, err)
    counts, err = strict(iob1, iob1, "--tags", "iob1")
    assert counts == (3, 3, 3) and "look like" not in err, (counts, err)
    ioe = conll(("0", "I-PER E-PER O I-LOC E-LOC"))
    counts, err = strict(ioe, ioe)
    assert "look like IOE" in err and "conlleval" in err, err
    assert "look like" not in strict(conll(("0", "B-PER I-PER B-PER")), conll(("0", "B-PER O O")))[1]
    with tempfile.TemporaryDirectory() as d:
        (pred,) = files(d, pred=iob1)
        once = gm.run("eval", "--scheme", "strict", "--gold", "-", "--pred", pred, stdin=iob1)
        gm.expect(once, 1, "read only once", "--tags")
        r = gm.run("eval", "--scheme", "strict", "--tags", "iob1", "--gold", "-", "--pred", pred,
                   "--json", stdin=iob1)
        assert json.loads(r.out)["tp"] == 3
        gm.expect(gm.run("eval", "--tags", "bio", "--gold", pred, "--pred", pred), 2, "--scheme strict")


def test_single_tags_in_the_default_reading():
    same = conll(("0", "S-PER S-PER O"))
    with tempfile.TemporaryDirectory() as d:
        g, p = files(d, gold=same, pred=same)
        assert json.loads(gm.run("eval", "--gold", g, "--pred", p, "--json").out)["tp"] == 2


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
