"""segment by SAM as a user meets it, with a model of a few operations whose masks are known (tiny_sam.py): one
encoding a picture whatever the number of boxes, models that are none, a run that is killed and goes on."""
import json
import os
import re
import struct
import zlib

import gm
import rle
import tiny_sam
from small_files import png

RECIPE = "name: r\nstages:\n  - stage: segment\n    backend: sam\n    model: {}\n    precision: f32\n"
W, H = 96, 64  # larger than the model's 64 x 64: all is scaled by 2/3


def post(number, image, boxes):
    regions = [{"box": b} for b in boxes]
    return json.dumps({"id": str(number), "text": "a thing", "image": image, "entities": [
        {"text": "thing", "type": "OTHER", "start": 2, "end": 7, "regions": regions}]}) + "\n"


def predict(d, *args, model=None):
    recipe = d.write("r.yaml", RECIPE.format(model or d / "sam/"))
    return gm.run("predict", d / "posts.jsonl", "-o", d / "out.jsonl", "-r", recipe, *args)


def setup(d, posts):
    tiny_sam.write(d / "sam")
    d.write("bright.png", png(220))
    d.write("dark.png", png(30))
    d.write("posts.jsonl", "".join(posts))


def encoded(result):
    """(pictures, boxes) that it says it worked on."""
    return tuple(map(int, re.search(r"pictures encoded=(\d+) boxes=(\d+)", result.err).groups()))


def masks(d):
    with open(d / "out.jsonl", encoding="utf-8") as f:
        return [[r for e in json.loads(line)["entities"] for r in e["regions"]] for line in f]


def is_box(region, box, rest=False):
    """Whether the mask is the box, or the rest; at its corners a map of 16 x 16 may round."""
    h, w = region["mask"]["size"]
    assert (h, w) == (H, W), (h, w)
    rows = rle.decode(region["mask"])
    inside = [rows[y][x] for y in range(h) for x in range(w)
              if box[0] + 1 <= x < box[2] - 1 and box[1] + 1 <= y < box[3] - 1]
    out = [rows[y][x] for y in range(h) for x in range(w)
           if not (box[0] - 1 <= x < box[2] + 1 and box[1] - 1 <= y < box[3] + 1)]
    shares = sum(inside) / len(inside), sum(out) / len(out)
    return shares[rest] > 0.99 and shares[not rest] < 0.01


BOXES = [[10, 12, 50, 40], [30, 5, 90, 60], [60, 30, 80, 63]]


def test_weights_are_part_of_what_masks_depend_on():
    """The graph is one file and its weights are another: a run takes up no masks of other weights."""
    with gm.Folder() as d:
        setup(d, [post(1, "bright.png", BOXES)])
        run = ("--run", d / "run")
        assert "pictures encoded=1" in gm.expect_ok(predict(d, *run)).err
        assert "pictures encoded=1" not in gm.expect_ok(predict(d, *run)).err
        bins = [n for n in os.listdir(d / "sam") if n.endswith(".bin")]
        assert bins
        for name in bins:
            with open(d / f"sam/{name}", "ab") as f:
                f.write(b"\0\0\0\0")
            assert "pictures encoded=1" in gm.expect_ok(predict(d, *run)).err, name


def test_boxes_share_one_encoding():
    with gm.Folder() as d:
        setup(d, [post(1, "bright.png", BOXES + [BOXES[0]]), post(2, "dark.png", BOXES[:2]),
                  post(3, "bright.png", BOXES[1:])])
        result = gm.expect_ok(predict(d))
        assert encoded(result) == (3, 7), result.err  # the box that is there twice is asked about once
        found = masks(d)
        for region, box in zip(found[0], BOXES + [BOXES[0]]):
            assert is_box(region, box), box
        for region, box in zip(found[1], BOXES):  # the other mask has the larger predicted IoU
            assert is_box(region, box, rest=True), box
        for region, box in zip(found[2], BOXES[1:]):
            assert is_box(region, box), box
        assert found[0][3]["mask"] == found[0][0]["mask"]
        whole = open(d / "out.jsonl", "rb").read()
        gm.expect_ok(predict(d, "--threads", "1"))
        assert open(d / "out.jsonl", "rb").read() == whole


