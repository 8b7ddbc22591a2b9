"""Posts in, posts out: equal to the program's byte for byte, in every form that posts and pictures may have."""
import gc
import json
import pickle
import threading
import time

import numpy as np
import pytest
from conftest import photo, predict

import gmner
from gmner._inputs import png_of

TEXTS = ["Grace Hopper at the Navy Yard", "Pak is Home", "東京 and Ångström\nBerlin", "", "  ", "\U0001F600 Obama @POTUS #NYC",
         "nul\0in Paris", "\u200fالقاهرة and New York"]


def posts_of_photos():
    return [{"text": "Eileen Collins of NASA", "image": photo("astronaut.png")},
            {"text": "Grace Hopper at the Navy Yard", "image": photo("grace_hopper.jpg"), "id": "own", "more": [1, None]},
            {"tokens": ["Summer", "Palace", "in", "Beijing"], "image": photo("china.jpg")},
            {"text": "no picture in Rome", "image": "missing.jpg"}]


def test_records_are_the_programs(nlp, tmp_path):
    posts = posts_of_photos() + [{"text": t} for t in TEXTS]
    expected = predict(tmp_path, [{**p, "image": str(tmp_path / p["image"])} if p.get("image") == "missing.jpg" else p for p in posts])
    found = list(nlp.pipe(({**p, "image": str(tmp_path / p["image"])} if p.get("image") == "missing.jpg" else p for p in posts), batch_size=5))
    assert [p.to_json() for p in found] == expected
    for post in found:
        assert json.dumps(post.to_dict(), ensure_ascii=False) == post.to_json()
    assert any(e.masks and e.masks[0] is not None for e in found[1].ents)


def test_none_is_missing(tagger, tmp_path):
    post = {"text": "Ann in Oslo", "id": None, "image": None, "caption": None, "knowledge": None, "entities": None}
    assert tagger(post).id == "1"
    posts = [post, {**post, "id": 0}, {"id": None, "text": None, "tokens": ["Ann", "in", "Rome"]}]
    found = list(tagger.pipe(posts))
    assert [p.id for p in found] == ["1", "0", "3"] and found[2].text == "Ann in Rome"
    assert [row["id"] for row in gmner.to_rows(found)] == ["1", "1", "0", "0", "3", "3"]
    wanted = predict(tmp_path, posts, "--recipe", "tag")
    assert [p.to_json() for p in found] == wanted


def test_records_of_others_with_nulls():
    entity = {"text": "Ann", "type": "PER", "start": 0, "end": 3, "score": 1, "visible": None}
    nulls = dict.fromkeys(("fine_type", "source", "expression", "note", "regions"))
    region = {"box": [0, 0, 1, 1], "score": None, "label": None, "mask": None}
    post = gmner.Post.from_json(json.dumps({"id": None, "text": None, "tokens": ["Ann"], "image": None, "caption": None,
        "entities": [{**entity, **nulls}, {**entity, "regions": [region]}], "objects": None, "texts": None, "error": None}))
    assert (post.id, post.text, post.image, post.caption, post.objects, post.texts) == ("", "Ann", None, "", [], [])
    first, second = post.ents
    assert (first.fine_type, first.source, first.expression, first.note, first.regions) == ("", "", "", "", [])
    assert (second.labels, second.box_scores.tolist(), second.masks) == ([""], [1.0], [None]) and post.error is None


def test_single_calls_are_the_programs(tagger, tmp_path):
    for text in TEXTS:
        assert tagger(text).to_json() == predict(tmp_path, [{"text": text}], "--recipe", "tag")[0]
    assert tagger("Pak is Home", id="7", caption="c").to_json() == \
        predict(tmp_path, [{"text": "Pak is Home", "id": "7", "caption": "c"}], "--recipe", "tag")[0]
    assert tagger(tokens=("Ann", "in", "Oslo")).to_json() == \
        predict(tmp_path, [{"tokens": ["Ann", "in", "Oslo"]}], "--recipe", "tag")[0]


def test_entities_say_what_the_record_says(nlp):
    post = nlp("Grace Hopper at the Navy Yard", image=photo("grace_hopper.jpg"))
    record = post.to_dict()
    assert len(post.ents) == len(record["entities"]) == 2
    for e, r in zip(post.ents, record["entities"]):
        assert (e.text, e.type, e.start, e.end, e.score, e.visible) == tuple(
            r[k] for k in ("text", "type", "start", "end", "score", "visible"))
        assert post.text[e.start:e.end] == e.text
        assert e.boxes.shape == (len(r["regions"]), 4) and e.boxes.dtype == np.float64
    hopper = post.ents[0]
    assert hopper.type == "PER" and hopper.boxes.tolist() == [record["entities"][0]["regions"][0]["box"]]
    x0, y0, x1, y1 = hopper.boxes[0].round().astype(int)
    mask = hopper.masks[0]
    assert mask.dtype == np.bool_ and mask.shape == (600, 512)
    assert mask[y0:y1, x0:x1].sum() > 0.95 * mask.sum() > 0
    assert nlp("Obama in Rome").ents[0].visible is None


def test_masks_are_coco_s(nlp):
    import rle
    region = nlp("Grace Hopper", image=photo("grace_hopper.jpg")).ents[0].regions[0]["mask"]
    expected = np.array(rle.decode(region))
    from gmner._post import mask_of
    assert np.array_equal(mask_of(region), expected)


