"""gmner data check: every finding, its place, and no finding where nothing is wrong."""
import json
import os

import gm
from annotations import counts_of, png


def test_check():
    gold = ("IMGID:1\nAnn\tB-PER\nLee\tI-PER\n\nIMGID:2\nin\tO\nOslo\tI-LOC\n\nIMGID:1\nagain\tO\n\n"
            "IMGID:4\nyou\tO\nand\tO\nme\tO\nand\tO\nthe\tO\nlong\tO\nlong\tO\nsea\tO\n\n")
    dev = ("IMGID:4\nsomething\tO\n\nIMGID:6\nann\tO\nLEE\tO\nhttps://t.co/x\tO\n\n"
           "IMGID:7\nYou\tO\nand\tO\nme\tO\nthe\tO\nlong\tO\nsea\tO\n!\tO\n\n")
    box = ("<annotation><size><width>20</width><height>10</height></size>"
           "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>1</ymin><xmax>{}</xmax>"
           "<ymax>9</ymax></bndbox></object></annotation>")
    with gm.Folder() as d:
        a, b = d.write("a.txt", gold), d.write("b.txt", dev)
        d.write("xml/1.xml", box.format("Bob", 1, 40))
        d.write("xml/2.xml", box.format("Oslo", 5, 5))
        d.write("img/1.jpg", png(20, 10))
        d.write("img/2.jpg", png(9, 9))
        d.write("img/4.jpg", b"no picture")
        r = gm.run("data", "check", a, b, "--xml", d / "xml", "--images", d / "img", "--json")
        assert r.code == 3, r.err
        out = json.loads(r.out)
        assert (out["files"], out["posts"]) == (2, 7)
        got = {(f["kind"], os.path.basename(f["file"]), f["line"], f["id"]) for f in out["findings"]}
        for want in [("tags", "a.txt", 7, "2"), ("box-name", "a.txt", 1, "1"),
                     ("box-outside", "a.txt", 1, "1"), ("image-size", "a.txt", 5, "2"),
                     ("duplicate-id", "a.txt", 9, "1"), ("image-unreadable", "a.txt", 12, "4"),
                     ("leak-id", "b.txt", 1, "4"), ("leak-exact", "b.txt", 4, "6"),
                     ("leak-near", "b.txt", 9, "7"), ("image-missing", "b.txt", 4, "6"),
                     ("box-empty", "a.txt", 5, "2")]:
            assert want in got, (want, sorted(got))
        assert out["counts"]["leak-exact"] == 1 and out["counts"]["leak-near"] == 1
        text = gm.run("data", "check", a, b, "--xml", d / "xml", "--images", d / "img")
        assert text.code == 3 and "a.txt:7: tags: post 2: 1 tag breaks the scheme" in text.out
        clean = gm.run("data", "check", d.write("c.txt", "IMGID:1\nAnn\tB-PER\n\n"))
        assert clean.code == 0 and "0 findings" in clean.out, clean.out
        ends = gm.run("data", "check", d.write("e.txt", "a\tB-X\nb\tE-X\n\nc\tB-X\n\nd\tS-X\ne\tI-X\n\n"))
        assert ends.code == 3 and [l.split(":")[1] for l in ends.out.splitlines()[:2]] == ["4", "7"]
        broken = gm.run("data", "check", d.write("f.jsonl", '{"text": "a"}\n{"text": 5}\n'))
        assert broken.out.count("f.jsonl:2:") == 1, broken.out
        assert broken.code == 3 and "f.jsonl:2: unreadable: " in broken.out


def findings(*args):
    r = gm.run("data", "check", *args, "--json")
    assert r.code in (0, 3), r.err
    return [(f["kind"], f["id"], f["message"]) for f in json.loads(r.out)["findings"]]


def kinds_of(d, text, *entities, **post):
    """The kinds found for a post of these (start, end, type)."""
    one = {"id": "1", "text": text, **post,
           "entities": [{"start": s, "end": e, "type": t} for s, e, t in entities]}
    return [k for k, _, _ in findings(d.write("one.jsonl", json.dumps(one) + "\n"))]


