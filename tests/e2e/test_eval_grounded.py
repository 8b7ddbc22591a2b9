"""gmner eval on what has boxes: gold from XML, masks, entailment, AP, intervals, two systems, the
page, and what it says of options that do not fit."""
import json
import os

import gm
import rle
from annotations import counts_of

XML = """<annotation><size><width>100</width><height>80</height></size>%s</annotation>"""
OBJECT = ("<object><name>%s</name><bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax>"
          "<ymax>%d</ymax></bndbox></object>")
GOLD = "IMGID:1\nAnn\tB-PER\nLee\tI-PER\nin\tO\nOslo\tB-LOC\n\nIMGID:2\nBonn\tB-LOC\n\n"


def post(id, text, *entities, **more):
    return json.dumps({"id": id, "text": text, **more, "entities": [
        {"start": a, "end": b, "type": t, "regions": [{"box": x} for x in boxes], **e}
        for a, b, t, boxes, e in entities]}) + "\n"


PRED = (post("1", "Ann Lee in Oslo", (0, 7, "PER", [[0, 0, 10, 10]], {"visible": 0.9}),
             (11, 15, "ORG", [], {"visible": 0.2}))
        + post("2", "Bonn", (0, 4, "LOC", [[50, 50, 60, 60]], {"visible": 0.7})))


def files(d):
    d.write("xml/1.xml", XML % (OBJECT % ("Ann Lee", 0, 0, 10, 20) + OBJECT % ("Ann Lee", 70, 0, 90, 9)))
    return ["--gold", d.write("gold.txt", GOLD), "--xml", d / "xml", "--pred", d.write("p.jsonl", PRED)]


def evaluate(*args):
    return json.loads(gm.expect_ok(gm.run("eval", "--json", *args)).out)


def test_xml():
    with gm.Folder() as d:
        f = files(d)
        out = evaluate("--task", "gmner", *f)
        assert (out["tp"], out["n_pred"], out["n_gold"], out["rule"]) == (1, 3, 3, "riveg")
        assert [s["tp"] for s in out["steps"]] == [3, 2, 1, 1]
        assert out["per_type"]["ORG"]["n_pred"] == 1 and out["per_type"]["PER"]["f1"] == 1
        assert out["groups"]["image"]["in the image"] == {
            "tp": 1, "n_pred": 2, "n_gold": 1, "precision": 0.5, "recall": 1.0, "f1": 2 / 3}
        assert {"gold": "LOC", "pred": "ORG", "n": 1} in out["confusion"]
        assert out["curve"]["0.50"] > 0 and out["curve"]["0.55"] == 0
        assert evaluate("--task", "eeg", *f)["tp"] == 2
        assert evaluate("--task", "gmner", "--iou-strict", *f)["tp"] == 0
        r = gm.expect_ok(gm.run("eval", "--task", "gmner", "--gold", d / "gold.txt", "--pred", d / "p.jsonl"))
        assert "gold has no regions" in r.err and "--xml DIR" in r.err, r.err
        gm.expect(gm.run("eval", "--task", "gmner", *f[:3], d / "none", *f[4:]), 1, "no such folder")


def test_table():
    with gm.Folder() as d:
        out = gm.expect_ok(gm.run("eval", "--task", "gmner", "--details", *files(d))).out
        for part in ("entailment    0.3333  -0.3333", "in the image", "gold", "(found as)",
                     "mean", "LOC          1       1       0"):
            assert part in out, (part, out)


def test_entail():
    with gm.Folder() as d:
        f = files(d)
        out = evaluate("--task", "entail", *f)
        assert (out["tp"], out["fp"], out["tn"], out["fn"], out["missed"]) == (1, 1, 1, 0, 0)
        assert abs(out["accuracy"] - 2 / 3) < 1e-12 and abs(out["f1"] - 2 / 3) < 1e-12
        assert out["auc"] == 1
        d.write("p.jsonl", PRED.replace('"visible": 0.9', '"visible": 0.7').replace('"start": 11', '"start": 8'))
        out = evaluate("--task", "entail", *f)
        assert out["auc"] == 0.5 and out["missed"] == 1, out
        d.write("p.jsonl", "".join(json.dumps({**json.loads(l), "entities": [
            {k: v for k, v in e.items() if k != "visible"} for e in json.loads(l)["entities"]]}) + "\n"
            for l in PRED.splitlines()))
        assert evaluate("--task", "entail", *f)["accuracy"] == 2 / 3
        text = gm.expect_ok(gm.run("eval", "--task", "entail", *f)).out
        assert "accuracy   0.6667" in text and "auc" in text, text


