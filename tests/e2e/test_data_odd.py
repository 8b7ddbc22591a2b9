"""No command writes what another refuses: odd posts through every writer, and read again."""
import json
import os
import random
import re

import gm
from annotations import convert, counts_of, load, png

WRITTEN = [("jsonl", "jsonl"), ("conll", "conll"), ("fmnerg", "conll"), ("voc", "voc"), ("ccks", "ccks"),
           ("ccks-text", "ccks"), ("coco", "coco"), ("labelstudio", "labelstudio"), ("riveg", "riveg"),
           ("riveg-pred", "riveg"), ("riveg-ve", "riveg"), ("riveg-vg", "riveg"), ("ofa-ve", "ofa-ve"), ("ofa-vg", "ofa-vg")]
ODD = ["###", ")###", "(", ")", "#", "&[1, 2]", "-", "Imageid:1", "IMGID:7", "\n", "\r", "\t", " ", "\u2028", "\0",
       "\x01", "\x7f", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "\ufeff", "\ufffe", "<", "&",
       "]]>", "\"", "\\", "'", "<EOS>", "-DOCSTART-", "O", "B-PER", "[", "{", "a", "Ann", "\u0301", "\u200b", "."]
BOXES = [[1, 2, 6.5, 8], [0, 0, 0, 0], [5, 1, 5, 9], [9, 1, 2, 8], [1, 9, 2, 8], [3, 3, 3.001, 8], [-5, -5, 4, 4],
         [1e9, 1e9, 1e9, 1e9], [-1e9, -1e9, 1e9, 1e9], [0.1, 0.2, 0.30000000000000004, 100.1], [15, 5, 99, 99]]
MASKS = [{"size": [10, 20], "counts": counts_of([[int(x < 5) for x in range(20)] for _ in range(10)])[0]},
         {"size": [10, 20], "counts": counts_of([[0] * 20 for _ in range(10)])[0]},
         {"size": [2, 3], "counts": counts_of([[1, 0, 1], [0, 1, 1]])[0]},
         {"size": [10, 20], "counts": "~~~"}, {"size": [10, 20], "counts": "0"},
         {"size": [2000000000, 2000000000], "counts": "0"}]


def word(rng):
    return "".join(rng.choice(ODD) for _ in range(rng.randint(1, 4)))


def region(rng):
    r = {"box": rng.choice(BOXES), "score": rng.choice([0, 0.5, 1])}
    if rng.random() < 0.4:
        r["mask"] = rng.choice(MASKS)
    if rng.random() < 0.2:
        r.update(label=word(rng), note=word(rng), crowd=True)
    return r


def post(rng, number):
    text = "".join(rng.choice(ODD) for _ in range(rng.choice([0, 1, 3, 9])))
    p = {"id": rng.choice([str(number), f"{word(rng)}{number}", f"{number} {word(rng)}", number]), "text": text, "entities": []}
    if rng.random() < 0.5:
        p["image"] = rng.choice(["p.png", "no.jpg", "a b/\u00e9.tiff", "https://x.org/p?id=1&sig=2"])
    for _ in range(rng.randint(0, 4)):
        start = rng.randint(0, len(text))
        e = {"type": rng.choice(["PER", "A B", "###", "X\ny", "(Y)", "-", "B-"]), "start": start,
             "end": rng.randint(start, len(text)), "regions": [region(rng) for _ in range(rng.randint(0, 3))]}
        for key, value in (("fine_type", word(rng)), ("expression", word(rng)), ("visible", rng.choice([0, 0.4, 1]))):
            if rng.random() < 0.5:
                e[key] = value
        p["entities"].append(e)
    if rng.random() < 0.3:
        p["objects"] = [{"label": word(rng), "score": 0.5, "box": rng.choice(BOXES)} for _ in range(2)]
    for key in ("caption", "knowledge"):
        if rng.random() < 0.3:
            p[key] = word(rng)
    return p


def test_what_is_written_is_read():
    rng = random.Random(13)
    with gm.Folder() as d:
        d.write("p.png", png(20, 10))
        posts = [post(rng, i) for i in range(400)]
        source = d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
        for to, read_as in WRITTEN:
            out = d / f"out-{to}"
            r = gm.run("data", "convert", source, out, "--to", to)
            assert r.code in (0, 3), (to, r.code, r.err[-1500:])
            told = [x for x in r.err.split("\n") if "error: " in x]  # splitlines cuts at U+2028
            for line in told:  # a post that the format can't hold at all
                assert "not written" in line and "can't be the name of a file" in line, (to, line)
            for form in (read_as, "auto"):
                back = gm.run("data", "convert", out, d / "back.jsonl", "--from", form)
                assert back.code == 0, (to, form, back.errors[:5])
            again = gm.run("data", "convert", d / "back.jsonl", d / "again.jsonl")
            assert again.code == 0, (to, again.errors[:3])
            for p in load(d / "again.jsonl"):
                for e in p.get("entities", []):
                    for x in e["regions"]:
                        b = x["box"]
                        assert b == [0, 0, 0, 0] or (b[0] < b[2] and b[1] < b[3]), (to, b)