@pytest.mark.parametrize("form", ["path", "bytes", "bytearray", "memoryview", "pil", "numpy", "datasets"])
def test_pictures_in_every_form(nlp, form):
    import pathlib

    from PIL import Image
    path = photo("astronaut.png")
    content = pathlib.Path(path).read_bytes()
    image = {"path": pathlib.Path(path), "bytes": content, "bytearray": bytearray(content),
             "memoryview": memoryview(content), "pil": Image.open(path), "numpy": np.asarray(Image.open(path)),
             "datasets": {"bytes": content, "path": "x.png"}}[form]
    expected = nlp("Eileen Collins of NASA", image=path).to_dict()
    found = nlp("Eileen Collins of NASA", image=image).to_dict()
    assert found.pop("image") == (path if form == "path" else "bytes")
    expected.pop("image")
    assert found == expected and found["entities"][0]["regions"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_pil_modes(tagger, nlp, mode):
    from PIL import Image
    assert nlp("Rome", image=Image.new(mode, (40, 30))).error is None


@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
def test_png_holds_the_pixels(channels):
    import io

    from PIL import Image
    shape = (7, 5, channels) if channels else (7, 5)
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_of(pixels)))), pixels.squeeze())
    assert png_of(np.asfortranarray(pixels)) == png_of(pixels)


def test_pipe_takes_no_more_than_a_batch(tagger):
    taken = []

    def texts():
        for i in range(20):
            taken.append(i)
            yield f"Obama in town {i}"

    posts = tagger.pipe(texts(), batch_size=4)
    assert not taken
    assert next(posts).id == "1" and len(taken) == 4
    assert [next(posts).id for _ in range(4)][-1] == "5" and len(taken) == 8
    assert len(list(posts)) == 15


def test_pipe_keeps_contexts(tagger):
    items = [("Obama in Rome", 1), ({"text": "Pak"}, "two"), (("Oslo", None), None)]
    assert [(p.text, c) for p, c in tagger.pipe(iter(items), as_tuples=True)] == [
        ("Obama in Rome", 1), ("Pak", "two"), ("Oslo", None)]


def test_what_a_generator_raises_comes_through(tagger):
    def texts():
        yield "Obama"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(tagger.pipe(texts(), batch_size=1))


def test_many_threads(nlp):
    posts = posts_of_photos() + [{"text": t} for t in TEXTS]
    expected = [p.to_json() for p in nlp.pipe(posts)]
    wrong = []

    def work(k):
        for i in list(range(k, len(posts))) + list(range(k)):
            found = nlp({"id": str(i + 1), **posts[i]} if "id" not in posts[i] else posts[i], errors="keep")
            wanted = json.loads(expected[i])
            if found.to_dict() != wanted:
                wrong.append((found.to_json(), expected[i]))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_others_run_meanwhile(tagger):
    """While the C code works. A busy machine may let the other thread wait once, and not each time."""
    def longest_wait():
        """Of a thread beside a call, as a share of the call's time."""
        ticks, ended = [], threading.Event()

        def tick():
            while not ended.wait(0.001):
                ticks.append(time.monotonic())

        clock = threading.Thread(target=tick)
        clock.start()
        begun = time.monotonic()
        list(tagger.pipe(["Obama met Merkel in Berlin on Monday " * 8] * 400, batch_size=400))
        end = time.monotonic()
        ended.set()
        clock.join()
        within = [begun, *(t for t in ticks if begun < t < end), end]
        return max(b - a for a, b in zip(within, within[1:])) / (end - begun)

    assert any(longest_wait() < 0.5 for _ in range(5))


def test_results_outlive_the_model():
    model = gmner.load("tag", threads=1)
    post = model("Obama in Berlin")
    ents = post.ents
    del post
    model.close()
    del model
    gc.collect()
    assert [e.text for e in ents] == ["Obama", "Berlin"]


def test_pickled_and_opened_anew(tagger):
    again = pickle.loads(pickle.dumps(tagger))
    assert again("Obama in Berlin").to_json() == tagger("Obama in Berlin").to_json()
    post = tagger("Obama in Berlin")
    assert pickle.loads(pickle.dumps(post)).to_json() == post.to_json()


def test_from_json(tagger):
    post = tagger("Obama in Berlin")
    assert [e.text for e in gmner.Post.from_json(post.to_json()).ents] == ["Obama", "Berlin"]


def test_html_is_the_card(nlp):
    import html
    import re
    with open(photo("grace_hopper.jpg"), "rb") as f:
        content = f.read()
    pages = [nlp("Grace Hopper <b>", image=image).to_html() for image in (photo("grace_hopper.jpg"), content)]
    for page in pages:
        assert page.startswith("<!DOCTYPE html>") and page.count("<article") == 1
        assert "data:image/jpeg;base64," in page and "&lt;b&gt;" in page and "<b>" not in page
    assert re.sub(r'<span class="file".*?</span>', "", pages[0]) == re.sub(r'<span class="file".*?</span>', "", pages[1])
    post = nlp("Obama in Rome")
    frame = post._repr_html_()
    assert html.unescape(re.search(r'srcdoc="([^"]*)"', frame).group(1)) == post.to_html()
    assert "can&#39;t" in nlp("Rome", image="missing.jpg", errors="keep").to_html() or "missing.jpg" in nlp(
        "Rome", image="missing.jpg", errors="keep").to_html()