def test_entail_of_equal_spans():
    """The prediction of gold's type answers, else the first, in whatever order the other types stand."""
    gold = post("1", "Ann", (0, 3, "PER", [[0, 0, 10, 10]], {}), (0, 3, "LOC", [], {}), (0, 3, "X", [], {}))
    types = [("PER", 0.9), ("LOC", 0.1), ("ORG", 0.2), ("PER", 0.3)]
    with gm.Folder() as d:
        for order in ((0, 1, 2, 3), (1, 0, 2, 3), (2, 1, 0, 3), (3, 0, 1, 2)):
            pred = post("1", "Ann", *((0, 3, *types[i][:1], [], {"visible": types[i][1]}) for i in order))
            out = evaluate("--task", "entail", "--gold", d.write("g", gold), "--pred", d.write("p", pred))
            per = next(types[i][1] for i in order if types[i][0] == "PER")
            first = types[order[0]][1]
            want = (per >= 0.5, first >= 0.5, 1 + (first < 0.5), per < 0.5)
            assert (out["tp"], out["fp"], out["tn"], out["fn"], out["missed"]) == (*want, 0), (order, out)


def test_masks():
    """2 x 4 masks: columns of two pixels. Runs of COCO: '44' = 4 out, 4 in."""
    def masks(*counts):
        return post("1", "Ann", (0, 3, "PER", [[0, 0, 4, 2]], {"regions": [
            {"box": [0, 0, 4, 2], **({"mask": {"size": [2, 4], "counts": c}} if c else {})}
            for c in counts]}))
    with gm.Folder() as d:
        def tp(gold, pred):
            return evaluate("--task", "smner", "--gold", d.write("g", gold), "--pred", d.write("p", pred))["tp"]
        assert tp(masks("44"), masks("44")) == 1
        assert tp(masks("44"), masks("26")) == 1  # 4 of 6
        assert tp(masks("44"), masks("08")) == 1  # exactly one half
        assert tp(masks("44"), masks("062")) == 0  # 2 of 8
        assert tp(masks("44"), masks(None)) == 0
        assert tp(masks("062", "44"), masks("44")) == 1
        gm.expect(gm.run("eval", "--task", "smner", "--gold", d.write("g", masks("44")), "--pred",
                         d.write("p", masks("44").replace("[2, 4]", "[4, 2]"))), 1, "post 1", "size")
        r = gm.run("eval", "--task", "smner", "--gold", d / "g", "--pred", d.write("p", "\n" + masks("44", "49")))
        gm.expect(r, 1, "/g:1 and ", '/p:2: post 1: prediction, entities[0] "Ann": regions[1]: mask counts', "pycocotools")
        gm.expect(gm.run("eval", "--task", "smner", "--pred", d.write("p", masks("44")), "--gold",
                         d.write("g", masks("49"))), 1,
                  'post 1: gold, entities[0] "Ann": regions[0]: mask counts')


