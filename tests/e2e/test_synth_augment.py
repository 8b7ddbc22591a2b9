"""gmner synth --augment against a server whose answers are a Python function: what is asked of posts with and
without knowledge, what is refused, what comes out and trains a tagger that reads knowledge; --guide."""
import json
import re

import gm
import llm_server
import tiny_model
from posts_data import conll

KNOWN = "Anna is a singer from Berlin who is on tour . Berlin is the capital of Germany ."
SEEDS = [{"id": "1", "text": "Anna sings in Berlin tonight , all of you come", "knowledge": KNOWN, "entities": [
              {"start": 0, "end": 4, "type": "PER"}, {"start": 14, "end": 20, "type": "LOC"}]},
         {"id": "2", "text": "it rains the whole day in this town", "entities": []}]
GOOD = {"text": "Tonight you all should hear Anna : she is in Berlin",
        "entities": [{"text": "Anna", "type": "PER"}, {"text": "Berlin", "type": "loc"}],
        "knowledge": "The capital of Germany , Berlin , is where the singer Anna was born ; she tours at present ."}
DRY = {"text": "not one dry hour for this place today", "entities": []}


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def refused(r):
    return {k: int(v) for k, v in re.findall(r"refused: reason=(\w+) n=(\d+)", r.err)}


def answer(*sentences):
    return json.dumps({"sentences": sentences})


def augment(d, url, *args, posts=SEEDS, out="out.jsonl"):
    seeds = d.write("seeds.jsonl", "".join(json.dumps(p) + "\n" for p in posts))
    return gm.run("synth", "--augment", "--seeds", seeds, "-o", d / out, "--endpoint", url, "--model", "m",
                  "--rewrite", "1", *args, env={"GMNER_CACHE": d / "cache.sqlite"})


def test_what_is_asked_and_what_comes():
    asked = []

    def say(text, request):
        asked.append((text, request))
        return answer(GOOD) if "Anna" in text else answer(DRY)

    with gm.Folder() as d, llm_server.Own(say) as server:
        r = gm.expect_ok(augment(d, server.url))
        assert "keep=0 vary=0 none=0 rewrite=2" in r.err and refused(r) == {}, r.err
        one, two = sorted(asked, key=lambda a: "Anna" not in a[0])
        assert "What is known of it: " + KNOWN in one[0] and "- Anna (PER)\n- Berlin (LOC)" in one[0], one[0]
        assert "Write 1 paraphrases of the post, of 5 to 22 words" in one[0]
        assert "What is known" not in two[0] and "Its entities" not in two[0] and "knowledge" not in two[0], two[0]
        schemas = [json.dumps(a[1].get("response_format")) for a in (one, two)]
        assert "knowledge" in schemas[0] and "knowledge" not in schemas[1], schemas
        a, b = lines(d / "out.jsonl")
        assert (a["id"], a["knowledge"]) == ("1.r1.1", GOOD["knowledge"])
        assert [(e["text"], e["type"], e["start"]) for e in a["entities"]] == [
            ("Anna", "PER", 28), ("Berlin", "LOC", GOOD["text"].index("Berlin"))]
        assert a["synth"] == {"seed": "1", "kind": "rewrite", "ask": 1, "prompt": a["synth"]["prompt"], "model": "m"}
        assert b["entities"] == [] and "knowledge" not in b
        # the same command asks for nothing more, and gives the same
        n = len(asked)
        gm.expect_ok(augment(d, server.url, out="again.jsonl"))
        assert len(asked) == n and lines(d / "again.jsonl") == [a, b]


def test_what_is_refused():
    bad = [
        ("lost_entity", dict(GOOD, text="Tonight you all should hear ANNA : she is in Berlin")),
        ("lost_entity", dict(GOOD, text="Tonight you all should hear her : she is in Berlin")),
        ("part_of_word", dict(GOOD, text="Tonight you all should hear Anna : she is in Berliners")),
        ("added_entity", dict(GOOD, text=GOOD["text"] + " , not in Rome", entities=[{"text": "Rome", "type": "LOC"}])),
        ("two_types", dict(GOOD, entities=[{"text": "Anna", "type": "LOC"}])),
        ("unknown_type", dict(GOOD, entities=[{"text": "Anna", "type": "ANIMAL"}])),
        ("too_short", dict(GOOD, text="hear Anna , Berlin")),
        ("too_long", dict(GOOD, text=" ".join(f"w{i}" for i in range(21)) + " Anna Berlin")),
        ("duplicate_seed", dict(GOOD, text="in Berlin tonight Anna sings , all of you come")),
        ("no_knowledge", {k: v for k, v in GOOD.items() if k != "knowledge"}),
        ("no_knowledge", dict(GOOD, knowledge="  ")),
        ("same_knowledge", dict(GOOD, knowledge=KNOWN)),
        ("same_knowledge", dict(GOOD, knowledge="Berlin is the capital of Germany . Anna is a singer from Berlin who is on tour .")),
        ("same_knowledge", dict(GOOD, knowledge="A singer there .")),
        ("same_knowledge", dict(GOOD, knowledge=" ".join(f"word{i}" for i in range(60)))),
    ]
    for reason, sentence in bad:
        asked = []
        with gm.Folder() as d, llm_server.Own(lambda t, _: asked.append(t) or answer(  # noqa: B023
                sentence if len(asked) == 1 else GOOD)) as server:  # noqa: B023
            r = gm.expect_ok(augment(d, server.url, posts=SEEDS[:1]))
            assert refused(r) == {reason: 1}, (reason, sentence, r.err)
            # asked once more, with the reason; what comes then is right
            assert len(asked) == 2 and "These were refused" in asked[1] and len(lines(d / "out.jsonl")) == 1
            (line,) = lines(d / "out.jsonl.refused.jsonl")
            assert line["reason"] == reason and line["text"] == sentence["text"] and line["kind"] == "rewrite"