def test_places_of_entities():
    with gm.Folder() as d:
        text = "Ann Lee of Oslo\u0301's #AnnLee, US-led"
        assert kinds_of(d, text, (0, 7, "PER"), (11, 16, "LOC"), (20, 26, "PER"), (28, 30, "LOC")) == []
        assert kinds_of(d, text, (0, 7, "PER"), (0, 7, "PER")) == ["entity-duplicate"]
        assert kinds_of(d, text, (0, 7, "PER"), (0, 7, "LOC")) == ["entity-overlap"]
        # the wide one first: both names inside of it are told, the second though the first ended
        assert kinds_of(d, text, (4, 7, "PER"), (0, 16, "LOC"), (8, 10, "X")) == ["entity-overlap"] * 2
        assert kinds_of(d, text, (3, 3, "PER")) == ["entity-empty"]
        assert kinds_of(d, text, (3, 4, "PER")) == ["entity-empty"]
        assert kinds_of(d, text, (0, 4, "PER")) == ["entity-space"]
        assert kinds_of(d, text, (0, 2, "PER")) == ["entity-mid-word"]
        assert kinds_of(d, text, (11, 15, "LOC")) == ["entity-mid-word"]  # without its accent
        # words that came with the post count, and scripts without spaces have no edges to see
        assert kinds_of(d, "US-led", (0, 2, "LOC"), tokens=["US-led"]) == ["entity-mid-word"]
        assert kinds_of(d, "ab", (0, 1, "X"), tokens=["a", "b"]) == []
        for other in ("\u6211\u5728\u5317\u4eac\u4f4f", "\uc11c\uc6b8\uc5d0\uc11c", "\u0e09\u0e31\u0e19\u0e23\u0e31\u0e01"):
            assert kinds_of(d, other, (0, 2, "LOC")) == [], other


def test_masks():
    inside = [[1, 1], [0, 0]]
    masks = {"good": ([2, 2], counts_of(inside)[0]), "mask-empty": ([2, 2], counts_of([[0, 0], [0, 0]])[0]),
             "mask-size": ([3, 2], counts_of([[1, 1]] * 3)[0]), "mask-unreadable": ([2, 2], "~~")}
    with gm.Folder() as d:
        for kind, (size, counts) in masks.items():
            post = {"id": "7", "text": "Ann", "image": "p.png", "entities": [
                {"start": 0, "end": 3, "type": "PER", "regions": [
                    {"box": [0, 0, 2, 1], "mask": {"size": size, "counts": counts}}]}]}
            d.write("p.png", png(2, 2))
            got = findings(d.write("m.jsonl", json.dumps(post) + "\n"))
            assert [k for k, _, _ in got] == ([] if kind == "good" else [kind]), (kind, got)


def test_left_out():
    """What the reader drops is found too, at its post, and only that."""
    coco = {"images": [{"id": i, "file_name": f"{i}.jpg", "width": 4, "height": 4} for i in (1, 2)],
            "categories": [{"id": 1, "name": "x"}],
            "annotations": [{"image_id": 2, "category_id": 1, "bbox": [0, 0, 1, 1], "keypoints": [],
                             "segmentation": {"size": [4, 4], "counts": "~"}},
                            {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "segmentation": []},
                            {"image_id": 3, "category_id": 1, "bbox": [0, 0, 1, 1]}]}
    with gm.Folder() as d:
        got = [f for f in findings(d.write("c.json", json.dumps(coco))) if f[0] == "left-out"]
        assert [(i, m.split(" (")[0]) for _, i, m in got] == [("2", "masks"), ("", "annotations of no image: 1")], got


def test_types():
    with gm.Folder() as d:
        one = d.write("one.txt", "IMGID:1\nAnn\tB-PER\nof\tO\nOslo\tB-LOC\n\nIMGID:2\nRome\tB-LOC\n\n")
        two = d.write("two.txt", "IMGID:3\nBob\tB-PER\n\nIMGID:4\nParis\tB-lOC\nand\tO\nKyiv\tB-lOC\n\n")
        assert findings(one) == []
        assert findings(one, two) == [
            ("type-unknown", "1", '"LOC" is a type of no other file; 2 entities of it, the first here'),
            ("type-unknown", "4", '"lOC" is a type of no other file; 2 entities of it, the first here')]
        for files in ((one, two), (two, one), (two,)):
            assert [(k, i) for k, i, _ in findings(*files, "--types", "PER, LOC,MISC")] == [("type-unknown", "4")]


gm.main(globals())
