"""gmner data: every format written and read again, what is lost told, findings, counts, parts."""
import json
import os
import xml.etree.ElementTree as ET

import gm
from annotations import convert, counts_of, load, png

# Words that every format's own marks are in: #, (, -, &, <, ", an astral character.
POSTS = [
    {"id": "17", "text": "\U0001F600 Ann-Lee (x) & C# fly to Oslo", "image": "17.png",
     "entities": [
         {"type": "PER", "start": 2, "end": 9, "text": "Ann-Lee", "fine_type": "actor",
          "expression": "a woman - (left) & #1", "visible": 1.0,
          "regions": [{"box": [1, 2, 6.5, 8], "score": 0.5,
                       "mask": {"size": [10, 20], "counts": None}},
                      {"box": [10, 0, 20, 10], "score": 1.0}]},
         {"type": "OTHER", "start": 16, "end": 18, "text": "C#", "visible": 0.0},
         {"type": "LOC", "start": 26, "end": 30, "text": "Oslo", "visible": 0.0}]},
    {"id": "18", "text": "nothing here", "image": "18.png", "entities": []},
    {"id": "19", "text": "Oslo <is> \"Oslo\"", "image": "19.png",
     "entities": [{"type": "LOC", "start": 0, "end": 4, "text": "Oslo", "visible": 1.0,
                   "regions": [{"box": [0, 0, 5, 5], "score": 1.0}]}]},
]
W, H = 20, 10


MASK = [[int(2 <= x < 6 and 3 <= y < 8 and (x, y) != (2, 3)) for x in range(W)] for y in range(H)]
COUNTS, RUNS = counts_of(MASK)
POSTS[0]["entities"][0]["regions"][0]["mask"]["counts"] = COUNTS


def folder_of_posts(d):
    for post in POSTS:
        d.write(post["image"], png(W, H))
    return d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in POSTS))


def entities(post, *fields):
    """What of each entity a format is expected to keep; boxes as lists of numbers."""
    out = []
    for e in post["entities"]:
        one = {f: e.get(f) for f in fields if f not in ("boxes", "masks")}
        if "boxes" in fields:
            one["boxes"] = [r["box"] for r in e.get("regions", [])]
        if "masks" in fields:
            one["masks"] = [r.get("mask", {}).get("counts") for r in e.get("regions", [])]
        out.append(one)
    return out


def same(path, *fields, posts=POSTS):
    back = load(path)
    assert [p["id"] for p in back] == [p["id"] for p in posts], back
    for a, b in zip(posts, back):
        assert entities(a, *fields) == entities(b, *fields), (entities(a, *fields),
                                                              entities(b, *fields))
    return back


def losses(r, what):
    """The number told for one kind of loss; 0 = none."""
    for line in r.err.splitlines():
        if f": {what}: " in line and "not held" in line:
            return int(line.split(f": {what}: ")[1].split()[0])
    return 0


def test_label_studio_round_trip():
    with gm.Folder() as d:
        source, tasks, back = folder_of_posts(d), d / "tasks.json", d / "back.jsonl"
        r = convert(source, tasks, "--to", "labelstudio")
        assert "read as JSON Lines records" in r.err and "not held" not in r.err, r.err
        r = convert(tasks, back)
        assert "read as Label Studio tasks (--from labelstudio)" in r.err
        posts = same(back, "text", "type", "start", "end", "fine_type", "expression", "visible",
                     "boxes", "masks")
        assert [p["text"] for p in posts] == [p["text"] for p in POSTS]
        assert posts[0]["entities"][0]["regions"][0]["score"] == 0.5
        assert "objects" not in posts[0]


def decode_brush(data, w, h):
    """Label Studio's brush bytes to rows of alpha values, from the format's public description:
    bits high first; 32 bits the number of values, 5 the bits of a value less one, 4 x 4 the widths
    of lengths less one; then records of 1 bit "repeat", 2 bits which width, a length less one, and
    one value or as many as the length says."""
    bits = "".join(f"{byte:08b}" for byte in data)
    at = 0

    def take(n):
        nonlocal at
        at += n
        assert at <= len(bits)
        return int(bits[at - n:at], 2)

    n, size = take(32), take(5) + 1
    widths = [take(4) + 1 for _ in range(4)]
    assert n == w * h * 4
    values = []
    while len(values) < n:
        repeat = take(1)
        length = take(widths[take(2)]) + 1
        values += [take(size)] * length if repeat else [take(size) for _ in range(length)]
    assert len(values) == n and len(bits) - at < 8
    return [[values[4 * (y * w + x) + 3] for x in range(w)] for y in range(h)]


def test_label_studio_task():
    """Text and image in one task, percent, code points, relations; the brush by another decoder."""
    with gm.Folder() as d:
        convert(folder_of_posts(d), d / "tasks.json", "--to", "labelstudio")
        with open(d / "tasks.json", encoding="utf-8") as f:
            tasks = json.load(f)
        assert len(tasks) == 3 and tasks[0]["data"] == {
            "id": "17", "text": POSTS[0]["text"], "image": "17.png"}
        results = {r.get("id", r["type"]): r for r in tasks[0]["predictions"][0]["result"]}
        label, box, brush = results["e0"], results["e0r0"], results["e0r0m"]
        assert (label["type"], label["to_name"]) == ("labels", "text")
        assert label["value"] == {"start": 2, "end": 9, "text": "Ann-Lee", "labels": ["PER"]}
        assert (box["type"], box["to_name"]) == ("rectanglelabels", "image")
        assert (box["original_width"], box["original_height"], box["score"]) == (W, H, 0.5)
        v = box["value"]
        assert [v["x"], v["y"], v["width"], v["height"]] == [5, 20, 27.5, 60]
        assert brush["value"]["format"] == "rle" and brush["parentID"] == "e0r0"
        alpha = decode_brush(brush["value"]["rle"], W, H)
        assert alpha == [[255 * v for v in row] for row in MASK]
        ties = [r for r in tasks[0]["predictions"][0]["result"] if r["type"] == "relation"]
        assert [(t["from_id"], t["to_id"]) for t in ties] == [("e0", "e0r0"), ("e0", "e0r1")]


def bits_to_bytes(bits):
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)]


