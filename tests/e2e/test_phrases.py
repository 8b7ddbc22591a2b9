"""ground by a phrase detector as a user meets it, with models of a few operations whose boxes are known
(tiny_phrases.py): what entities get, folders that are none, a run that is killed and goes on."""
import json
import os

import gm
import tiny_phrases
from small_files import png

RECIPE = "name: r\nstages:\n  - stage: ground\n    backend: phrases\n    model: {}\n    precision: f32\n{}"
W, H = 96, 64
TEXT = "Rex and Ann at the Eiffel Tower with rex, Bob and Nike"
ENTITIES = [("Rex", "OTHER", "the dog", 0.9), ("Ann", "PER", "man", 0.9), ("Eiffel Tower", "LOC", "tower", None),
            ("rex", "OTHER", None, 0.9), ("Bob", "PER", "man", 0.2), ("Nike", "ORG", "logo", 0.8)]


def post(number, image):
    entities, at = [], 0
    for text, kind, expression, visible in ENTITIES:
        start = TEXT.index(text, at)
        at = start + len(text)
        e = {"text": text, "type": kind, "start": start, "end": at}
        if expression:
            e["expression"] = expression
        if visible is not None:
            e["visible"] = visible
        entities.append(e)
    return json.dumps({"id": str(number), "text": TEXT, "image": image, "entities": entities}) + "\n"


def setup(d, posts, kind="owlvit"):
    tiny_phrases.write(d / "model", kind)
    d.write("white.png", png(255))
    d.write("black.png", png(0))
    d.write("posts.jsonl", "".join(posts))


def predict(d, settings="", *args, model=None):
    lines = "".join(f"    {s}\n" for s in settings.split("; ") if s)
    recipe = d.write("r.yaml", RECIPE.format(model or d / "model/", lines))
    return gm.run("predict", d / "posts.jsonl", "-o", d / "out.jsonl", "-r", recipe, *args)