def test_what_has_no_mask_and_what_has_one():
    with gm.Folder() as d:
        setup(d, [post(1, "bright.png", [[10, 12, 10.5, 12.5], BOXES[0]]), post(2, "gone.png", BOXES)])
        result = predict(d)
        assert result.code == 3, result.err
        (tiny, good), _ = masks(d)
        assert tiny["note"] == "no_mask:nothing_seen" and "mask" not in tiny, tiny
        with open(d / "out.jsonl", encoding="utf-8") as f:
            lines = f.readlines()
        assert json.loads(lines[1])["error"]["stage"] == "segment", lines[1]
        d.write("posts.jsonl", lines[0])  # a mask that came with the post stays, and costs nothing
        again = gm.expect_ok(predict(d))
        assert encoded(again) == (1, 1), again.err
        assert masks(d)[0][1]["mask"] == good["mask"]


def test_models_that_are_none():
    with gm.Folder() as d:
        setup(d, [post(1, "bright.png", BOXES)])
        gm.expect(predict(d, model=d / "nowhere/"), 1, d / "nowhere/", "no such model folder")
        os.mkdir(d / "empty")
        gm.expect(predict(d, model=d / "empty/"), 1, "encoder", "docs/models.md")
        os.rename(d / "sam/vision_encoder.xml", d / "sam/encoder_b.xml")
        os.rename(d / "sam/vision_encoder.bin", d / "sam/encoder_b.bin")
        gm.expect_ok(predict(d))  # by what is in the name
        tiny_sam.write_encoder(d / "sam/encoder_c.xml")
        gm.expect(predict(d), 1, "both", "encoder_b.xml", "encoder_c.xml", '"encoder"')
        recipe = RECIPE.format(d / "sam/") + "    encoder: encoder_c.xml\n"
        gm.expect_ok(gm.run("predict", d / "posts.jsonl", "-r", d.write("named.yaml", recipe)))
        os.unlink(d / "sam/encoder_c.xml")
        tiny_sam.write_encoder(d / "sam/encoder_b.xml", ("image_embeddings",))
        gm.expect(predict(d), 1, "encoder_b.xml", "no output image_positional_embeddings", "its outputs: image_embeddings")
        tiny_sam.write_decoder(d / "sam/prompt_encoder_mask_decoder.xml", "high_res_feats_0")
        gm.expect(predict(d), 1, "prompt_encoder_mask_decoder.xml", '"high_res_feats_0"', "SAM 2")
        tiny_sam.write_encoder(d / "sam/prompt_encoder_mask_decoder.xml")
        gm.expect(predict(d), 1, "prompt_encoder_mask_decoder.xml", '"pixel_values"')
        d.write("sam/prompt_encoder_mask_decoder.xml", "no model")
        gm.expect(predict(d), 1, "prompt_encoder_mask_decoder.xml", "not a model that OpenVINO reads")
        recipe = RECIPE.format(d / "sam/") + "    threshold: 0.5\n"
        gm.expect(gm.run("predict", d / "posts.jsonl", "-r", d.write("unknown.yaml", recipe)), 1, "threshold")


def test_killed_and_resumed():
    with gm.Folder() as d:
        setup(d, [post(i, ("bright.png", "dark.png")[i % 2], BOXES) for i in range(600)])
        assert encoded(gm.expect_ok(predict(d))) == (600, 1800)
        with open(d / "out.jsonl", "rb") as f:
            whole = f.read()
        os.unlink(d / "out.jsonl")
        words = ["predict", d / "posts.jsonl", "-o", d / "out.jsonl", "-r", d / "r.yaml", "--run", d / "run"]
        stored = gm.kill_as_results_come(words, d / "run", d / "out.jsonl")
        assert 0 < stored < 600, stored
        result = gm.expect_ok(gm.run(*words))
        assert encoded(result) == (600 - stored, 3 * (600 - stored)), result.err
        with open(d / "out.jsonl", "rb") as f:
            assert f.read() == whole
        # Another model is another result.
        tiny_sam.write_decoder(d / "sam/prompt_encoder_mask_decoder.xml", "input_boxes")
        with open(d / "sam/prompt_encoder_mask_decoder.xml", "a", encoding="utf-8") as f:
            f.write("<!-- other -->")
        assert encoded(gm.expect_ok(gm.run(*words))) == (600, 1800)


def read_grey(path):
    """Rows of a grey PNG that isn't filtered in any other way than Up and Sub."""
    data, at, idat = open(path, "rb").read(), 8, b""
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        if kind == b"IHDR":
            w, h, depth, colour = struct.unpack(">IIBB", body[:10])
        idat += body if kind == b"IDAT" else b""
        at += 12 + n
    assert (depth, colour) == (8, 0), (depth, colour)
    raw, rows, last = zlib.decompress(idat), [], [0] * w
    for y in range(h):
        how, row = raw[y * (w + 1)], list(raw[y * (w + 1) + 1:(y + 1) * (w + 1)])
        assert how in (0, 1, 2), how
        for x in range(w):
            row[x] = row[x] + (last[x] if how == 2 else row[x - 1] if how == 1 and x else 0) & 255
        rows.append(row)
        last = row
    return rows