def test_label_studio_annotations():
    """What its own editor stores: UTF-16 offsets of old versions, other brush widths, literal
    values, a cancelled annotation, a rectangle that nothing ties."""
    values = [v for x in (0, 1, 1, 0) for v in (9, 9, 9, 200 * x)]
    bits = f"{16:032b}{7:05b}" + "".join(f"{n - 1:04b}" for n in (2, 5, 7, 9))
    bits += "0" + "01" + f"{15:05b}" + "".join(f"{v:08b}" for v in values)
    size = {"original_width": 2, "original_height": 2}
    result = [
        {"id": "a", "type": "labels", "value": {"start": 3, "end": 6, "text": "Ann",
                                                "labels": ["PER"]}},
        {"id": "b", "type": "brushlabels", **size,
         "value": {"format": "rle", "rle": bits_to_bytes(bits), "brushlabels": ["PER"]}},
        {"id": "c", "type": "rectanglelabels", **size, "value": {
            "x": 0, "y": 0, "width": 50, "height": 50, "rotation": 3, "rectanglelabels": ["dog"]}},
        {"type": "relation", "from_id": "b", "to_id": "a"},
        {"type": "choices", "value": {"choices": ["x"]}}]
    tasks = [{"id": 5, "data": {"tweet": "\U0001F600 Ann", "photo": "/data/local-files/?d=x/y.jpg"},
              "annotations": [{"was_cancelled": True, "result": []}, {"result": result},
                              {"result": []}]}]
    with gm.Folder() as d:
        r = convert(d.write("t.json", json.dumps(tasks)), d / "o.jsonl")
        (post,) = load(d / "o.jsonl")
        assert post["id"] == "5" and post["image"] == "x/y.jpg", post
        (e,) = post["entities"]
        assert (e["text"], e["start"], e["end"]) == ("Ann", 2, 5)
        (region,) = e["regions"]
        assert region["box"] == [0, 0, 2, 2]
        assert region["mask"]["counts"] == counts_of([[0, 1], [1, 0]])[0]
        assert post["objects"] == [{"label": "dog", "score": 1.0, "box": [-0.05, 0, 1, 1.05]}]
        for told in ("further annotations of a task: 1", "rotations of rectangles (now the box around each): 1",
                     "no labels, rectangles, brushes or relations: 1"):
            assert told in r.err, r.err


def read_task(d, data, *results, key="annotations"):
    """The one post of a task, and what was said of it."""
    path = d.write("task.json", json.dumps([{"id": 1, "data": data, key: [{"result": list(results)}]}]))
    r = convert(path, d / "task.jsonl")
    return load(d / "task.jsonl")[0], r.err


def text_label(start, end, text, kind="PER"):
    return {"id": f"{start}-{end}", "type": "labels", "to_name": "text",
            "value": {"start": start, "end": end, "text": text, "labels": [kind]}}


def test_label_studio_places():
    """A label is where its own text is; the unit of offsets is one for all labels of a task."""
    cases = [
        # White space is collapsed or left out in a label's own text; offsets in UTF-16 units.
        ("\U0001F600 in Berlin,  Germany", [(6, 22, "Berlin, Germany")], [(5, 21)], None),
        ("Ann\nLee in Oslo", [(0, 7, "AnnLee")], [(0, 7)], None),
        # CRLF counts as one; a unit that one label proves holds for those that prove nothing.
        ("Ann\r\nis in\r\nOslo", [(10, 14, "Oslo")], [(12, 16)], None),
        ("\U0001F600 aa bb", [(3, 4, "a"), (6, 8, "bb")], [(2, 3), (5, 7)], None),
        # At neither place: where the text stands once, else nowhere.
        ("Ann in Oslo", [(0, 4, "Oslo")], [(7, 11)], "found by the labels' own text"),
        ("Oslo or Oslo", [(3, 7, "Oslo")], [], "labels whose own text is not"),
    ]
    with gm.Folder() as d:
        for text, labels, places, told in cases:
            post, err = read_task(d, {"text": text}, *(text_label(*x) for x in labels))
            got = [(e["start"], e["end"]) for e in post.get("entities", [])]
            assert got == places, (text, got)
            assert (told in err) if told else ("not read" not in err), (text, err)


def test_label_studio_regions():
    size = {"original_width": 1000, "original_height": 500, "to_name": "image"}

    def box(i, kind, turn=0, **more):
        return {"id": i, "type": kind, **size, **more,
                "value": {"x": 20, "y": 20, "width": 30, "height": 20, "rotation": turn}}

    def link(a, b):
        return {"type": "relation", "from_id": a, "to_id": b, "direction": "right"}
    data, ann = {"text": "Ann", "image": "x.jpg"}, text_label(0, 3, "Ann")
    label = box("r", "labels")
    label["value"]["labels"] = ["PER"]
    with gm.Folder() as d:
        # 300 x 100 pixels turned clockwise by a right angle about its upper left corner.
        post, err = read_task(d, data, ann, box("r", "rectangle", 90), link("0-3", "r"))
        assert post["entities"][0]["regions"][0]["box"] == [100, 100, 200, 400] and "not read" not in err
        # <Rectangle> and <Labels>: two results of one id are one region with that label.
        post, err = read_task(d, data, ann, box("r", "rectangle"), label)
        assert post["objects"] == [{"label": "PER", "score": 1.0, "box": [200, 100, 500, 200]}], err
        assert [e["text"] for e in post["entities"]] == ["Ann"]
        # A region of another picture of the task is no region of this one.
        post, err = read_task(d, data, ann, box("r", "rectanglelabels", item_index=1))
        assert "objects" not in post and "further pictures: 1" in err, err
        post, err = read_task(d, data, ann, key="completions")
        assert len(post["entities"]) == 1


def test_label_studio_pictures():
    """Which datum is the picture and which the text, and whose a region is."""
    signed = "https://store.org/b/7?X-Sig=a.b/c"

    def box(to, **more):
        return {"id": to, "type": "rectanglelabels", "to_name": to, "original_width": 100, "original_height": 100, **more,
                "value": {"x": 10, "y": 10, "width": 20, "height": 20, "rectanglelabels": ["X"]}}

    def on(to):
        return {**text_label(0, 3, "Ann"), "to_name": to}
    ann, other = "Ann at sea", "regions of a task's further pictures: 1"
    cases = [  # data, results; text, end of the image's path, objects, what is told
        ({"text": ann, "image": signed}, [], ann, signed, 0, None),
        ({"tweet": ann, "pic": signed}, [box("pic")], ann, signed, 1, None),
        ({"tweet": ann, "scan": "x/7.tiff"}, [], ann, "x/7.tiff", 0, None),
        ({"tweet": ann, "scan": "s3://b/7.JPG?sig=1"}, [], ann, "s3://b/7.JPG?sig=1", 0, None),
        ({"url": signed, "tweet": ann}, [box("shown")], ann, signed, 1, None),
        # the post's text is never its picture: an address, a file name, words that end in one
        ({"text": "https://t.co/a.jpg"}, [box("img")], "https://t.co/a.jpg", None, 1, None),
        ({"tweet": "https://t.co/a.jpg", "image": signed}, [{**text_label(0, 5, "https"), "to_name": "tweet"}],
         "https://t.co/a.jpg", signed, 0, None),
        ({"tweet": "see my cat.jpg"}, [], "see my cat.jpg", None, 0, None),
        # several pictures: by the name of their datum, by item; a list has its first
        ({"text": ann, "image": "a.jpg", "image2": "b.jpg"}, [box("image"), box("image2")], ann, "a.jpg", 1, other),
        ({"text": ann, "left": "a.jpg", "right": "b.jpg"}, [box("right")], ann, "b.jpg", 1, None),
        ({"text": ann, "left": "a.jpg", "right": "b.jpg"}, [box("i1"), box("i2")], ann, "a.jpg", 0, "further pictures: 2"),
        ({"text": ann, "images": ["a.jpg", "b.jpg"]}, [box("i", item_index=0), box("i", item_index=1)], ann, "a.jpg", 1, other),
        # labels of another text of the task
        ({"text": ann, "title": ann}, [on("title")], ann, None, 0, "labels of a task's further texts: 1"),
    ]
    with gm.Folder() as d:
        for data, results, text, image, n, told in cases:
            post, err = read_task(d, data, *results)
            assert post["text"] == text, (data, post)
            assert (post.get("image") or "").endswith(image) if image else "image" not in post, (data, post)
            assert ("://" not in (image or "")) or post["image"] == image, (data, post)
            assert len(post.get("objects", [])) == n, (data, post, err)
            assert (told in err) if told else ("regions" not in err), (data, err)
        convert(d.write("t.json", json.dumps([{"id": 1, "data": {"text": ann, "image": "https://a.org/d/7.png?s=/1"}}])),
                d / "o.jsonl", "--from", "labelstudio", "--images", d.path)
        assert load(d / "o.jsonl")[0]["image"].endswith("7.png")
        # an address is the same from every folder
        os.mkdir(d / "sub")
        convert(d.write("a.jsonl", json.dumps({"id": "1", "text": "", "image": signed}) + "\n"), d / "sub/b.jsonl")
        assert load(d / "sub/b.jsonl")[0]["image"] == signed


