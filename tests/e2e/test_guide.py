"""`gmner guide`: what it counts of annotated posts, by hand; and that prompts say it."""
import json
import os

import gm
import llm_server
from annotations import png

IMAGE = os.path.join(gm.HOME, "tests", "golden", "image", "baseline.jpg")

TRAIN = """IMGID:1
RT\tO
@\tO
NASA\tB-ORG
:\tO
Ann\tB-PER
Lee\tI-PER
in\tO
Bonn\tB-LOC

IMGID:2
#\tO
Bonn\tB-LOC
with\tO
Ann\tB-PER
Lee\tI-PER
@\tO
someone\tO

IMGID:3
Bob\tB-PER
#\tO
nofilter\tO

"""

FINE = "\n".join(line.replace("\tO", "\tO\tO").replace("-PER", "-person\tB-athlete" if line.startswith(("Ann", "Bob"))
                                                       else "-person\tI-athlete")
                 .replace("B-LOC", "B-location\tB-city").replace("B-ORG", "B-organization\tB-company")
                 if line and not line.startswith("IMGID") else line for line in TRAIN.split("\n"))


def voc(d, post, w, h, *objects):
    d.write(f"xml/{post}.xml", "<annotation><size><width>%d</width><height>%d</height></size>%s</annotation>" % (
        w, h, "".join("<object><name>%s</name><bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax><ymax>%d</ymax>"
                      "</bndbox></object>" % o for o in objects)))


def write(d):
    d.write("train.txt", TRAIN)
    d.write("fine.txt", FINE)
    voc(d, 1, 100, 100, ("Ann Lee", 0, 0, 50, 50), ("NASA", 0, 0, 10, 10))
    voc(d, 2, 100, 100, ("Ann Lee", 0, 0, 40, 100), ("Ann Lee", 50, 0, 100, 100))


WHOLE = """posts: 3
entities: 6
in_image: 0.5
handles: {count: 2, entities: 0.5}
hashtags: {count: 2, entities: 0.5}
types:
  "ORG":
"""


def test_counts():
    with gm.Folder() as d:
        write(d)
        r = gm.expect_ok(gm.run("guide", d / "train.txt", "--xml", d / "xml", "--fine", d / "fine.txt",
                                "-o", d / "guide.yaml"))
        with open(d / "guide.yaml", encoding="utf-8") as f:
            text = f.read()
        assert r.out == "" and WHOLE in text, text
        person = text[text.index('  "PER":'):text.index('  "LOC":')]
        for line in ("entities: 3", "in_image: 0.667", "box: 0.4", "several: 0.5", 'examples: ["Ann Lee", "Bob"]',
                     '      "athlete":', '        definition: "A sports player. Shown by the whole visible person."'):
            assert line + "\n" in person, (line, person)
        place = text[text.index('  "LOC":'):]
        assert "in_image: 0\n" in place and "box:" not in place and '"city":' in place
        # without boxes nothing is said of images
        assert "image:" not in gm.expect_ok(gm.run("guide", d / "train.txt")).out


def test_sizes_of_pictures():
    """Records don't say them: pictures are read."""
    with gm.Folder() as d:
        d.write("p.png", png(200, 100))
        d.write("in.jsonl", "".join(json.dumps({"id": i, "text": "Ann", "image": image, "entities": [
            {"start": 0, "end": 3, "type": "PER", "regions": [{"box": [0, 0, 50, 40], "score": 1}]}]}) + "\n"
            for i, image in (("1", "p.png"), ("2", "missing.png"))))
        r = gm.run("guide", d / "in.jsonl")
        assert r.code == 3 and "    in_image: 1\n    box: 0.1\n" in r.out, r.out
        assert "post 2: how large its boxes are is not known" in r.err and "missing.png" in r.err, r.err


def test_own_definitions_and_bad_input():
    with gm.Folder() as d:
        write(d)
        own = d.write("own.yaml", 'PER: "Somebody: by name"\nathlete: Runs.\nPERSON: misspelt\n')
        r = gm.expect_ok(gm.run("guide", d / "train.txt", "--fine", d / "fine.txt", "--types", own))
        assert 'definition: "Somebody: by name"' in r.out and 'definition: "Runs."' in r.out
        assert 'no entity has the type "PERSON"' in r.err
        d.write("bad.yaml", "PER: [1]\n")
        gm.expect(gm.run("guide", d / "train.txt", "--types", d / "bad.yaml"), 1, "bad.yaml", '"PER" must be a text')
        d.write("none.txt", "IMGID:1\nhi\tO\n\n")
        gm.expect(gm.run("guide", d / "none.txt"), 1, "no post has an entity")