def test_a_data_set_of_masks():
    """The recipe masks: annotated boxes in, masks out, with a page to look at them and files for training."""
    annotation = ("<annotation><size><width>96</width><height>64</height></size>" + "".join(
        "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
        .format(name, *box) for name, box in zip(("Ann Lee", "Oslo"), BOXES)) + "</annotation>")
    with gm.Folder() as d:
        setup(d, [])
        d.write("images/1.jpg", png(220))
        d.write("xml/1.xml", annotation)
        d.write("text.conll", "IMGID:1\nAnn\tB-PER\nLee\tI-PER\nin\tO\nOslo\tB-LOC\n\n")
        gm.expect_ok(gm.run("data", "convert", d / "text.conll", d / "boxes.jsonl", "--xml", d / "xml", "--images",
                            d / "images"))
        os.mkdir(d / "models")
        os.rename(d / "sam", d / "models/sam")
        r = gm.expect_ok(gm.run("predict", d / "boxes.jsonl", "-r", "masks", "-o", d / "out.jsonl", "--html",
                                d / "check.html", env={"GMNER_MODELS": d / "models"}))
        assert encoded(r) == (1, 2), r.err
        for region, box in zip(masks(d)[0], BOXES):
            assert is_box(region, box), box
        with open(d / "check.html", encoding="utf-8") as f:
            page = f.read()
        assert page.count("data:image/jpeg") == 1 and page.count('<path d="M') == 2, page[-3000:]
        gm.expect_ok(gm.run("view", d / "out.jsonl", "--masks", d / "png"))
        assert "no mask in" in gm.expect_ok(gm.run("view", d / "boxes.jsonl", "--masks", d / "no-png")).err
        assert os.listdir(d / "png") and sorted(os.listdir(d / "png")) == ["00001-1-e0r0.png", "00001-1-e1r0.png"]
        for name, region in zip(sorted(os.listdir(d / "png")), masks(d)[0]):
            assert read_grey(d / f"png/{name}") == [[255 * v for v in row] for row in rle.decode(region["mask"])]
        # Gold and prediction are the same masks, through COCO and back as well.
        gm.expect_ok(gm.run("data", "convert", d / "out.jsonl", d / "out.json", "--to", "coco"))
        score = gm.expect_ok(gm.run("eval", "--json", "--task", "smner", "--gold", d / "out.json", "--pred",
                                    d / "out.jsonl"))
        assert json.loads(score.out)["f1"] == 1, score.out


def test_masks_without_a_model():
    """No model "sam": persons by the model of persons, other boxes by that of things."""
    photo = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
    regions = {"PER": [60, 20, 430, 595], "OTHER": [230, 350, 300, 590]}
    with gm.Folder() as d:
        d.write("posts.jsonl", json.dumps({"id": "1", "text": "Ann and a tie", "image": photo, "entities": [
            {"start": a, "end": b, "type": t, "regions": [{"box": regions[t]}]}
            for a, b, t in ((0, 3, "PER"), (10, 13, "OTHER"))]}) + "\n")
        r = gm.expect_ok(gm.run("predict", d / "posts.jsonl", "-r", "masks", "-o", d / "out.jsonl"))
        assert 'no model "sam"' in r.err and "docs/models.md" in r.err, r.err
        matting = "name: m\nstages:\n  - stage: segment\n    backend: matting\n"
        gm.expect_ok(gm.run("predict", d / "posts.jsonl", "-r", d.write("m.yaml", matting), "-o", d / "m.jsonl"))
        assert open(d / "out.jsonl", "rb").read() == open(d / "m.jsonl", "rb").read()
        areas = [sum(map(sum, rle.decode(r["mask"]))) / ((r["box"][2] - r["box"][0]) * (r["box"][3] - r["box"][1]))
                 for r in masks(d)[0]]
        assert 0.4 < areas[0] < 0.9 and 0.05 < areas[1] < 0.98, areas
        # A person's box without its type is a thing's: another mask.
        d.write("posts.jsonl", open(d / "posts.jsonl", encoding="utf-8").read().replace('"PER"', '"ORG"'))
        person = masks(d)[0][0]["mask"]
        gm.expect_ok(gm.run("predict", d / "posts.jsonl", "-r", "masks", "-o", d / "out.jsonl"))
        assert masks(d)[0][0].get("mask") != person


gm.main(globals())