def test_masks_beside_the_posts():
    """Twitter-SMNER's shape: CoNLL, and a JSON file of masks a picture."""
    square = [[1, 1], [5, 1], [5, 3], [1, 3]]
    def annotation(*labels):
        return json.dumps({"shapes": [{"label": l, "points": square, "shape_type": "polygon"} for l in labels],
                           "imageWidth": 6, "imageHeight": 4})
    whole, small = (counts_of([[0] * 6, [0] + [1] * n + [0] * (5 - n), [0] + [1] * n + [0] * (5 - n), [0] * 6])[0]
                    for n in (4, 1))
    with gm.Folder() as d:
        gold = d.write("gold.txt", GOLD)
        d.write("masks/1.json", annotation("Ann Lee(PER)"))  # Bonn has no file: it is not in the image
        pred = d.write("p.jsonl", post("1", "Ann Lee in Oslo", (0, 7, "PER", [[1, 1, 5, 3]], {"regions": [
            {"box": [1, 1, 5, 3], "mask": {"size": [4, 6], "counts": whole}}]}), (11, 15, "LOC", [], {}))
            + post("2", "Bonn", (0, 4, "LOC", [], {})))
        out = evaluate("--task", "smner", "--gold", gold, "--xml", d / "masks", "--pred", pred)
        assert (out["tp"], out["n_pred"], out["n_gold"]) == (3, 3, 3), out
        other = d.write("q.jsonl", open(pred, encoding="utf-8").read().replace(whole, small))
        out = evaluate("--task", "smner", "--gold", gold, "--xml", d / "masks", "--pred", other)
        assert (out["tp"], out["n_pred"], out["n_gold"]) == (2, 3, 3), out
        # The same as records.
        gm.expect_ok(gm.run("data", "convert", gold, d / "gold.jsonl", "--xml", d / "masks"))
        region = json.loads(open(d / "gold.jsonl", encoding="utf-8").readline())["entities"][0]["regions"][0]
        assert region["box"] == [1, 1, 5, 3] and rle.decode(region["mask"]) == [
            [0] * 6, [0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0], [0] * 6], region
        out = evaluate("--task", "smner", "--gold", d / "gold.jsonl", "--pred", pred)
        assert out["tp"] == 3
        # The folder alone, with texts from elsewhere.
        gm.expect_ok(gm.run("data", "convert", d / "masks", d / "alone.jsonl", "--text", gold))
        alone = json.loads(open(d / "alone.jsonl", encoding="utf-8").readline())
        assert alone["text"] == "Ann Lee in Oslo" and alone["entities"][0]["regions"][0]["mask"] == region["mask"]
        d.write("masks/2.json", "{}}")
        r = gm.run("eval", "--task", "smner", "--gold", gold, "--xml", d / "masks", "--pred", pred)
        gm.expect(r, 1, "masks/2.json")


def test_ap_as_pycocotools():
    with open(os.path.join(gm.HOME, "tests", "golden", "coco-ap.json"), encoding="utf-8") as f:
        cases = json.load(f)
    worst = 0
    with gm.Folder() as d:
        for case in cases:
            gold = d.write("g", "".join(json.dumps(p) + "\n" for p in case["gold"]))
            pred = d.write("p", "".join(json.dumps(p) + "\n" for p in case["pred"]))
            out = evaluate("--task", "gmner", "--ap", "--gold", gold, "--pred", pred)["ap"]
            worst = max(worst, *(abs(a - b) for a, b in zip(out["curve"], case["ap"])))
            assert abs(out["ap"] - sum(case["ap"]) / 10) < 1e-12
    assert worst < 1e-12 and len(cases) == 4, worst


def test_two_systems():
    with gm.Folder() as d:
        f = files(d)
        worse = d.write("worse.jsonl", PRED.replace("PER", "LOC"))
        out = evaluate("--task", "gmner", *f, "--vs", worse, "--bootstrap", 200)
        assert out["vs"]["tp"] == 0 and out["vs"]["diff"] == out["f1"]
        assert out["bootstrap"]["n"] == 200 and 0 < out["vs"]["p_value"] <= 1
        low, high = out["bootstrap"]["f1"]
        assert low <= out["f1"] <= high
        again = evaluate("--task", "gmner", *f, "--vs", worse, "--bootstrap", 200, "--seed", 1)
        assert again == out
        text = gm.expect_ok(gm.run("eval", "--task", "gmner", *f, "--vs", worse)).out
        assert "1000 resamplings" in text and "p = " in text, text