def test_label_studio_image_prefix():
    """Addresses that Label Studio opens: below --images, below the output's folder, else the file's name."""
    names = ["photos/a b#1.jpg", "/elsewhere/\u00e9.png", "https://x.org/7?s=1", None]
    with gm.Folder() as d:
        source = d.write("in.jsonl", "".join(json.dumps({"id": str(i), "text": "", **({"image": n} if n else {})}) + "\n"
                                             for i, n in enumerate(names)))
        local, web = "/data/local-files/?d=", "https://store.org/"
        for prefix, more, want in ((local, (), "photos/a%20b%231.jpg"), (local, ("--images", d / "photos"), None),
                                   (web, (), "photos/a%20b%231.jpg")):
            convert(source, d / "t.json", "--to", "labelstudio", "--image-prefix", prefix, *more)
            with open(d / "t.json", encoding="utf-8") as f:
                got = [t["data"].get("image") for t in json.load(f)]
            assert got[1:] == [prefix + "%C3%A9.png", names[2], None], got
            assert got[0] == prefix + (want or "photos/a%20b%231.jpg"), got
            convert(d / "t.json", d / "back.jsonl", "--images", d / "photos")
            assert [p.get("image") for p in load(d / "back.jsonl")[:2]] == ["photos/a b#1.jpg", "photos/\u00e9.png"]
        convert(d / "t.json", d / "back.jsonl")
        assert load(d / "back.jsonl")[0]["image"] == web + "photos/a%20b%231.jpg"
        gm.expect(gm.run("data", "convert", source, d / "c.json", "--to", "coco", "--image-prefix", web), 2, "--to labelstudio")


def test_coco_round_trip():
    grounded = [{**p, "entities": [e for e in p["entities"] if e.get("regions")]} for p in POSTS]
    for form in ("string", "counts", "polygons"):
        with gm.Folder() as d:
            source, coco = folder_of_posts(d), d / "coco.json"
            r = convert(source, coco, "--to", "coco", "--masks", form)
            assert losses(r, "entities without a box") == 2 and losses(r, "fine types") == 1, r.err
            assert "holes" not in r.err
            with open(coco, encoding="utf-8") as f:
                doc = json.load(f)
            assert [i["file_name"] for i in doc["images"]] == ["17.png", "18.png", "19.png"]
            assert [c["name"] for c in doc["categories"]] == ["PER", "LOC"]
            a = doc["annotations"][0]
            assert a["bbox"] == [1, 2, 5.5, 6] and a["area"] == sum(map(sum, MASK))
            if form == "string":
                assert a["segmentation"] == {"size": [H, W], "counts": COUNTS}
            elif form == "counts":
                assert a["segmentation"] == {"size": [H, W], "counts": RUNS}
            else:
                assert isinstance(a["segmentation"][0], list)
            r = convert(coco, d / "back.jsonl")
            assert "read as COCO JSON" in r.err
            posts = same(d / "back.jsonl", "text", "type", "start", "end", "boxes", "masks",
                         posts=grounded)
            assert [p["text"] for p in posts] == [p["text"] for p in POSTS]


