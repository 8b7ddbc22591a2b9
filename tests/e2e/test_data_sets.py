"""gmner data convert to training sets: RiVEG's lines and OFA's rows for entailment and grounding."""
import base64
import json
import os
import struct

import gm
from annotations import convert, load, png

W, H = 700, 300
POSTS = [
    {"id": "17", "text": "Ann (x) & C# fly to Oslo", "image": "17.png", "caption": "two women\tand a jet\nat night",
     "entities": [
         {"type": "PER", "start": 0, "end": 3, "expression": "a woman - \"left\"\tof two, )-", "visible": 1.0,
          "regions": [{"box": [1, 2, 350.25, 298]}, {"box": [600.5, 0, 700, 300]}]},
         {"type": "OTHER", "start": 10, "end": 12, "visible": 0.0},
         {"type": "LOC", "start": 20, "end": 24, "expression": "a harbour", "visible": 1.0,
          "regions": [{"box": [-5, 10, 800, 290]}]}]},
    {"id": "18", "text": "nothing here", "image": "18.png", "entities": []},
    {"id": "19", "text": "a tab\tin)-side here, twice a tab\tin)-side", "image": "19.png",
     "entities": [{"type": "(X)-Y", "start": s, "end": s + 14, "visible": 1.0, "expression": "same",
                   "regions": [{"box": [0, 0, 5, 5]}]} for s in (0, 27)]},
    {"id": "20", "text": "Bob without a picture", "entities": [
        {"type": "PER", "start": 0, "end": 3, "visible": 1.0, "regions": [{"box": [0, 0, 5, 5]}]}]},
    {"id": "21", "text": "Cid with a broken one", "image": "21.png", "entities": [
        {"type": "PER", "start": 0, "end": 3, "visible": 1.0, "regions": [{"box": [0, 0, 0, 0]}]}]},
    {"id": "22", "text": "Dan out of sight", "image": "19.png", "entities": [
        {"type": "PER", "start": 0, "end": 3, "visible": 1.0, "regions": [{"box": [700, 10, 710, 20]}]}]},
]


def folder_of_posts(d):
    for name in ("17", "18", "19"):
        d.write(name + ".png", png(W, H))
    d.write("21.png", b"\x89PNG\r\n\x1a\nbroken")
    return d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in POSTS))


def rows_of(path):
    """As OFA's file reader takes them: lines of a text file, cut at every tab."""
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f]


def lost(r, what):
    lines = [x for x in r.err.splitlines() if f": {what}: " in x and "not held" in x]
    return int(lines[0].split(f": {what}: ")[1].split()[0]) if lines else 0


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def bins_of(box, w, h):
    """What OFA's loader makes of a box: the picture scaled to 512 x 512, single precision throughout, a half to
    the even number."""
    out = []
    for value, side in zip(box, (w, h, w, h)):
        scaled = f32(f32(value) * f32(512 / side))
        out.append(round(f32(f32(scaled / 512) * 999)))
    return " ".join(f"<bin_{b}>" for b in out)


def test_ofa_grounding():
    with gm.Folder() as d:
        r = convert(folder_of_posts(d), d / "vg.tsv", "--to", "ofa-vg")
        rows = rows_of(d / "vg.tsv")
        assert [len(row) for row in rows] == [6] * 5
        assert [row[0] for row in rows] == ["17.jpg#0", "17.jpg#0.2", "17.jpg#2", "19.jpg#3", "19.jpg#4"]
        assert [row[1] for row in rows] == ["17", "17", "17", "19", "19"]
        # the loader's columns: 0,4,2,3
        assert rows[0][2] == "Ann(PER)-a woman - \"left\" of two, )-" == rows[1][2]
        assert rows[3][2] == "a tab in_-side(_X_-Y)-same"
        assert [row[3] for row in rows[:3]] == ["1,2,350.25,298", "600.5,0,700,300", "0,10,700,290"]
        for row in rows:
            box = [float(x) for x in row[3].strip().split(",")]
            assert row[5] == bins_of(box, W, H), row[5]
            with open(d / f"{row[1]}.png", "rb") as f:
                assert base64.urlsafe_b64decode(row[4]) == f.read()
        assert rows[2][5] == "<bin_0> <bin_33> <bin_999> <bin_966>"
        assert lost(r, "posts without entities") == 1
        assert lost(r, "entities of posts without a picture that can be read") == 2
        assert lost(r, "parts of boxes outside of the picture (cut off)") == 1
        assert lost(r, "boxes outside of the picture (left out)") == 1
        assert lost(r, "tabs and line ends inside a column (now spaces)") == 4
        assert lost(r, "marks of the format inside a column (now _)") == 4, r.err


