"""What other libraries take of posts, the program's commands, and models by name."""
import json
import shutil
import subprocess

import numpy as np
import pytest
from conftest import HOME, PROGRAM, photo

import gmner


@pytest.fixture(scope="module")
def posts(nlp):
    return list(nlp.pipe([("Grace Hopper at the Navy Yard", photo("grace_hopper.jpg")), "Obama in Rome", "nothing"]))


def test_spacy(posts):
    pytest.importorskip("spacy")
    doc = posts[0].to_spacy()
    assert [(s.text, s.label_) for s in doc.ents] == [("Grace Hopper", "PER"), ("Navy Yard", "LOC")]
    from spacy import displacy
    html = displacy.render(posts[0].to_displacy(), style="ent", manual=True, page=False)
    assert "Grace Hopper" in html and "PER" in html


def test_supervision(posts):
    sv = pytest.importorskip("supervision")
    found = posts[0].to_supervision()
    assert isinstance(found, sv.Detections) and len(found) == 1
    assert np.allclose(found.xyxy, posts[0].ents[0].boxes) and found.mask.shape == (1, 600, 512)
    assert found.data["class_name"].tolist() == ["PER"] and found.data["entity"].tolist() == ["Grace Hopper"]
    assert len(posts[1].to_supervision()) == 0


def test_pandas(posts):
    pytest.importorskip("pandas")
    frame = gmner.to_frame(posts)
    assert frame["entity"].tolist() == ["Grace Hopper", "Navy Yard", "Obama", "Rome"]
    assert frame["type"].tolist() == ["PER", "LOC", "PER", "LOC"]
    assert list(gmner.to_frame([]).columns) == list(frame.columns)


def test_datasets(posts, tagger):
    datasets = pytest.importorskip("datasets")
    assert datasets.Dataset.from_list(gmner.to_rows(posts))["entity"][2] == "Obama"
    data = datasets.Dataset.from_dict({"text": ["Obama in Rome", "Pak in Oslo", "Berlin"], "n": [1, 2, 3]})
    found = data.map(tagger.columns, batched=True, batch_size=2)
    assert [[e["text"] for e in row] for row in found["entities"]] == [["Obama", "Rome"], ["Pak", "Oslo"], ["Berlin"]]
    assert found["n"][2] == 3


TRAIN = [{"id": str(i), "text": f"{name} lives in {place}", "entities": [
    {"type": "PER", "start": 0, "end": len(name)},
    {"type": "LOC", "start": len(name) + 10, "end": len(name) + 10 + len(place)}]}
    for i, (name, place) in enumerate([("Ann", "Oslo"), ("Bob", "Rome"), ("Eve", "Paris"), ("Max", "Berlin")] * 4)]


def test_train_and_evaluate(tmp_path, tagger):
    import tiny_model
    tiny_model.write(tmp_path / "encoder")
    model = gmner.train(TRAIN, tmp_path / "model", dev=TRAIN, encoder=tmp_path / "encoder", epochs=1, threads=1)
    with gmner.load("tag", tagger=model, threads=1) as nlp:
        assert nlp("Ann lives in Oslo").error is None
    pred = list(tagger.pipe([{"id": p["id"], "text": p["text"]} for p in TRAIN]))
    scores = gmner.evaluate(TRAIN, pred)
    for name, data in (("gold", [json.dumps(p) for p in TRAIN]), ("pred", [p.to_json() for p in pred])):
        (tmp_path / name).write_text("\n".join(data), encoding="utf-8")
    out = subprocess.run([PROGRAM, "eval", "--gold", tmp_path / "gold", "--pred", tmp_path / "pred", "--json"],
                         check=True, stdout=subprocess.PIPE).stdout
    assert scores == json.loads(out)
    assert gmner.evaluate(tmp_path / "gold", str(tmp_path / "pred")) == scores
    with pytest.raises(gmner.GmnerError):
        gmner.evaluate(tmp_path / "none", pred)
    with pytest.raises(gmner.ArgumentError, match="colour"):
        gmner.evaluate(TRAIN, pred, colour=3)


def test_models():
    there = {m.name: m for m in gmner.models.list()}
    assert there["ner-default"].is_present and there["ner-default"].task == "tag"
    assert there["minilm"].megabytes == pytest.approx(91.6)
    gmner.models.get("ner-default")
    with pytest.raises(gmner.ArgumentError, match=r'^no model "no-such-model"; gmner\.models\.list\(\) lists them$'):
        gmner.models.get("no-such-model")


def test_added_models(tmp_path, monkeypatch):
    monkeypatch.setenv("GMNER_MODELS", str(tmp_path))
    gmner.models.add(f"{HOME}/models/ner-default", "mine")
    assert "mine" in {m.name for m in gmner.models.list()} and (tmp_path / "mine" / "model.safetensors").exists()
    gmner.models.add(shutil.copytree(tmp_path / "mine", tmp_path / "folder" / "own"))
    assert "own" in {m.name for m in gmner.models.list()} and (tmp_path / "own" / "model.safetensors").exists()