def test_coco_of_others():
    doc = {"info": {}, "annotations": [
        {"image_id": 2, "category_id": 7, "bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 4, 2, 4, 6, 1, 6]]},
        {"image_id": 1, "category_id": 7, "bbox": [0, 0, 1, 1], "segmentation": [], "keypoints": []},
        {"image_id": 9, "category_id": 7, "bbox": [0, 0, 1, 1]}],
        "categories": [{"id": 7, "name": "tank"}],
        "images": [{"id": 1, "file_name": "a/one.jpg", "width": 8, "height": 9},
                   {"id": 2, "file_name": "two.jpg", "width": 8, "height": 9}]}
    with gm.Folder() as d:
        r = convert(d.write("c.json", json.dumps(doc, indent=1)), d / "o.jsonl")
        one, two = load(d / "o.jsonl")
        assert (one["id"], two["id"], one["image"]) == ("one", "two", "a/one.jpg")
        assert [e["type"] for e in one["entities"]] == ["tank"]
        region = two["entities"][0]["regions"][0]
        mask = [[int(1 <= x < 4 and 2 <= y < 6) for x in range(8)] for y in range(9)]
        assert region["box"] == [1, 2, 4, 6] and region["mask"]["counts"] == counts_of(mask)[0]
        assert "annotations of no image: 1" in r.err and "keypoints: 1" in r.err, r.err


def coco_file(d, name, annotations, files=("a.jpg",)):
    return d.write(name, json.dumps({
        "images": [{"id": i, "file_name": f, "width": 40, "height": 30} for i, f in enumerate(files)],
        "annotations": [{"id": i, "category_id": 1.0, "image_id": 0, **a}
                        for i, a in enumerate(annotations)],
        "categories": [{"id": 1, "name": "X"}]}))


def test_coco_parts_of_masks():
    """As pycocotools: a list of runs is their union, a polygon of two corners draws nothing."""
    corner = {"size": [30, 40], "counts": [0, 30, 1170]}
    with gm.Folder() as d:
        path = coco_file(d, "c.json", [
            {"segmentation": [corner, {"size": [30, 40], "counts": [30, 30, 1140]}]},
            {"bbox": [1, 1, 4, 4], "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5], [9, 9, 12, 12]]},
            {"bbox": [2, 3, 4, 5], "segmentation": {"size": [30, 40], "counts": [9, 9999]}}])
        r = convert(path, d / "o.jsonl")
        (post,) = load(d / "o.jsonl")
        union, polygon, broken = [e["regions"][0] for e in post["entities"]]
        assert union["box"] == [0, 0, 2, 30] and union["mask"]["size"] == [30, 40]
        assert polygon["box"] == [1, 1, 5, 5] and "mask" in polygon
        assert broken["box"] == [2, 3, 6, 8] and "mask" not in broken
        assert "masks (" in r.err and "run 2 leaves" in r.err and "post a" in r.err, r.err
        bad = coco_file(d, "bad.json", [{"segmentation": [[0, 0, 1, 1]]}, {"bbox": [0, 0, 1, 1]}])
        r = gm.run("data", "convert", bad, d / "p.jsonl")
        assert r.code == 0 and "annotations of no image" not in r.err, r.err
        assert "not read: annotations (" in r.err and "post a" in r.err, r.err
        assert len(load(d / "p.jsonl")[0]["entities"]) == 1


def test_coco_crowds():
    """A region of many is neither asked for nor wrong when met; as pycocotools, AP is 1."""
    with gm.Folder() as d:
        one, crowd = {"bbox": [0, 0, 5, 5]}, {"bbox": [10, 10, 20, 20], "iscrowd": 1}
        gold = coco_file(d, "gold.json", [one, crowd])
        hits = [{"bbox": [11 + i, 11, 3, 3], "score": 0.95} for i in range(3)]
        pred = coco_file(d, "pred.json", [{**one, "score": 0.9}, *hits])
        wrong = coco_file(d, "wrong.json", [{**one, "score": 0.9}, {"bbox": [32, 0, 5, 5], "score": 0.95}])
        for name, ap in ((pred, 1.0), (wrong, 0.5)):
            r = gm.run("eval", "--task", "gmner", "--ap", "--json", "--gold", gold, "--pred", name)
            assert abs(json.loads(r.out)["ap"]["ap50"] - ap) < 1e-9, r.out
        convert(gold, d / "o.jsonl")
        regions = [e["regions"][0] for e in load(d / "o.jsonl")[0]["entities"]]
        assert [x.get("crowd", False) for x in regions] == [False, True]
        convert(d / "o.jsonl", d / "back.json", "--to", "coco")
        with open(d / "back.json", encoding="utf-8") as f:
            assert [a["iscrowd"] for a in json.load(f)["annotations"]] == [0, 1]


def test_posts_of_one_id():
    """A format whose posts are known by their id refuses the second one, and says so."""
    with gm.Folder() as d:
        box = {"bbox": [1, 1, 4, 4]}
        source = coco_file(d, "c.json", [box, {**box, "image_id": 1}], ("x/1.jpg", "y/1.jpg"))
        convert(source, d / "s.jsonl")
        source = d.write("twice.jsonl", "".join(json.dumps({**p, "id": "1"}) + "\n" for p in load(d / "s.jsonl")))
        for form in ("voc", "ccks", "ccks-text"):
            r = convert(source, d / form, "--to", form, code=3)
            assert 'post "1": a post of this id was written before' in r.err, r.err
            assert "1 posts written" in r.err
        convert(source, d / "o.jsonl")
        assert len(load(d / "o.jsonl")) == 2


def test_coco_names_of_images():
    """Images of one base name get ids by their folders, and where even those are one, by their own ids."""
    cases = [(("a/1.jpg", "b/1.jpg", "b/2.jpg"), ["a_1", "b_1", "2"]), (("1.jpg", "1.png"), ["1_0", "1_1"]),
             (("a/1.jpg", "b/1.jpg", "a_1.jpg"), ["a_1_0", "b_1", "a_1"]), (("/x/7.jpg", "./y/7.jpg"), ["x_7", "y_7"]),
             (("a/.x", "v1.2/b"), [".x", "b"])]
    with gm.Folder() as d:
        for files, ids in cases:
            convert(coco_file(d, "c.json", [], files), d / "o.jsonl")
            assert [p["id"] for p in load(d / "o.jsonl")] == ids, files
        boxes = [{"bbox": [0, 0, 1, 1], "image_id": i} for i in (0, 1)]
        convert(coco_file(d, "c.json", boxes, ("a/1.jpg", "b/1.jpg")), d / "voc", "--to", "voc")
        assert sorted(os.listdir(d / "voc")) == ["a_1.xml", "b_1.xml"]


def test_ccks_round_trip():
    with gm.Folder() as d:
        source = folder_of_posts(d)
        convert(source, d / "text.json", "--to", "ccks-text")
        r = convert(source, d / "entity.json", "--to", "ccks")
        assert losses(r, "masks") == 1 and losses(r, "positions of entities in the text") == 2
        assert losses(r, "boxes between whole pixels (now to the nearest)") == 1
        with open(d / "entity.json", encoding="utf-8") as f:
            doc = json.load(f)
        assert doc["17"][0] == {"name": "Ann-Lee", "label": "PER",
                                "bnd": {"xmin": 1, "ymin": 2, "xmax": 6, "ymax": 8}}
        assert [x["bnd"] for x in doc["17"]][2:] == [None, None] and doc["18"] == []
        r = convert(d / "entity.json", d / "back.jsonl", "--text", d / "text.json")
        assert "read as CCKS-2025 entities" in r.err
        posts = same(d / "back.jsonl", "text", "type", "start", "end", "visible")
        assert [r["box"] for r in posts[0]["entities"][0]["regions"]] == [[1, 2, 6, 8], [10, 0, 20, 10]]
        assert posts[0]["text"] == POSTS[0]["text"]
        convert(d / "entity.json", d / "names.jsonl")
        assert load(d / "names.jsonl")[0]["text"] == "Ann-Lee; C#; Oslo"
        r = convert(d.write("other.json", '{"17": [{"name": "Rome", "label": "LOC", "bnd": null}]}'),
                    d / "x.jsonl", "--text", d / "text.json")
        assert "entities whose name is not in the text: 1 (first: post 17)" in r.err


def test_riveg_round_trip():
    with gm.Folder() as d:
        source = folder_of_posts(d)
        for form in ("riveg", "riveg-pred", "riveg-ve"):
            r = convert(source, d / "lines", "--to", form)
            assert losses(r, "posts without entities") == 1
            with open(d / "lines", encoding="utf-8") as f:
                first, second = f.read().splitlines()[:2]
            name, tail = "Ann-Lee(PER)", "a woman - (left) & #1###1"
            boxes = "###&[1, 2, 6.5, 8]&[10, 0, 20, 10]"
            assert first == {"riveg": f"17.jpg###{name}###{tail}{boxes}",
                             "riveg-pred": f"17.jpg###{name}###{name}-{tail}{boxes}",
                             "riveg-ve": f"Imageid:17.jpg#0###{name}###{name}-{tail}"}[form]
            assert ("###0###&[0, 0, 0, 0]" in second) == (form != "riveg-ve")
            r = convert(d / "lines", d / "back.jsonl", "--text", source)
            assert "read as RiVEG text lines" in r.err
            kept = ["text", "type", "start", "end", "visible", "expression"]
            posts = [{**p, "entities": [{"expression": None, **e} for e in p["entities"]]}
                     for p in POSTS if p["entities"]]
            same(d / "back.jsonl", *kept, *(["boxes"] if form != "riveg-ve" else []), posts=posts)


def test_in_the_image_without_a_box():
    """Where no box means "not in the image", entities that are in it from one half on are counted."""
    es = [{"type": "X", "start": 0, "end": 3, "visible": v} for v in (0, 0.2, 0.49, 0.5, 1)] + [
        {"type": "X", "start": 0, "end": 3}]
    with gm.Folder() as d:
        source = d.write("in.jsonl", json.dumps({"id": "1", "text": "Ann", "entities": es}) + "\n")
        for to, n in (("riveg", 2), ("riveg-pred", 2), ("ccks", 2), ("riveg-ve", 0)):
            assert losses(convert(source, d / to, "--to", to), "entities in the image, but without a box (now not in it)") == n, to


def test_bad_box_alone_is_in_the_image():
    """Who had only a box without area is in the image in every set for entailment, as RiVEG's gold lines say."""
    e = {"type": "PER", "start": 0, "end": 3, "regions": [{"box": [5, 5, 5, 9]}]}
    with gm.Folder() as d:
        d.write("p.png", png(20, 10))
        for visible, want in ((None, 1), (0.2, 1), (0.7, 0.7)):
            post = {"id": "1", "text": "Ann", "image": "p.png", "entities": [{**e, **({"visible": visible} if visible else {})}]}
            source = d.write("q.jsonl", json.dumps(post) + "\n")
            for to, ending in (("riveg", "###1###&[0, 0, 0, 0]"), ("riveg-ve", "###1"), ("ofa-ve", "\tentailment")):
                convert(source, d / "out", "--to", to)
                with open(d / "out", encoding="utf-8") as f:
                    assert f.read().rstrip("\n").endswith(ending), (visible, to)
            convert(source, d / "out", "--to", "labelstudio")
            convert(d / "out", d / "back.jsonl")
            assert load(d / "back.jsonl")[0]["entities"][0]["visible"] == want


def test_boxes_of_earlier_conversions():
    """A post without boxes takes away the file that an earlier conversion left; others' files stay."""
    def entities(boxes):
        return [{"type": "PER", "start": 0, "end": 3, "regions": [{"box": b} for b in boxes]}]
    with gm.Folder() as d:
        for boxes in ([[1, 2, 3, 4]], []):
            posts = [{"id": "1", "text": "Ann", "entities": entities(boxes)}, {"id": "a/b", "text": "Ann", "entities": []}]
            r = convert(d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in posts)), d / "xml/")
            if boxes:
                assert sorted(os.listdir(d / "xml")) == ["1.xml"] and "removed" not in r.err, r.err
                d.write("xml/2.xml", "<annotation></annotation>")
        assert sorted(os.listdir(d / "xml")) == ["2.xml"], os.listdir(d / "xml")
        assert "1 file removed, whose posts have no boxes now" in r.err, r.err
        convert(d.write("t.txt", "IMGID:1\nAnn\tB-PER\n\n"), d / "back.jsonl", "--xml", d / "xml")
        assert load(d / "back.jsonl")[0]["entities"][0]["visible"] == 0