def test_ofa_grounding_read():
    """Two boxes of one entity are one entity; one name twice is two. The pictures come along."""
    with gm.Folder() as d:
        source = folder_of_posts(d)
        convert(source, d / "vg.tsv", "--to", "ofa-vg")
        r = convert(d / "vg.tsv", d / "back.jsonl", "--text", source)
        assert "read as OFA grounding rows (--from ofa-vg)" in r.err, r.err
        (post,) = [p for p in load(d / "back.jsonl") if p["id"] == "17"]
        assert [(e["text"], e["start"], e["type"], [x["box"] for x in e["regions"]]) for e in post["entities"]] == [
            ("Ann", 0, "PER", [[1, 2, 350.25, 298], [600.5, 0, 700, 300]]), ("Oslo", 20, "LOC", [[0, 10, 700, 290]])]
        convert(d / "vg.tsv", d / "names.jsonl")
        assert [len(p["entities"]) for p in load(d / "names.jsonl")] == [2, 2]
        assert load(d / "names.jsonl")[0]["image"].startswith("data:image/png;base64,iVBOR")
        # what was read is written alike
        convert(d / "names.jsonl", d / "again.tsv", "--to", "ofa-vg")
        assert [row[1:] for row in rows_of(d / "again.tsv")] == [row[1:] for row in rows_of(d / "vg.tsv")]
        convert(d / "vg.tsv", d / "named.jsonl", "--images", "pics")
        assert load(d / "named.jsonl")[0]["image"].endswith("pics/17.jpg")


def test_ofa_entailment():
    with gm.Folder() as d:
        source = folder_of_posts(d)
        r = convert(source, d / "ve.tsv", "--to", "ofa-ve")
        rows = rows_of(d / "ve.tsv")
        assert [(row[0], row[1], row[3], row[4], row[5]) for row in rows[:3]] == [
            ("17.jpg#0", "17", "Ann(PER)-a woman - \"left\" of two, )-", "two women and a jet at night", "entailment"),
            ("17.jpg#1", "17", "C#(OTHER)", "two women and a jet at night", "contradiction"),
            ("17.jpg#2", "17", "Oslo(LOC)-a harbour", "two women and a jet at night", "entailment")]
        assert len(rows) == 6 and {len(row) for row in rows} == {6}
        assert base64.urlsafe_b64decode(rows[0][2]) == png(W, H)
        assert lost(r, "expressions of entities that have none (the name alone)") == 2
        r = convert(d / "ve.tsv", d / "back.jsonl", "--text", source)
        assert "read as OFA entailment rows (--from ofa-ve)" in r.err, r.err
        back = load(d / "back.jsonl")
        want = POSTS[0]["entities"]
        assert [(e["start"], e["type"], e["visible"]) for e in back[0]["entities"]] == [
            (e["start"], e["type"], e["visible"]) for e in want]
        assert back[0]["entities"][2]["expression"] == "a harbour" and "expression" not in back[0]["entities"][1]
        # of two captions the short one
        d.write("short.jsonl", json.dumps(dict(POSTS[0], caption_short="two women")) + "\n")
        convert(d / "short.jsonl", d / "short.tsv", "--to", "ofa-ve")
        assert {row[4] for row in rows_of(d / "short.tsv")} == {"two women"}
        # RiVEG's own sets have the caption first
        d.write("theirs.tsv", "".join("\t".join([a, b, c, e, h, x]) + "\n" for a, b, c, h, e, x in rows))
        convert(d / "theirs.tsv", d / "b.jsonl")
        convert(d / "ve.tsv", d / "a.jsonl")
        with open(d / "a.jsonl", encoding="utf-8") as a, open(d / "b.jsonl", encoding="utf-8") as b:
            assert a.read() == b.read()


def test_paths():
    with gm.Folder() as d:
        source = folder_of_posts(d)
        os.mkdir(d / "sets")
        r = convert(source, d / "sets/vg.tsv", "--to", "ofa-vg", "--pictures", "path")
        paths = {row[4] for row in rows_of(d / "sets/vg.tsv")}
        assert {os.path.realpath(os.path.join(d / "sets", p)) for p in paths} == {
            os.path.realpath(d / name) for name in ("17.png", "19.png")}, r.err
        convert(d / "sets/vg.tsv", d / "back.jsonl")
        assert [os.path.basename(p["image"]) for p in load(d / "back.jsonl")] == ["17.png", "19.png"]