def test_page():
    with gm.Folder() as d:
        f = files(d)
        page = d / "page.html"
        gm.expect_ok(gm.run("eval", "--task", "gmner", *f, "--html", page))
        with open(page, encoding="utf-8") as file:
            html = file.read()
        for part in ("gmner, rule riveg", "wrong: type", "gold: found with another type", "right",
                     "wrong: in the image or not", "Content-Security-Policy"):
            assert part in html, part
        assert d.names() == ["gold.txt", "p.jsonl", "page.html", "xml"]
        d.write("p.jsonl", PRED[:-9])
        gm.expect(gm.run("eval", "--task", "gmner", *f, "--html", d / "no.html"), 1, "p.jsonl:2")
        assert "no.html" not in d.names()


def test_riveg_files():
    """RiVEG's own lines, on either side: posts without entities have no line there."""
    gold = ("1.jpg###Ann Lee(PER)###a woman###1###&[0, 0, 10, 20]&[70, 0, 90, 9]\n"
            "1.jpg###Oslo(LOC)###a city###0###&[0, 0, 0, 0]\n"
            "2.jpg###Bonn(LOC)###a city###0###&[0, 0, 0, 0]\n")
    pred = ("3.jpg###Rome(LOC)###Rome(LOC)-a city###0###&[0, 0, 0, 0]\n"
            "1.jpg###Ann Lee(PER)###Ann Lee(PER)-a woman###1###&[50, 50, 60, 60]&[0, 0, 10, 10]\n"
            "1.jpg###Oslo(ORG)###Oslo(ORG)-a city###0###&[0, 0, 0, 0]\n")
    with gm.Folder() as d:
        files(d)
        g, p = d.write("gold.riveg.txt", gold), d.write("pred.riveg.txt", pred)
        out = evaluate("--task", "gmner", "--gold", g, "--pred", p)
        assert (out["tp"], out["n_pred"], out["n_gold"], out["posts"]) == (1, 3, 3, 3)
        assert evaluate("--task", "eeg", "--gold", g, "--pred", p)["tp"] == 2
        mixed = evaluate("--task", "gmner", "--gold", g, "--pred", d / "p.jsonl")
        other = evaluate("--task", "gmner", "--gold", d / "gold.txt", "--xml", d / "xml", "--pred", d / "p.jsonl")
        assert mixed["tp"] == other["tp"] == 1 and mixed["steps"] == other["steps"]
        half = d.write("half.txt", pred[pred.index("\n") + 1:])
        out = evaluate("--task", "gmner", "--gold", d / "gold.txt", "--xml", d / "xml", "--pred", half)
        assert (out["tp"], out["n_pred"], out["n_gold"], out["posts"]) == (1, 2, 3, 2)
        gm.expect(gm.run("eval", "--task", "gmner", "--gold", d / "gold.txt", "--xml", d / "xml", "--pred", p),
                  1, "1 predicted post is not in gold (first: id 3")
        gm.expect(gm.run("eval", "--task", "gmner", "--rule", "set", "--gold", g, "--pred", p), 1,
                  "--rule riveg, optimal, ccks or refineg")
        gm.expect(gm.run("eval", "--gold", g, "--pred", p), 1, "without their places")


def test_posts_that_gold_has_no_line_for():
    """Where gold is sparse each system brings posts of its own: they are resampled together, by id."""
    line = "%s.jpg###%s(PER)###%s(PER)-x###0###&[0, 0, 0, 0]\n"
    ann, rest = line % (1, "Ann", "Ann"), [line % (i, "Bob", "Bob") for i in range(2, 10)]
    with gm.Folder() as d:
        gold = d.write("g", "1.jpg###Ann(PER)###x###0###&[0, 0, 0, 0]\n")
        def vs(a, b, *more):
            return evaluate("--task", "gmner", "--gold", gold, "--pred", d.write("a", "".join(a)), "--vs",
                            d.write("b", "".join(b)), *more)
        out = vs([ann], [ann, *rest])
        assert abs(out["vs"]["diff"] - 0.8) < 1e-12, out["vs"]
        low, high = out["vs"]["diff_interval"]
        assert 0 <= low <= 0.8 <= high <= 1 and all(0 <= x <= 1 for x in out["bootstrap"]["precision"]), out
        back = vs([ann, *rest], [ann])
        assert abs(back["vs"]["diff"] + 0.8) < 1e-12 and all(0 <= x <= 1 for x in back["bootstrap"]["precision"])
        # The same answers in another order of lines are the same system.
        same = vs([ann, *rest], [*rest[::-1], ann])
        assert (same["vs"]["diff"], same["vs"]["diff_interval"], same["vs"]["p_value"]) == (0, [0, 0], 1), same["vs"]