def test_types_of_the_data_set_decide():
    """"location" is one thing among military vehicles and another among tweets."""
    with gm.Folder() as d:
        rows = lambda *types: "".join(f"X{i}\tB-{t}\n\n" for i, t in enumerate(types))  # noqa: E731
        ccks = gm.expect_ok(gm.run("guide", d.write("a.txt", rows("vessel", "location", "weapon", "other")))).out
        fine = gm.expect_ok(gm.run("guide", d.write("b.txt", rows("person", "location", "building", "other")))).out
        assert "It has no box" in ccks and "an organisation, a unit" in ccks
        assert "It has no box" not in fine and "an award" in fine


def ask(d, server, stage, *settings):
    r = d.write("r.yaml", f"name: r\nstages:\n  - stage: {stage}\n    backend: llm\n" +
                "".join(f"    {s}\n" for s in settings))
    return gm.run("predict", d / "in.jsonl", "-r", r, "-o", d / "out.jsonl", "--endpoint", server.url, "--model", "m",
                  "--run", d / "run", env={"GMNER_CACHE": d / "cache.sqlite"})


def whole(request):
    """The text of all messages."""
    contents = [m["content"] for m in request["messages"]]
    return "\n".join(c if isinstance(c, str) else "".join(p.get("text", "") for p in c) for c in contents)


SAYS = {"refine": '{"entities": [{"entity": 1, "action": "keep", "text": "Anna", "type": "PER"}]}', "entail": "yes",
        "expand": '{"phrases": [{"entity": 1, "phrase": "a woman"}]}', "ground": '{"boxes": []}', "look": "A wall.",
        "inform": "Named entities: none."}


def test_prompts_say_it():
    for stage, said in SAYS.items():
        asked = []
        with gm.Folder() as d, llm_server.Own(lambda t, q: asked.append(whole(q)) or said) as server:
            d.write("in.jsonl", json.dumps({"id": "1", "text": "Anna waves", "image": IMAGE, "entities": [
                {"start": 0, "end": 4, "type": "PER", "score": 0.3}]}) + "\n")
            write(d)
            gm.expect_ok(gm.run("guide", d / "train.txt", "--xml", d / "xml", "-o", d / "guide.yaml"))
            own = {"ground": ['coords: "1000"'], "refine": ["combined: true"]}.get(stage, [])
            gm.expect_ok(ask(d, server, stage, *own))
            has_type = stage in ("refine", "entail", "expand", "ground")
            assert len(asked) == 1 and ("also a character of fiction" in asked[0]) == has_type, (stage, asked)
            assert "What is known of such posts" not in asked[0]
            gm.expect_ok(ask(d, server, stage, "guide: " + d / "guide.yaml", *own))  # of the run: asked anew
            if stage == "look":  # says what is seen, whatever the types
                assert len(asked) == 1 or asked[1] == asked[0]
                continue
            for part in ("What is known of such posts: 50% of their entities are in the picture.",
                         "50% of the entities. 67% of them are in the picture, in a box of mostly about 40% of it, "
                         "50% in several. For example: Ann Lee; Bob.", "None of them is in the picture.",
                         "50% of the handles (@name) are entities."):
                assert part in asked[1], (stage, part, asked[1])


def test_a_guide_changed_by_hand():
    asked = []
    with gm.Folder() as d, llm_server.Own(lambda t, q: asked.append(t) or "no") as server:
        d.write("in.jsonl", json.dumps({"id": "1", "text": "Anna waves", "image": IMAGE, "entities": [
            {"start": 0, "end": 4, "type": "PER"}]}) + "\n")
        d.write("g.yaml", "types: {PER: {definition: Mine., in_image: 1, examples: [É]}}\n")
        gm.expect_ok(ask(d, server, "entail", "guide: " + d / "g.yaml"))
        assert "PER: Mine." in asked[0] and "100% of them" in asked[0] and "For example: É." in asked[0]
        d.write("g.yaml", "types: {PER: {definition: Another.}}\n")
        gm.expect_ok(ask(d, server, "entail", "guide: " + d / "g.yaml"))
        assert "PER: Another." in asked[1], "the file's content is part of what results depend on"
        for text, part in (("types: {PER: {definition: 3}}", '"definition" must be a text'),
                           ("types: {PER: {in_image: 2}}", 'type "PER": "in_image" must be a share'),
                           ("types: {PER: {colour: red}}", 'unknown key "colour"'), ("posts: 3", "types must be"),
                           ("types: {PER: {examples: Ann}}", "list of names")):
            d.write("g.yaml", text + "\n")
            gm.expect(ask(d, server, "entail", "guide: " + d / "g.yaml"), 1, "g.yaml", part)


gm.main(globals())