def test_posts_stay_apart():
    """An id alone takes no other post's words; what reads back as one post is counted."""
    with gm.Folder() as d:
        lines = ['{"id": "1", "text": " "}', '{"text": "foo"}', '{"text": "bar"}', '{"id": "9", "text": ""}', '{"text": ""}',
                 '{"text": "baz"}']
        for to in ("conll", "fmnerg"):
            r = convert(d.write("c.jsonl", "\n".join(lines) + "\n"), d / "c.txt", "--to", to)
            assert losses(r, "posts without words and id") == 1
            convert(d / "c.txt", d / "back.jsonl")
            # a post without an id gets its number: of those that are there
            assert [(p["id"], p["text"]) for p in load(d / "back.jsonl")] == [
                ("1", ""), ("2", "foo"), ("3", "bar"), ("9", ""), ("6", "baz")], load(d / "back.jsonl")
        d.write("p.png", png(20, 10))
        e = [{"type": "PER", "start": 0, "end": 3, "regions": [{"box": [1, 2, 3, 4]}]}]
        posts = [{"id": i, "text": f"{n} one", "image": "p.png", "entities": e if n != "Eve" else []}
                 for i, n in (("1", "Ann"), ("1", "Bob"), ("2", "Joe"), ("1", "Kim"), ("3", "Eve"), ("1", "Zoe"))]
        source = d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
        for to in ("riveg", "riveg-pred", "riveg-ve", "riveg-vg", "ofa-ve", "ofa-vg"):
            r = convert(source, d / "o", "--to", to)
            assert losses(r, "posts of the id before them (read back as one post)") == 2, (to, r.err)
            convert(d / "o", d / "back.jsonl")
            assert len(load(d / "back.jsonl")) == 5 - 2, to


def test_what_beside_files_lack():
    """Posts that --text FILE has no text of, and captions that are of no post."""
    with gm.Folder() as d:
        text = d.write("t.jsonl", '{"id": "1", "text": "Ann"}\n')
        r = convert(d.write("g.txt", "".join(f"{i}.jpg###Ann(PER)######0\n" for i in (1, 8, 9))), d / "o.jsonl", "--text", text)
        assert "posts without a text in --text FILE: 2 (first: post 8)" in r.err, r.err
        found = gm.run("data", "check", d / "g.txt", "--text", text, "--json")
        assert [f["id"] for f in json.loads(found.out)["findings"] if f["kind"] == "left-out"] == ["8", "9"], found.out
        captions = d.write("c.txt", "imgid:1###one\nimgid:7###two\n")
        r = convert(text, d / "o.jsonl", "--captions", captions, "--captions-short", captions)
        assert load(d / "o.jsonl")[0]["caption"] == "one"
        assert "not read: captions of no post: 1 (first: post 7)" in r.err and "short captions of no post: 1" in r.err, r.err


def test_own_fields_of_parts():
    """Fields of the user's own stay wherever they are in a record; other formats count them. null is absent."""
    box = {"box": [1.0, 2.0, 3.0, 4.0], "score": 1.0}
    post = {"id": "1", "text": "Ann", "mine": 0, "objects": [{"label": "x", **box, "mine": [1]}],
            "texts": [{"text": "x", **box, "mine": {"a": 2}}],
            "entity_candidates": [{"text": "Ann", "type": "PER", "start": 0, "end": 3, "score": 0.5, "mine": "3"}],
            "entities": [{"text": "Ann", "type": "PER", "start": 0, "end": 3, "score": 1.0, "source": "input", "mine": 4,
                          "regions": [{**box, "mine": None}]}]}
    with gm.Folder() as d:
        source = d.write("in.jsonl", json.dumps(post) + "\n")
        convert(source, d / "o.jsonl")
        assert load(d / "o.jsonl") == [post]
        for holder in ("entities", "objects", "texts", "entity_candidates"):
            one = {k: v for k, v in post.items() if k in ("id", "text", holder)}
            r = convert(d.write("one.jsonl", json.dumps(one) + "\n"), d / "o.txt")
            assert losses(r, "fields of the input's own") == 1, (holder, r.err)
        post["entities"][0]["regions"] = [{**box, "crowd": None, "label": None, "mask": None, "note": None}]
        convert(d.write("in.jsonl", json.dumps(post) + "\n"), d / "o.jsonl")
        assert load(d / "o.jsonl")[0]["entities"][0]["regions"] == [box]


def test_fine_tags_of_no_entity():
    with gm.Folder() as d:
        lost = "fine tags that are not those of an entity's first word"
        for words, n in (("a\tO\tB-actor\n", 1), ("a\tB-PER\tB-actor\nb\tI-PER\tI-actor\nc\tO\tO\n", 0),
                         ("a\tB-PER\tB-actor\nb\tI-PER\tI-poet\nc\tO\tI-poet\n", 2), ("a\tB-PER\tO\nb\tI-PER\tI-poet\n", 1)):
            source = d.write("f.txt", f"IMGID:5\n{words}\nIMGID:6\nx\tO\tO\n\n")
            told = convert(source, d / "o.jsonl").err
            assert f"not read: {lost}: {n} (first: post 5)" in told if n else lost not in told, (words, told)
            found = gm.run("data", "check", source)
            assert found.code == (3 if n else 0) and (not n or f"left-out: post 5: {lost}: {n}" in found.out), found.out