def test_page_of_posts_in_another_order():
    """What was seen in a picture and what models were asked is on the page, whatever the order of the file."""
    with gm.Folder() as d:
        f = files(d)
        posts = [json.loads(line) for line in PRED.splitlines()]
        posts[1].update(asked=[{"stage": "tag", "requests": 1}])
        pages = []
        for order in (1, -1):
            d.write("p.jsonl", "".join(json.dumps(p) + "\n" for p in posts[::order]))
            gm.expect_ok(gm.run("eval", "--task", "gmner", *f, "--html", d / "page.html"))
            with open(d / "page.html", encoding="utf-8") as file:
                pages.append(file.read())
        assert "Language models" in pages[0] and pages[0] == pages[1]


def test_curve_at_the_score():
    """At an overlap of 0.5 the curve is the score, with --iou-strict too: PRED's box overlaps by exactly one half."""
    with gm.Folder() as d:
        f = files(d)
        for rule in ("riveg", "set", "optimal", "ccks", "refineg"):
            at_least = evaluate("--task", "gmner", "--rule", rule, *f)
            more = evaluate("--task", "gmner", "--rule", rule, "--iou-strict", *f)
            assert at_least["curve"]["0.50"] == at_least["f1"] > more["f1"] == more["curve"]["0.50"], (rule, more)


def test_options_that_do_not_fit():
    with gm.Folder() as d:
        f = files(d)
        ev = lambda *a: gm.run("eval", *a)
        gm.expect(ev("--rule", "set", "--gold", "g", "--pred", "p"), 2, "--rule is for tasks with boxes")
        gm.expect(ev("--task", "span", "--iou", "0.7", *f[:2], *f[4:]), 2, "--iou is for tasks with boxes")
        gm.expect(ev("--iou-strict", *f[:2], *f[4:]), 2, "--iou-strict is for tasks with boxes")
        gm.expect(ev(*f), 2, "--xml is for tasks with boxes")
        gm.expect(ev("--task", "entail", "--ap", *f), 2, "--ap is for tasks with boxes")
        gm.expect(ev("--task", "entail", "--vs", "x", *f), 2, "not for --task entail")
        gm.expect(ev("--task", "gmner", "--images", "x", *f), 2, "--html FILE")
        gm.expect(ev("--task", "gmner", "--seed", "3", *f), 2, "--bootstrap")
        gm.expect(ev("--task", "gmner", "--gold", "-", "--pred", "p", "--vs", "q"), 2, "standard input")
        gm.expect(ev("--task", "gmner", "--iou", "1.5", *f), 2, "out of range")
        gm.expect(ev("--task", "gmner", "--rule", "best", *f), 2, "riveg|set|optimal|ccks|refineg")


def test_riveg_flag_decides():
    """As in RiVEG's script: flagged in the image, an empty box is a box that fits nothing; flagged out,
    a box does not count."""
    gold = "1.jpg###Oslo(LOC)###a city###0###&[0, 0, 0, 0]\n2.jpg###Ann(PER)###a woman###1###&[0, 0, 9, 9]\n"
    line = "{}.jpg###{}###{}-x###{}###&[{}]\n"
    with gm.Folder() as d:
        g = d.write("g.txt", gold)
        for flag, box, right in ((0, "0, 0, 0, 0", 1), (1, "0, 0, 0, 0", 0), (0, "0, 0, 9, 9", 1)):
            p = d.write("p.txt", line.format(1, "Oslo(LOC)", "Oslo(LOC)", flag, box) +
                        line.format(2, "Ann(PER)", "Ann(PER)", 1, "0, 0, 0, 0"))
            r = gm.expect_ok(gm.run("eval", "--task", "gmner", "--gold", g, "--pred", p, "--json"))
            out = json.loads(r.out)
            assert (out["tp"], out["n_pred"]) == (right, 2), (flag, box, out["tp"])


gm.main(globals())