def records(d):
    with open(d / "out.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def boxes(record):
    """Of each entity the boxes as whole numbers."""
    return [[[round(x) for x in r["box"]] for r in e.get("regions", [])] for e in record["entities"]]


def place(index, w=W, h=H):
    """Box `index` of the model, cut at the picture's edges."""
    _, _, x, y, bw, bh = tiny_phrases.BOXES[index]
    return [round(max(0, (x - bw / 2) * w)), round(max(0, (y - bh / 2) * h)), round(min(w, (x + bw / 2) * w)),
            round(min(h, (y + bh / 2) * h))]


def notes(record):
    return [e.get("note") for e in record["entities"]]


# "the dog" is looked for by its first piece in a model of rows, which has no boxes for "the"; the line has both.
DOGS = "dog"


def with_dog(line):
    return line.replace("the dog", DOGS)


def test_what_entities_get():
    with gm.Folder() as d:
        for kind in ("owlvit", "grounding-dino"):
            setup(d, [with_dog(post(1, "white.png")), with_dog(post(2, "black.png"))], kind)
            gm.expect_ok(predict(d))
            white, black = records(d)
            dogs = [place(0), place(1)]  # the third lies on the first
            assert boxes(white) == [dogs, [place(3)], [place(4)], dogs, [], []], (kind, boxes(white))
            assert [e.get("note") for e in white["entities"][:4]] == [None] * 4
            assert notes(white)[4] == "no_box:below_threshold:0.5", notes(white)
            assert notes(white)[5].startswith("no_box:below_score:"), notes(white)
            person = white["entities"][1]["regions"][0]
            assert person["label"] == "person" and "label" not in white["entities"][0]["regions"][0]
            assert abs(person["score"] - 1 / (1 + 2.718281828 ** -2)) < 1e-3, person
            assert boxes(black) == [[]] * 6 and "objects" not in white
            gm.expect_ok(predict(d, "boxes: one"))
            assert boxes(records(d)[0])[0] == [place(0)]
            gm.expect_ok(predict(d, "near_score: 0; iou: 1; visible: 0.1"))
            white = records(d)[0]
            assert sorted(boxes(white)[0]) == sorted([*dogs, place(2)]) and boxes(white)[4] == [place(3)]
            gm.expect_ok(predict(d, "score: 0.9; text: 0.9"))
            assert boxes(records(d)[0])[1] == [] and notes(records(d)[0])[1] == "no_box:below_score:0.9"


def test_objects_for_others():
    """The best boxes of all phrases as objects, behind those that a post has."""
    with gm.Folder() as d:
        own = {"label": "cat", "score": 0.5, "box": [1, 2, 3, 4]}
        line = {**json.loads(with_dog(post(1, "white.png"))), "objects": [own]}
        setup(d, [json.dumps(line) + "\n"])
        gm.expect_ok(predict(d, "objects: 3"))
        objects = records(d)[0]["objects"]
        assert objects[0] == own and len(objects) == 4, objects
        assert [o["label"] for o in objects[1:]] == ["dog", "tower", "dog"], objects
        assert [o["score"] for o in objects[1:]] == sorted((o["score"] for o in objects[1:]), reverse=True)


def test_phrases_of_a_line():
    """Full stops of a name do not end it, phrases may go one a run, and many take several runs."""
    with gm.Folder() as d:
        setup(d, [with_dog(post(1, "white.png")).replace('"dog"', '"the . the ? dog."')], "grounding-dino")
        gm.expect_ok(predict(d))
        want = boxes(records(d)[0])
        assert want[0] == [place(0), place(1)], want
        gm.expect_ok(predict(d, "at_once: 1"))
        assert boxes(records(d)[0]) == want
        config = {"model_type": "grounding-dino", "max_text_len": 8}  # two phrases a run
        d.write("model/config.json", json.dumps(config))
        gm.expect_ok(predict(d))
        assert boxes(records(d)[0]) == want


def test_owlv2_sees_a_square():
    with gm.Folder() as d:
        setup(d, [with_dog(post(1, "white.png"))], "owlv2")
        gm.expect_ok(predict(d, "score: 0.01"))  # a third of the square is black
        assert boxes(records(d)[0])[0][0] == place(0, W, W)[:3] + [min(H, place(0, W, W)[3])]


def test_folders_that_are_none():
    with gm.Folder() as d:
        setup(d, [post(1, "white.png")])
        bare = d.write("bare.yaml", "name: r\nstages:\n  - stage: ground\n    backend: phrases\n")
        gm.expect(gm.run("predict", d / "posts.jsonl", "-r", bare), 1, '"model" is missing', "docs/models.md")
        gm.expect(predict(d, model=d / "nowhere/"), 1, d / "nowhere/", "no such model folder")
        os.mkdir(d / "empty")
        gm.expect(predict(d, model=d / "empty/"), 1, "config.json", "docs/models.md")
        gm.expect(predict(d, "score: 2"), 1, '"score" is 2')
        gm.expect(predict(d, "threshold: 0.5"), 1, "threshold")
        for name, content, *words in (
                ("config.json", '{"model_type": "clip"}', "model_type clip", "owlv2"),
                ("config.json", '{"model_type": "grounding-dino"}', "of 16 tokens and no others"),
                ("config.json", '{"model_type": "owlvit", "text_config": {"max_position_embeddings": 1}}', "1 tokens"),
                ("preprocessor_config.json", '{"size": {"height": 8, "width": 0}}', "size.width"),
                ("preprocessor_config.json", '{"size": 8, "do_normalize": true}', "image_mean"),
                ("preprocessor_config.json", '{"size": 8, "resample": 1}', "resample 1"),
                ("preprocessor_config.json", '{"size": 8, "do_center_crop": true}', "do_center_crop"),
                ("tokenizer.json", "{", "tokenizer.json"),
                ("openvino_model.xml", "no model", "not a model that OpenVINO reads")):
            with open(d / "model" + "/" + name, encoding="utf-8") as f:
                good = f.read()
            d.write("model/" + name, content)
            gm.expect(predict(d), 1, name, *words)
            d.write("model/" + name, good)
        tiny_phrases.write_model(d / "model/openvino_model.xml", False, ("logits", "boxes"))
        gm.expect(predict(d), 1, '"pred_boxes"', "zero-shot-object-detection")
        tiny_phrases.write_model(d / "model/openvino_model.xml", False, inputs=("pixel_values", "ids"))
        gm.expect(predict(d), 1, "input_ids", "this model has 2 inputs")
        os.unlink(d / "model/openvino_model.xml")
        gm.expect(predict(d), 1, "neither onnx/model.onnx nor model.onnx")


def test_added_under_a_name():
    """An .xml's weights come along."""
    with gm.Folder() as d:
        setup(d, [post(1, "white.png")])
        env = {"GMNER_MODELS": d / "models"}
        gm.expect_ok(gm.run("models", "add", d / "model", "--name", "dogs", env=env))
        with open(d / "models/dogs.json", encoding="utf-8") as f:
            assert json.load(f)["task"] == "phrases"
        gm.expect_ok(predict(d))
        want = records(d)
        recipe = d.write("r.yaml", RECIPE.format("dogs", ""))
        gm.expect_ok(gm.run("predict", d / "posts.jsonl", "-o", d / "by-name.jsonl", "-r", recipe, env=env))
        with open(d / "by-name.jsonl", encoding="utf-8") as f:
            assert [json.loads(line) for line in f] == want and boxes(want[0])[1]


def test_pictures_that_are_not_there():
    with gm.Folder() as d:
        setup(d, [post(1, "gone.png"), with_dog(post(2, "white.png")), post(3, "").replace('"image": "", ', "")])
        assert predict(d).code == 3
        gone, there, none = records(d)
        assert gone["error"]["stage"] == "ground" and "gone.png" in gone["error"]["message"], gone
        assert boxes(there)[0] and notes(none)[0] == "no_box:no_image"


def test_killed_and_resumed():
    with gm.Folder() as d:
        setup(d, [with_dog(post(i, ("white.png", "black.png")[i % 2])) for i in range(600)])
        gm.expect_ok(predict(d))
        with open(d / "out.jsonl", "rb") as f:
            whole = f.read()
        os.unlink(d / "out.jsonl")
        words = ["predict", d / "posts.jsonl", "-o", d / "out.jsonl", "-r", d / "r.yaml", "--run", d / "run"]
        stored = gm.kill_as_results_come(words, d / "run", d / "out.jsonl")
        assert 0 < stored < 600, stored
        gm.expect_ok(gm.run(*words))
        with open(d / "out.jsonl", "rb") as f:
            assert f.read() == whole
        # Another model is another result: every file of the folder counts.
        stages = gm.expect_ok(gm.run("runs", "show", d / "run")).out
        with open(d / "model/config.json", "a", encoding="utf-8") as f:
            f.write("\n")
        again = gm.expect_ok(gm.run(*words))
        assert "config.json" in again.err or gm.n_stored(d / "run") > 600, (stages, again.err, gm.n_stored(d / "run"))


gm.main(globals())