def test_riveg_marks():
    """Marks inside of names and expressions, as the format allows."""
    lines = ("5.jpg####tag###(x)(OTHER)###a###b# ###1###&[1, 2, 3, 4]\n"
             "5.jpg###A (b)(PER)######0###&[0, 0, 0, 0]\n")
    with gm.Folder() as d:
        convert(d.write("g.txt", lines), d / "o.jsonl")
        (post,) = load(d / "o.jsonl")
        assert [(e["text"], e["type"], e.get("expression")) for e in post["entities"]] == [
            ("#tag###(x)", "OTHER", "a###b# "), ("A (b)", "PER", None)]


def test_voc_and_conll_round_trip():
    with gm.Folder() as d:
        source = folder_of_posts(d)
        r = convert(source, d / "xml/")
        assert "written as Pascal VOC XML files" in r.err and losses(r, "entity types") == 4
        assert d.names().count("xml") == 1 and sorted(os.listdir(d / "xml")) == ["17.xml", "19.xml"]
        root = ET.parse(d / "xml/17.xml").getroot()
        assert [o.findtext("name") for o in root.iter("object")] == ["Ann-Lee", "Ann-Lee"]
        assert root.findtext("size/width") == str(W)
        for scheme, separator in (("bio", "tab"), ("bioes", "tab"), ("bioes", "space")):
            r = convert(source, d / "o.txt", "--scheme", scheme, "--separator", separator)
            assert losses(r, "boxes") == 3 and losses(r, "expressions") == 1
            convert(d / "o.txt", d / "back.jsonl", "--xml", d / "xml")
            same(d / "back.jsonl", "text", "type", "boxes")
        with open(d / "o.txt", encoding="utf-8") as f:
            assert f.read().startswith("IMGID:17\n\U0001F600 O\nAnn-Lee S-PER\n(x) O\n& O\nC# S-OTHER\n")
        convert(source, d / "fine.txt", "--to", "fmnerg")
        convert(d / "fine.txt", d / "back.jsonl")
        same(d / "back.jsonl", "text", "type", "fine_type")
        convert(d / "xml", d / "back.jsonl", "--text", source)
        posts = load(d / "back.jsonl")
        assert [[e["text"] for e in p["entities"]] for p in posts] == [["Ann-Lee"], ["Oslo"]]
        assert posts[0]["entities"][0]["type"] == "UNKNOWN"


def test_conll_words():
    """Words are cut where written entities begin and end, and nowhere else; fine types are theirs."""
    def tags(text, *entities):
        p = {"id": "1", "text": text, "entities": [
            {"start": s, "end": e, "type": k, **({"fine_type": f} if f else {})} for s, e, k, f in entities]}
        r = convert(d.write("in.jsonl", json.dumps(p) + "\n"), d / "o.txt", "--to", "fmnerg")
        with open(d / "o.txt", encoding="utf-8") as f:
            return [tuple(x.split("\t")) for x in f.read().splitlines()[1:-1]], losses(r, "entities that overlap others, or end inside a word")
    with gm.Folder() as d:
        assert tags("Ann-Lee's", (0, 7, "PER", None)) == ([("Ann-Lee", "B-PER", "O"), ("'s", "O", "O")], 0)
        # overlaps the name before it: left out, and the word that it would cut stays whole
        assert tags("Ann Lee-Smith", (0, 13, "PER", None), (8, 13, "ORG", None)) == (
            [("Ann", "B-PER", "O"), ("Lee-Smith", "I-PER", "O")], 1)
        # white space at an edge, or nothing at all
        assert tags("in Oslo-West", (2, 7, "LOC", None), (9, 9, "LOC", None)) == ([("in", "O", "O"), ("Oslo-West", "O", "O")], 2)
        # the fine type is that of the entity which is written, not of another that begins there
        assert tags("Ann Lee", (0, 7, "PER", "long"), (0, 3, "PER", "short"))[0] == [
            ("Ann", "B-PER", "B-short"), ("Lee", "O", "O")]


def test_conll_variants():
    """BOM, CRLF, spaces, no final newline, knowledge tagged X; the same posts out of all."""
    plain = "IMGID:1\nAnn\tB-PER\nLee\tI-PER\nruns\tO\n<EOS>\tX\nfast\tX\nindeed\tX\n\nIMGID:2\nOslo\tB-LOC\n\n"
    with gm.Folder() as d:
        convert(d.write("a.txt", plain), d / "a.jsonl")
        for text in (plain.replace("\n", "\r\n"), "\ufeff" + plain, plain.rstrip("\n"),
                     plain.replace("\t", " ")):
            convert(d.write("b.txt", text), d / "b.jsonl")
            assert load(d / "a.jsonl") == load(d / "b.jsonl")
        assert load(d / "a.jsonl")[0]["knowledge"] == "fast indeed"
        convert(d / "a.jsonl", d / "c.txt")
        with open(d / "c.txt", encoding="utf-8") as f:
            assert f.read() == plain


def test_pgim_pools():
    """Both kinds are known by their content; with the data set's file they have its texts, words and captions,
    and names found there."""
    with gm.Folder() as d:
        know = d.write("k.txt", "7\nNamed entities:1. Ann Lee (person)Reasoning:She sings.\nO_2\nNamed entities may not "
                                "be present.\n")
        named = d.write("e.txt", "7\n['Ann Lee', 'PER'], ['De'Aaron', 'PER'], [\"Joe's Bar\", 'LOC'], ['Nobody', 'PER']\n\nO_2\nNone\n")
        texts = d.write("t.txt", "IMGID:7\nAnn\tB-PER\nLee\tI-PER\nat\tO\nJoe's\tO\nBar\tO\n\nIMGID:O_2\nhi\tO\n\n")
        r = convert(know, d / "k.jsonl", "--text", texts)
        assert "PGIM's pool of samples" in r.err, r.err
        a, b = load(d / "k.jsonl")
        assert (a["id"], a["text"], a["tokens"][-1], a["knowledge"]) == (
            "7", "Ann Lee at Joe's Bar", "Bar", "Named entities:1. Ann Lee (person)Reasoning:She sings."), a
        assert "entities" not in a and (b["text"], b["knowledge"]) == ("hi", "Named entities may not be present."), b
        r = convert(named, d / "e.jsonl", "--text", texts)
        assert "whose name is not in the text: 2" in r.err, r.err
        a, b = load(d / "e.jsonl")
        assert [(e["text"], e["type"], e["start"]) for e in a["entities"]] == [("Ann Lee", "PER", 0), ("Joe's Bar", "LOC", 11)]
        assert b["entities"] == [] and "knowledge" not in a
        convert(named, d / "n.jsonl")
        assert load(d / "n.jsonl")[0]["text"] == "Ann Lee; De'Aaron; Joe's Bar; Nobody"


