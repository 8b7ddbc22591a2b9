"""expand by a language model: what an entity looks like or what it is, about a post or an entity at a time, with the picture
or without. What is asserted is what the server was sent, and that nothing it says makes, loses or renames an entity."""
import json
import re
import time

import gm
from ground_posts import ENTITIES, TEXT, entity, pictures, predict, read, write_posts
from ground_posts import Server as Keeping

KINDS = {"visual": "what it would look like there", "identity": "what it is"}
LINE = re.compile(r"^(\d+)\. (.*) \((\w+)\)$", re.M)
SPANS = [(n, t, s, {}) for n, t, s, _ in ENTITIES]


def phrases(*of):
    return json.dumps({"phrases": [{"entity": n, "phrase": p} for n, p in of]})


def expand(text, _=None):
    """A right answer: the phrase tells whose it is."""
    return phrases(*((int(n), f"a thing called {name}") for n, name, _ in LINE.findall(text)))


def given(d):
    with open(d / "in.jsonl", encoding="utf-8") as f:
        return [[{k: e[k] for k in ("text", "type", "start", "end")} for e in json.loads(line)["entities"]] for line in f]


def named(posts):
    return [[{k: e[k] for k in ("text", "type", "start", "end")} for e in p["entities"]] for p in posts]


def test_what_is_asked():
    for kind, says in KINDS.items():
        for batch in ("post", "entity"):
            with gm.Folder() as d, Keeping(expand) as server:
                write_posts(d, entities=SPANS[1:])
                with open(d / "in.jsonl", encoding="utf-8") as f:
                    post = dict(json.loads(f.readline()), caption="two people", knowledge="Bob is a singer.")
                d.write("in.jsonl", json.dumps(post) + "\n")
                gm.expect_ok(predict(d, server, "kind: " + kind, "batch: " + batch, stage="expand"))
                lists = sorted([(name, t) for _, name, t in LINE.findall(text)] for text, _ in server.requests)
                asked = [(n, t) for n, t, *_ in SPANS[1:]]
                assert lists == (sorted([x] for x in asked) if batch == "entity" else [asked]), lists
                for text, request in server.requests:
                    assert says in request["messages"][0]["content"] and len(pictures(request)) == 1
                    assert f'Post: "{TEXT}"\nPhoto: two people\nKnown: Bob is a singer.\nEntities:\n' in text
                    system = request["messages"][0]["content"]
                    for t in ("PER", "ORG", "LOC"):
                        assert (f"\n{t}: " in system) == any(f"({t})" in x for x in text.splitlines() if x[:1].isdigit()), t
                out = read(d)
                assert [e["expression"] for e in out[0]["entities"]] == ["a thing called " + n for n, *_ in SPANS[1:]]
                assert named(out) == given(d)


def test_without_the_picture():
    with gm.Folder() as d, Keeping(expand) as server:
        write_posts(d, entities=SPANS)
        gm.expect_ok(predict(d, server, "kind: identity", "images: never", stage="expand"))
        (_, request), = server.requests
        assert isinstance(request["messages"][-1]["content"], str)
        assert read(d)[0]["entities"][0]["expression"] == "a thing called Ann Lee"


TRIES = {
    "invents one": lambda n: [(k + 1, "a thing") for k in range(n + 1)],
    "drops one": lambda n: [(k + 1, "a thing") for k in range(n - 1)],
    "one twice": lambda n: [(1, "a thing")] * n if n > 1 else [(1, "a"), (1, "b")],
    "none of them": lambda n: [],
}
TEXTS = {
    "renames one": lambda n: json.dumps({"phrases": [
        {"entity": k + 1, "name": "Somebody Else", "type": "LOC", "phrase": "a thing"} for k in range(n)]}),
    "goes by names": lambda n: json.dumps({"phrases": [{"entity": "Somebody Else", "phrase": "a thing"} for _ in range(n)]}),
    "says more": lambda n: json.dumps({"phrases": [{"entity": k + 1, "phrase": "a thing"} for k in range(n)],
                                       "entities": [{"text": "Somebody Else", "type": "PER"}]}),
}


def test_nothing_is_made_lost_or_renamed():
    """Each try is refused; where the model goes on so, the entities are as they were, without an expression; where its third
    answer is right, they have that."""
    tries = {**{k: (lambda n, f=f: phrases(*f(n))) for k, f in TRIES.items()}, **TEXTS}
    for name, bad in tries.items():
        for batch in ("post", "entity"):
            for is_right_in_the_end in (False, True):
                seen = {}

                def say(text, _):
                    seen[text] = seen.get(text, 0) + 1
                    if is_right_in_the_end and seen[text] == 3:
                        return expand(text)
                    return bad(len(LINE.findall(text)))

                with gm.Folder() as d, Keeping(say) as server:
                    write_posts(d, entities=SPANS[:3])
                    gm.expect_ok(predict(d, server, "batch: " + batch, "images: never", stage="expand"))
                    assert set(seen.values()) == {3} and len(seen) == (3 if batch == "entity" else 1), (name, seen)
                    out = read(d)
                    assert named(out) == given(d), (name, batch)
                    for e in out[0]["entities"]:
                        if is_right_in_the_end:
                            assert e["expression"] == "a thing called " + e["text"] and "note" not in e, (name, e)
                        else:
                            assert "expression" not in e and e["note"] == "expand_rejected:schema", (name, e)


def test_one_that_fails_costs_no_other():
    """batch: entity."""
    with gm.Folder() as d, Keeping(lambda text, _: "I can't" if "Bob" in LINE.findall(text)[0][1] else expand(text)) as server:
        write_posts(d, entities=SPANS)
        gm.expect_ok(predict(d, server, "batch: entity", "images: never", stage="expand"))
        assert [e.get("expression") for e in read(d)[0]["entities"]] == [
            None if n == "Bob" else "a thing called " + n for n, *_ in SPANS]


def test_killed_and_gone_on_with():
    n = 60
    with gm.Folder() as d:
        def say(text, _):
            time.sleep(0.01)
            return expand(text)

        with Keeping(say) as server:
            d.write("in.jsonl", "".join(json.dumps({"id": str(i), "text": f"N{i}x and M{i}x", "entities": [
                entity(f"N{i}x", "PER", 0, {}), entity(f"M{i}x", "PER", 7 + len(str(i)), {})]}) + "\n" for i in range(n)))
            d.write("r.yaml", "name: r\nstages:\n  - stage: expand\n    backend: llm\n    kind: identity\n    batch: entity\n")
            words = ["predict", d / "in.jsonl", "-r", d / "r.yaml", "-o", d / "out.jsonl", "--endpoint",
                     server.url, "--model", "m", "--in-flight", "4"]
            killed = gm.kill_runs(words, {"GMNER_CACHE": d / "cache.sqlite"}, 0.15, 0.2, 0.25)
            gm.expect_ok(predict(d, server, "kind: identity", "batch: entity", stage="expand", args=("--in-flight", "4")))
            assert killed and 2 * n <= len(server.requests) <= 2 * n + 8 * killed, (killed, len(server.requests))
            assert all(e["expression"] == "a thing called " + e["text"] for p in read(d) for e in p["entities"])


def test_bad_settings():
    with gm.Folder() as d, Keeping(expand) as server:
        write_posts(d)
        gm.expect(predict(d, server, "kind: pretty", stage="expand"), 1, '"kind" is "pretty"; it must be visual', "identity")
        gm.expect(predict(d, server, "kind: 3", stage="expand"), 1, '"kind"')
        gm.expect(predict(d, server, "batch: all", stage="expand"), 1, '"batch" is "all"; it must be entity or post')


gm.main(globals())