GOOD, TURNED, EMPTY = [1, 2, 6, 8], [9, 1, 2, 8], [5, 1, 5, 9]
BOTH = [("Ann", [TURNED, GOOD, EMPTY]), ("Bob", [TURNED])]  # names and their boxes


def files_of(d):
    """The same names and boxes in every format that has boxes."""
    flat = [(name, b) for name, boxes in BOTH for b in boxes]
    text = {"id": "7", "text": "Ann; Bob", "image": "7.jpg"}
    yield "jsonl", json.dumps({**text, "entities": [
        {"type": "X", "start": s, "end": s + 3, "visible": 1, "regions": [{"box": b} for b in boxes]}
        for s, (_, boxes) in zip((0, 5), BOTH)], "objects": [{"label": "x", "box": b} for b in (GOOD, TURNED)]}) + "\n"
    yield "coco", json.dumps({
        "images": [{"id": 1, "file_name": "7.jpg", "width": 20, "height": 10, "gmner": {"id": "7", "text": "Ann; Bob"}}],
        "categories": [{"id": 1, "name": "X"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]],
                         "gmner": {"entity": int(n == "Bob"), "text": n, "start": 5 * (n == "Bob"), "end": 5 * (n == "Bob") + 3}}
                        for n, b in flat]})
    size = {"original_width": 20, "original_height": 10}
    results = [{"id": n, "type": "labels", "value": {"start": s, "end": s + 3, "text": n, "labels": ["X"]}}
               for n, s in (("Ann", 0), ("Bob", 5))]
    for i, (n, b) in enumerate(flat):
        results += [{"id": f"r{i}", "type": "rectanglelabels", **size, "value": {
            "x": b[0] * 5, "y": b[1] * 10, "width": (b[2] - b[0]) * 5, "height": (b[3] - b[1]) * 10, "rectanglelabels": ["X"]}},
                    {"type": "relation", "from_id": n, "to_id": f"r{i}"}]
    yield "labelstudio", json.dumps([{"data": text, "annotations": [{"result": results}]}])
    yield "ccks", json.dumps({"7": [{"name": n, "label": "X", "bnd": dict(zip(("xmin", "ymin", "xmax", "ymax"), b))}
                                    for n, b in flat]})
    yield "riveg", "".join(f"7.jpg###{n}(X)###e###1###" + "".join(f"&{b}" for b in boxes) + "\n" for n, boxes in BOTH)
    d.write("xml/7.xml", "<annotation>" + "".join(
        f"<object><name>{n}</name><bndbox><xmin>{b[0]}</xmin><ymin>{b[1]}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax>"
        "</bndbox></object>" for n, b in flat) + "</annotation>")
    yield "voc", None


def test_bad_boxes_alike():
    """Empty boxes and those the wrong way round are left out and counted; who had no other keeps [0, 0, 0, 0]."""
    with gm.Folder() as d:
        for form, content in files_of(d):
            source = d / "xml" if content is None else d.write("in", content)
            r = convert(source, d / "o.jsonl", "--from", form)
            boxes = [[x["box"] for x in e["regions"]] for e in load(d / "o.jsonl")[0]["entities"]]
            assert boxes == [[GOOD], [[0, 0, 0, 0]]], (form, boxes)
            turned = 2 + (form == "jsonl")  # its object
            assert f"not read: boxes the wrong way round: {turned} (first: post 7)" in r.err, (form, r.err)
            assert "not read: boxes without area: 1 (first: post 7)" in r.err, (form, r.err)
            found = gm.run("data", "check", source, "--from", form, "--json")
            assert json.loads(found.out)["counts"]["box-empty"] >= 3, (form, found.out)
        # whoever reads says it, not data alone
        r = gm.run("view", d.write("in.jsonl", dict(files_of(d))["jsonl"]))
        assert "in.jsonl: not read: boxes the wrong way round: 3 (first: post 7)" in r.err, r.err
        # boxes beside the posts: the same rule
        convert(d.write("t.txt", "IMGID:7\nAnn\tB-X\nBob\tB-X\n\n"), d / "o.jsonl", "--xml", d / "xml")
        es = load(d / "o.jsonl")[0]["entities"]
        assert [[x["box"] for x in e["regions"]] for e in es] == [[GOOD], [[0, 0, 0, 0]]]
        assert [e["visible"] for e in es] == [1, 1]