def test_usage_and_bad_input():
    """Each malformed file: status, file, line, reason."""
    with gm.Folder() as d:
        source = folder_of_posts(d)
        gm.expect(gm.run("data", "convert", source, d / "o.json"), 2, "say --to")
        gm.expect(gm.run("data", "convert", source), 2, "1 file given")
        gm.expect(gm.run("data", "merge", source), 2, "none of convert, check, stats, split")
        gm.expect(gm.run("data", "convert", source, "-", "--to", "voc"), 1, "is a folder of files")
        gm.expect(gm.run("data", "convert", d.path, d / "o.jsonl"), 1, "without .xml files")
        gm.expect(gm.run("data", "split", source), 2, "--out-dir DIR is missing")
        gm.expect(gm.run("data", "split", source, "--out-dir", d / "p", "--parts", "a=0.5"), 2,
                  "two or more that sum to 1")
        size = {"original_width": 2, "original_height": 2}
        task = lambda r: json.dumps([{"data": {"text": "ab"}, "predictions": [{"result": [r]}]}])
        image = '"images": [\n{"id": 1, "file_name": "a.jpg", "width": 4, "height": 4}]'
        coco = lambda a: '{"categories": [{"id": 1, "name": "x"}], "annotations": [\n' + a + "],\n" + image + "}"
        bad = [  # format, content, line, reason, read on to the end
            ("ccks", '{"1": [],\n"2": [{"name": "a"}]}', 2, '"label": expected a string', True),
            ("ccks", '{"1": [],\n"2": [{"name": "a", "label": "b", "bnd": {"xmin": 1}}]}', 2, '"ymin"', True),
            ("ccks", '{"1": [],\n"2": [', 2, "the file ends inside a value", False),
            ("ccks", '{"1": []\n"2": []}', 2, "not valid JSON", True),
            ("ccks", '{"1": []}\nx', 2, "text behind the end", False),
            ("ccks", '{"1": [],\n"2": [tru]}', 2, "not valid JSON", True),
            ("riveg", "1.jpg###A(X)###e###1###&[1, 2, 3]\n", 1, "expected &[xmin", True),
            ("riveg", "1.jpg###A(X)###e###1###&[1, 2, 3, 4]\n\n1.jpg###A###e###1\n", 3, "no type", True),
            ("riveg", "1.jpg###A(X)###e###maybe\n", 1, "no flag", True),
            ("pgim", "1\nNone\n2\n['a', 'X'\n", 4, "expected ['NAME', 'TYPE']", True),
            ("pgim", "1\nNone\nno id here\n", 3, "expected the id of a post", True),
            ("pgim", "1\nNone\n2\n", 3, "no knowledge or entities behind the id", True),
            ("coco", '{"images": 5}', 1, "expected [ or {", False),
            ("labelstudio", "[\n5]", 2, "expected a task", True),
            ("labelstudio", task({"type": "labels", "value": {"start": 0, "end": 9, "labels": ["X"]}}), 1, "no part of the text", True),
            ("labelstudio", task({"type": "rectanglelabels", "value": {}}), 1, '"original_width"', True),
            ("labelstudio", task({"type": "brushlabels", **size, "value": {"rle": [1, 2]}}), 1, "2 bytes are too few", True),
            ("labelstudio", task({"type": "brushlabels", **size, "value": {"rle": [0, 0, 0, 17] + [0] * 9}}), 1, "17 values", True),
            ("labelstudio", task({"type": "brushlabels", **size, "value": {"rle": [0, 0, 0, 16, 57, 27, 224]}}), 1, "broken at value 0", True),
            ("labelstudio", task({"type": "brushlabels", **size, "value": {"rle": [256]}}), 1, "number 1 is no byte", True),
        ]
        # an annotation that can't be read loses itself alone
        lost = [
            ('{"image_id": 1, "category_id": 2, "bbox": [0, 0, 1, 1]}', "none of the file's categories"),
            ('{"image_id": 1, "category_id": 1}', 'neither "bbox" nor'),
            ('{"category_id": 1, "bbox": [0, 0, 1, 1]}', 'annotations without "image_id"'),
            ('{"image_id": 1, "category_id": 1, "bbox": [0, NaN, 1, 1]}', "expected [x, y, width, height]"),
            ('{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1e400, 1]}', "expected [x, y, width, height]"),
            ('{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1e300, 1]}', "a corner at over 1e9"),
            ('{"image_id": 1, "category_id": 1, "bbox": null}', "expected [x, y, width, height]"),
            ('{"image_id": 1, "category_id": 1, "segmentation": {"size": [4, 4], "counts": [3, 99]}}', "run 2 leaves"),
            ('{"image_id": 1, "category_id": 1, "segmentation": {"size": [4, 4], "counts": "~"}}', "no number at byte 1"),
            ('{"image_id": 1, "category_id": 1, "segmentation": {"size": [2000000000, 2000000000], "counts": [1]}}', "a mask of 2000000000"),
            ('{"image_id": 1, "category_id": 1, "segmentation": [[0, 0, 1, 1]]}', "polygon of 2 corners"),
            ('{"image_id": 1, "category_id": 1, "segmentation": [[0, 0, 1e300, 1, 3, 3]]}', "not near any picture"),
            ('{"image_id": 1, "category_id": 1, "segmentation": [[0, 0, NaN, 1, 3, 3]]}', "number 3 of a polygon"),
        ]
        good = '{"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]}'
        for text, reason in lost:
            r = convert(d.write("bad", coco(text + ",\n" + good)), d / "o.jsonl", "--from", "coco")
            assert "not read: annotations" in r.err and reason in r.err, (text, r.err)
            (post,) = load(d / "o.jsonl")
            assert [e["regions"][0]["box"] for e in post["entities"]] == [[0, 0, 2, 2]], (text, post)
        for form, text, line, reason, reads_on in bad:
            path = d.write("bad", text)
            r = gm.run("data", "convert", path, d / "o.jsonl", "--from", form)
            gm.expect(r, 3 if reads_on else 1, f"bad:{line}:", reason)


def test_stats():
    with gm.Folder() as d:
        source = folder_of_posts(d)
        r = gm.expect_ok(gm.run("data", "stats", source, "--json", "--svg", d / "s.svg"))
        out = json.loads(r.out)
        assert (out["posts"], out["entities"], out["grounded"], out["boxes"], out["masks"]) == (3, 4, 2, 3, 1)
        assert out["types"]["LOC"] == {"entities": 2, "grounded": 1}
        assert out["fine_types"] == {"actor": {"entities": 1, "grounded": 1}}
        assert out["words_per_post"]["max"] == 11 and out["entities_per_post"]["median"] == 1
        assert out["box_side_px"]["max"] == 10
        root = ET.parse(d / "s.svg").getroot()
        texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
        assert "PER" in texts and "2 (50 %)" in texts, texts
        table = gm.expect_ok(gm.run("data", "stats", source)).out
        assert "LOC" in table and "50.0 %" in table