def test_counts_of_new_sentences_are_refused():
    """The default's value, too, where it is given."""
    for option, preset in (("--keep", "20"), ("--vary", "10"), ("--none", "30")):
        for n in ("3", preset):
            gm.expect(gm.run("synth", "--augment", option, n, "--seeds", "x.txt", "-o", "y.jsonl"), 2, option, "--rewrite")
    gm.expect(gm.run("synth", "--rewrite", "2", "--seeds", "x.txt", "-o", "y.jsonl"), 2, "--augment")


def test_guide():
    """Its definitions and habits are told; one's own definitions go before."""
    asked = []
    with gm.Folder() as d, llm_server.Own(lambda t, _: asked.append(t) or answer(GOOD if "Anna" in t else DRY)) as server:
        seeds = d.write("seeds.jsonl", "".join(json.dumps(p) + "\n" for p in SEEDS))
        gm.expect_ok(gm.run("guide", seeds, "-o", d / "guide.yaml"))
        with open(d / "guide.yaml", encoding="utf-8") as f:
            guide = f.read()
        d.write("guide.yaml", re.sub(r'"PER":\n    definition: .*', '"PER":\n    definition: "somebody who sings"', guide))
        gm.expect_ok(augment(d, server.url, "--guide", d / "guide.yaml"))
        assert "- PER: somebody who sings" in asked[0] and "For example: Anna" in asked[0], asked[0]
        asked.clear()
        d.write("types.yaml", "PER: my own\nLOC:\n")
        gm.expect_ok(augment(d, server.url, "--guide", d / "guide.yaml", "--types", d / "types.yaml"))
        assert "- PER: my own\n- LOC: " in asked[0], asked[0]
        # the other kinds, too
        asked.clear()
        gm.run("synth", "--seeds", seeds, "-o", d / "k.jsonl", "--endpoint", server.url, "--keep", "1", "--vary", "0",
               "--guide", d / "guide.yaml", env={"GMNER_CACHE": d / "cache.sqlite"})
        assert asked and all("For example: Anna" in a for a in asked), asked[0]
        gm.expect(augment(d, server.url, "--guide", d / "no.yaml"), 1, "no.yaml")


def test_trains_with_knowledge():
    """CoNLL as PLIM has it: the words, and behind <EOS> the knowledge; a tagger of both files reads knowledge."""
    with gm.Folder() as d, llm_server.Own(lambda t, _: answer(GOOD if "Anna" in t else DRY)) as server:
        gm.expect_ok(augment(d, server.url, "--min-words", "1", out="more.conll"))
        with open(d / "more.conll", encoding="utf-8") as f:
            more = f.read()
        assert "Berlin\tB-LOC\n<EOS>\tX\nThe\tX\ncapital\tX\n" in more, more
        tiny_model.write(d / "encoder")
        plim = conll(n=20).replace("\n\n", "\n<EOS>\tX\nknown\tX\n\n")
        gm.expect_ok(gm.run("train", "--train", d.write("all.conll", plim + more), "-o", d / "tagger", "--encoder",
                            d / "encoder", "--epochs", "1", "--precision", "f32"))
        with open(d / "tagger/gmner.json", encoding="utf-8") as f:
            assert json.load(f)["knowledge"] is True
        # a tagger that knows nothing of the seeds judges, as it does for synth
        r = gm.expect_ok(augment(d, server.url, "--tagger", d / "tagger", "--drop", "0", out="judged.jsonl"))
        assert all("score" in e for p in lines(d / "judged.jsonl") for e in p["entities"]), r.err


gm.main(globals())