def jpeg_size(data):
    at = 2
    while data[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    h, w = struct.unpack(">HH", data[at + 5:at + 9])
    return w, h


def test_turned_pictures():
    """A loader that knows nothing of EXIF must see the picture as the boxes are drawn on it."""
    golden = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "image")
    with gm.Folder() as d:
        sizes = {}
        for n in (1, 6):
            with open(os.path.join(golden, f"exif{n}.jpg"), "rb") as f:
                own = f.read()
            d.write("p.jpg", own)
            source = d.write("in.jsonl", json.dumps({"id": "p", "text": "Ann", "image": "p.jpg", "entities": [
                {"type": "X", "start": 0, "end": 3, "visible": 1, "regions": [{"box": [0, 0, 4, 3]}]}]}) + "\n")
            convert(source, d / "vg.tsv", "--to", "ofa-vg")
            convert(source, d / "coco.json", "--to", "coco")
            with open(d / "coco.json", encoding="utf-8") as f:
                image = json.load(f)["images"][0]
            (row,) = rows_of(d / "vg.tsv")
            data = base64.b64decode(row[4])
            assert (data == own) == (n == 1)
            assert jpeg_size(data) == (image["width"], image["height"])
            assert row[5] == bins_of([0, 0, 4, 3], *jpeg_size(data))
            sizes[n] = jpeg_size(own), jpeg_size(data)
        assert sizes[6][0] == sizes[6][1][::-1] != sizes[6][1], sizes


def test_riveg_grounding():
    """One line a box, for entities in the image alone; no pictures are needed."""
    with gm.Folder() as d:
        source = folder_of_posts(d)
        r = convert(source, d / "vg.txt", "--to", "riveg-vg")
        with open(d / "vg.txt", encoding="utf-8") as f:
            lines = f.read().split("\n")
        assert lines[:3] == [
            "Imageid:17.jpg#0###Ann(PER)###Ann(PER)-a woman - \"left\"\tof two, )-###1###&[1, 2, 350.25, 298]",
            "Imageid:17.jpg#0.2###Ann(PER)###Ann(PER)-a woman - \"left\"\tof two, )-###1###&[600.5, 0, 700, 300]",
            "Imageid:17.jpg#2###Oslo(LOC)###Oslo(LOC)-a harbour###1###&[-5, 10, 800, 290]"], lines
        assert lost(r, "entities without a box") == 2, r.err  # not in the image; in it with no box that fits
        convert(d / "vg.txt", d / "back.jsonl", "--text", source)
        back = {p["id"]: p["entities"] for p in load(d / "back.jsonl")}
        assert [[x["box"] for x in e["regions"]] for e in back["17"]] == [
            [[1, 2, 350.25, 298], [600.5, 0, 700, 300]], [[-5, 10, 800, 290]]]
        assert [len(e["regions"]) for e in back["19"]] == [1, 1] and "21" not in back


def test_from_annotated_posts():
    """The whole way: annotated posts, expressions made for their entities, training sets."""
    with gm.Folder() as d:
        d.write("img/7.jpg.png", b"")
        d.write("train.txt", "IMGID:7\nAnn\tB-PER\nin\tO\nOslo\tB-LOC\n\n")
        d.write("xml/7.xml", "<annotation><size><width>20</width><height>10</height></size><object><name>Ann</name>"
                "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox></object></annotation>")
        d.write("7.png", png(20, 10))
        convert(d / "train.txt", d / "gold.jsonl", "--xml", d / "xml")
        post = dict(load(d / "gold.jsonl")[0], image="7.png")
        d.write("gold.jsonl", json.dumps(post) + "\n")
        recipe = d.write("expand.yaml", "stages:\n  - {stage: expand, backend: template}\n")
        gm.expect_ok(gm.run("predict", "--recipe", recipe, d / "gold.jsonl", "-o", d / "expanded.jsonl"))
        convert(d / "expanded.jsonl", d / "vg.tsv", "--to", "ofa-vg")
        (row,) = rows_of(d / "vg.tsv")
        assert row[2].startswith("Ann(PER)-") and len(row[2]) > 10, row[2]
        assert row[3] == "1,2,9,8" and row[5] == "<bin_50> <bin_200> <bin_450> <bin_799>", row
        convert(d / "expanded.jsonl", d / "ve.tsv", "--to", "ofa-ve")
        assert [row[5] for row in rows_of(d / "ve.tsv")] == ["entailment", "contradiction"]


def test_rows_that_are_none():
    good = "1.jpg#0\t1\tAn(X)-y\t0,0,4,4\tp.png\t<bin_0>\n"
    bad = {"a\tb\n": "columns", good.replace("An(X)-y", "An"): "no entity", good.replace("0,0,4,4", "0,0,4"): "no box",
           good.replace("0,0,4,4", "0,0,4,x"): "no box", good.replace("\t1\t", "\t\t"): "no image id",
           good.replace("\n", "\tmore\n"): "columns"}
    with gm.Folder() as d:
        for line, why in bad.items():
            r = convert(d.write("in.tsv", good + line + good.replace("1", "2")), d / "o.jsonl", "--from", "ofa-vg", code=3)
            assert "in.tsv:2: " in r.err and why in r.err, (line, r.err)
            assert [p["id"] for p in load(d / "o.jsonl")] == ["1", "2"], line
        r = convert(d.write("in.tsv", "1.jpg#0\t1\tp.png\tAn(X)\t\tmaybe\n"), d / "o.jsonl", "--from", "ofa-ve", code=3)
        assert "none of entailment, contradiction and neutral" in r.err


gm.main(globals())