def test_white_space_beyond_ascii_parts_words():
    """Ideographic and no-break spaces are in no word: Python's split() takes them for the end of a column."""
    with gm.Folder() as d:
        source = d.write("in.jsonl", json.dumps({"id": "1", "text": "In New\u00a0York\u3000今\u3000天 now\u2009", "entities": [
            {"text": "New\u00a0York", "start": 3, "end": 11, "type": "LOC"}]}) + "\n")
        gm.expect_ok(gm.run("data", "convert", source, d / "out.conll"))
        with open(d / "out.conll", encoding="utf-8") as f:
            rows = [line.split() for line in f.read().splitlines()[1:] if line]
        assert rows == [["In", "O"], ["New", "B-LOC"], ["York", "I-LOC"], ["今", "O"], ["天", "O"], ["now", "O"]], rows


def test_words_where_no_spaces_are():
    """Counted as a tagger sees them, and the same in raw text as in CoNLL of its characters."""
    text = "我和小明在New York吃饭。"
    raw = [{"id": "a", "text": text, "entities": [{"start": 2, "end": 4, "type": "PER"}]},
           {"id": "b", "text": "#" + text + "https://t.co/x", "entities": []},
           {"id": "c", "text": "ฉันอยู่ที่กรุงเทพมหานคร", "entities": [{"start": 10, "end": 23, "type": "LOC"}]}]
    tags = [(c, {"小": "B-PER", "明": "I-PER"}.get(c, "O")) for c in "我 和 小 明 在 New York 吃 饭 。".split()]
    with gm.Folder() as d:
        files = [d.write("raw.jsonl", "".join(json.dumps(p) + "\n" for p in raw)),
                 d.write("words.txt", "IMGID:1\n" + "".join(f"{w}\t{t}\n" for w, t in tags) + "\n")]
        stats = [json.loads(gm.expect_ok(gm.run("data", "stats", f, "--json")).out) for f in files]
        assert [s["words_per_post"]["min"] for s in stats] == [4, 10], stats
        assert [s["words_per_entity"]["max"] for s in stats] == [2, 2], stats
        found = json.loads(gm.run("data", "check", "--json", *files).out)
        assert found["counts"] == {"leak-exact": 1, "type-unknown": 1}, found


def test_outputs_that_are_inputs():
    """Nothing that is read is written over: a name twice, the file itself, a file beside it, by whatever path."""
    with gm.Folder() as d:
        text = "".join(json.dumps({"id": str(i), "text": f"Ann {i}", "entities": []}) + "\n" for i in range(4))
        source = d.write("sd/train.jsonl", text)
        gm.expect(gm.run("data", "split", source, "--out-dir", d / "o", "--parts", "a=0.5,a=0.5"), 2, 'two parts are named "a"')
        os.symlink(d / "sd", d / "link")
        for args in (("split", source, "--out-dir", d / "sd"), ("split", source, "--out-dir", d / "link"),
                     ("convert", source, source), ("convert", source, d / "link/train.jsonl"),
                     ("convert", d / "sd/../sd/train.jsonl", source, "--captions", source),
                     ("select", "--pred", source, "-n", "1", "-o", source)):
            gm.expect(gm.run("data", *args), 2, "is what is read")
        gm.expect(gm.run("predict", source, "--recipe", "tag", "-o", source), 2, "is what is read")
        gm.expect(gm.run("synth", "--seeds", source, "-o", source, "--endpoint", "http://127.0.0.1:1"), 2, "is what is read")
        with open(source, encoding="utf-8") as f:
            assert f.read() == text
        posts = folder_of_posts(d)
        convert(posts, d / "xml/")
        gm.expect(gm.run("data", "convert", posts, d / "xml", "--xml", d / "xml"), 2, "is what is read")
        assert sorted(os.listdir(d / "xml")) == ["17.xml", "19.xml"]


def test_options_of_other_outputs():
    """An option that the output's format does not read is an error, not passed over."""
    with gm.Folder() as d:
        source = d.write("a.jsonl", json.dumps({"id": "1", "text": "Ann"}) + "\n")
        for option, value, form in (("masks", "counts", "coco"), ("pictures", "path", "ofa-ve"), ("scheme", "bioes", "conll"),
                                    ("separator", "space", "fmnerg"), ("image-prefix", "p", "labelstudio")):
            gm.expect(gm.run("data", "convert", source, d / "b.jsonl", f"--{option}", value), 2, f"--{option} is for", f"--to {form}")
            convert(source, d / "out", "--to", form, f"--{option}", value)
        gm.expect(gm.run("data", "select", "--pred", source, "-n", "1", "-o", d / "x.conll", "--image-prefix", "p"), 2,
                  "--to conll does not read it")
        gm.expect(gm.run("data", "split", source, "--out-dir", d / "o", "--scheme", "bioes"), 2, "--to jsonl does not read it")


def test_split():
    posts = []
    for i in range(1000):
        kind = "PER" if i % 10 else "LOC"
        posts.append({"id": str(i), "text": f"Ann {i}", "entities": [
            {"type": kind, "start": 0, "end": 3,
             "regions": [{"box": [0, 0, 1, 1]}] if i % 4 == 0 else []}]})
    posts += [{"id": "5", "text": "Ann again", "entities": []},
              {"id": "x", "text": "Ann 7", "entities": []}]
    with gm.Folder() as d:
        source = d.write("all.jsonl", "".join(json.dumps(p) + "\n" for p in posts))

        def split(name, seed):
            gm.expect_ok(gm.run("data", "split", source, "--out-dir", d / name, "--seed", seed,
                                "--parts", "train=0.7,dev=0.1,test=0.2"))
            return {p: load(d / f"{name}/{p}.jsonl") for p in ("train", "dev", "test")}

        parts = split("a", 7)
        assert [len(p) for p in parts.values()] == [701, 100, 201], [len(p) for p in parts.values()]
        for name, share in (("train", 0.7), ("dev", 0.1), ("test", 0.2)):
            rare = sum(e["type"] == "LOC" for p in parts[name] for e in p["entities"])
            seen = sum(bool(e.get("regions")) for p in parts[name] for e in p["entities"])
            assert abs(rare - 100 * share) <= 3 and abs(seen - 250 * share) <= 5, (name, rare, seen)
        for pair in ({"5", "Ann again"}, {"7", "x"}):
            homes = [n for n, ps in parts.items() for p in ps if pair & {p["id"]}]
            assert len(set(homes)) == 1, homes
        assert split("b", 7) == parts and split("c", 8) != parts


def test_polygons_as_pycocotools():
    """Polygons drawn exactly as pycocotools 2.0.11 draws them (tests/ref/polygon_reference.py)."""
    with open(os.path.join(gm.HOME, "tests", "golden", "polygons.json"), encoding="utf-8") as f:
        cases = json.load(f)
    doc = {"categories": [{"id": 1, "name": "x"}], "images": [], "annotations": []}
    for i, c in enumerate(cases):
        doc["images"].append({"id": i, "file_name": f"{i}.jpg", "width": c["w"], "height": c["h"]})
        doc["annotations"].append({"image_id": i, "category_id": 1, "bbox": [0, 0, 1, 1],
                                   "segmentation": c["polygons"]})
    with gm.Folder() as d:
        convert(d.write("c.json", json.dumps(doc)), d / "o.jsonl")
        posts = load(d / "o.jsonl")
        assert len(posts) == len(cases) >= 300
        for c, p in zip(cases, posts):
            assert p["entities"][0]["regions"][0]["mask"]["counts"] == c["counts"], c


gm.main(globals())