def test_numbers_without_noise():
    """Boxes have at most two decimals in every file, CCKS's none, and are the same when they are read again."""
    boxes = [[0.1, 0.1, 0.1 + 0.2, 100.1], [100.099998, 33.333333333, 166.66666, 99.999], [1, 2, 6.5, 8]]
    want = [[0.1, 0.1, 0.3, 100.1], [100.1, 33.33, 166.67, 100], [1, 2, 6.5, 8]]
    whole = [[0, 0, 1, 100], [100, 33, 167, 100], [1, 2, 6, 8]]  # the thin one keeps a pixel
    p = {"id": "9", "text": "Ann", "entities": [{"type": "X", "start": 0, "end": 3, "regions": [{"box": b} for b in boxes]}]}
    with gm.Folder() as d:
        source = d.write("in.jsonl", json.dumps(p) + "\n")
        for to in ("jsonl", "coco", "ccks", "riveg", "voc"):
            out = d / f"o-{to}"
            convert(source, out, "--to", to)
            with open(d / "o-voc/9.xml" if to == "voc" else out, encoding="utf-8") as f:
                text = f.read()
            assert to != "ccks" or "." not in text, text
            assert not re.search(r"\.\d\d\d", re.sub(r'"area": [\d.]+', "", text)), (to, text)
            convert(out, d / "back.jsonl", "--from", to)
            assert [x["box"] for x in load(d / "back.jsonl")[0]["entities"][0]["regions"]] == (whole if to == "ccks" else want), to


def test_box_of_nothing():
    """RiVEG's flag 1 with [0, 0, 0, 0] stays one through records; formats without that meaning count it."""
    line = "7.jpg###Ann(X)###e###1###&[0, 0, 0, 0]\n"
    with gm.Folder() as d:
        convert(d.write("a.txt", line), d / "a.jsonl", "--from", "riveg")
        r = convert(d / "a.jsonl", d / "b.txt", "--to", "riveg")
        with open(d / "b.txt", encoding="utf-8") as f:
            assert f.read() == line and "boxes" not in r.err
        for to in ("coco", "labelstudio", "ccks", "voc"):
            r = convert(d / "a.jsonl", d / to, "--to", to)
            assert "boxes that fit nothing ([0, 0, 0, 0]): 1" in r.err, (to, r.err)


def test_broken_masks_of_records():
    """A mask that can't be decoded is left out by every writer, and its box stays."""
    p = {"id": "9", "text": "Ann", "entities": [{"type": "X", "start": 0, "end": 3, "regions": [
        {"box": GOOD, "mask": MASKS[3]}, {"box": GOOD, "mask": MASKS[0]}]}]}
    with gm.Folder() as d:
        source = d.write("in.jsonl", json.dumps(p) + "\n")
        for to in ("jsonl", "coco", "labelstudio"):
            r = convert(source, d / f"o.{to}", "--to", to)
            assert "masks (" in r.err and "): 1 (first: post 9)" in r.err, (to, r.err)
            convert(d / f"o.{to}", d / "back.jsonl", "--from", to)
            regions = load(d / "back.jsonl")[0]["entities"][0]["regions"]
            assert [x["box"] for x in regions] == [GOOD, GOOD], (to, regions)
            assert [x.get("mask") for x in regions] == [None, MASKS[0]], (to, regions)


def test_every_format_is_here_and_in_the_docs():
    told = re.sub(r"\|\n +", "|", gm.run("help", "data").out)  # a long list goes over lines
    names = {option: set(re.search(rf"--{option} auto\|(\S+)", told).group(1).split("|"))
             for option in ("from", "to")}
    assert {to for to, _ in WRITTEN} == names["to"]
    assert {back for _, back in WRITTEN} <= names["from"]
    with open(os.path.join(gm.HOME, "docs", "formats.md"), encoding="utf-8") as f:
        table = f.read().split("\n\n| name |")[1].split("\n\n")[0].split("\n")
        rows = {name for line in table if line.startswith("| `") for name in re.findall(r"`([\w-]+)`", line.split("|")[1])}
    assert rows == names["from"] | names["to"], rows ^ (names["from"] | names["to"])


gm.main(globals())
