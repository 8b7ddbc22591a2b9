"""ground by a language model: one question a post, and examples of annotated posts before it. What is asserted
is what the server was sent, and the boxes that come out."""
import json
import os
import re
import signal
import subprocess
import threading
import time

import families
import gm
import llm_server
import tiny_model
from annotations import png
from ground_posts import ENTITIES, TEXT, Server, entity, of_one, pictures, predict, read, write_posts

GOLD = (0.131, 0.242, 0.713, 0.888)  # of every entity's picture


def answers(*of):
    return json.dumps({"entities": [{"entity": n, "reason": "seen", "visible": bool(b), "boxes": b} for n, b in of]})


POST = ("batch: post", 'coords: "1000"')


def test_one_question_a_post():
    said = answers((1, [[100, 200, 500, 600]]), (2, []), (3, [[0, 0, 50, 50], [900, 900, 1000, 1000]]))
    with gm.Folder() as d, Server(lambda *_: said) as server:
        write_posts(d)
        gm.expect_ok(predict(d, server, *POST))
        (text, request), = server.requests
        # each name once, numbered, with what it looks like on one line; not what is probably not visible
        assert "\n1. Ann Lee (PER)\n2. Bob (PER): a man with a hat\n3. NASA (ORG)\n" in text and "Bonn (LOC)" not in text
        assert text.count("\nPER: A person named in the text") == 1 and "\nORG: A company" in text and "LOC:" not in text
        assert "[xmin, ymin, xmax, ymax] in numbers from 0 to 1000" in text
        schema = request["response_format"]["json_schema"]["schema"]["properties"]["entities"]["items"]
        assert schema["required"] == ["entity", "reason", "visible", "boxes"] == list(schema["properties"])
        assert len(pictures(request)) == 1
        e = read(d)[0]["entities"]
        assert [len(x.get("regions", [])) for x in e] == [1, 0, 2, 1, 0], e
        assert e[0]["regions"] == e[3]["regions"]  # both mentions
        assert e[1]["note"] == "no_box:not_found" and e[4]["note"] == "no_box:below_threshold:0.5"


def test_answers_that_leave_some_out():
    """They are asked for again, the whole post; in the end what was said counts, and the others are asked about alone."""
    said = iter([answers((1, []), (2, [])), answers((1, []), (2, []), (3, []), (4, [])),
                 answers((1, []), (2, []), (3, []))])
    with gm.Folder() as d, Server(lambda *_: next(said)) as server:
        write_posts(d)
        gm.expect_ok(predict(d, server, *POST))
        assert len(server.requests) == 3 and read(d)[0]["entities"][0]["note"] == "no_box:not_found"
    with gm.Folder() as d, Server(lambda *_: answers((2, []))) as server:
        write_posts(d)
        gm.expect_ok(predict(d, server, *POST))
        assert len(server.requests) == 3 + 2 * 3
        assert [x.get("note") for x in read(d)[0]["entities"]] == [
            "ground_rejected:schema", "no_box:not_found", "ground_rejected:schema", "ground_rejected:schema",
            "no_box:below_threshold:0.5"]


def test_a_part_of_an_answer_counts():
    """By what is wrong with the answer about all three: what of it counts, and who is asked about alone. Bob's own
    answer can't be read either; the other two have a box each."""
    good = {"entity": 1, "reason": "", "visible": True, "boxes": [[100, 200, 500, 600]]}
    third = dict(good, entity=3, boxes=[[0, 0, 50, 50]])
    cases = {
        "no JSON at all": ("I see them all.", {"Ann Lee", "Bob", "NASA"}),
        "cut off": (json.dumps({"entities": [good, third]})[:-40], {"Bob", "NASA"}),
        "one who isn't asked about": (json.dumps({"entities": [good, dict(good, entity=9), third]}), {"Bob"}),
        "numbers that are none": (json.dumps({"entities": [good, dict(good, entity="Bob"), third]}), {"Bob"}),
    }
    for name, (said, alone) in cases.items():
        def say(text, _, said=said):
            one = of_one(text)
            return said if not one else "I can't" if one == "Bob" else json.dumps({"entities": [dict(
                good if one == "Ann Lee" else third, entity=1)]})

        with gm.Folder() as d, Server(say) as server:
            write_posts(d)
            gm.expect_ok(predict(d, server, *POST))
            asked = [of_one(t) for t, _ in server.requests]
            assert asked[:3] == [None] * 3 and set(asked[3:]) == alone, (name, asked)
            assert asked.count("Bob") == 3 and len(asked) == 3 + 3 + len(alone - {"Bob"}), (name, asked)
            e = read(d)[0]["entities"]
            assert [x.get("note") for x in e] == [None, "ground_rejected:schema", None, None,
                                                 "no_box:below_threshold:0.5"], (name, e)
            for k, box in ((0, good["boxes"][0]), (2, third["boxes"][0]), (3, good["boxes"][0])):
                want = [x * (207 if i % 2 else 331) / 1000 for i, x in enumerate(box)]
                assert all(abs(x - y) < 0.02 for x, y in zip(e[k]["regions"][0]["box"], want)), (name, k, e[k])
    with gm.Folder() as d, Server(lambda *_: "I see them all.") as server:  # one entity: there is nothing to part
        write_posts(d, entities=ENTITIES[:1])
        gm.expect_ok(predict(d, server, *POST))
        assert len(server.requests) == 3 and read(d)[0]["entities"][0]["note"] == "ground_rejected:schema"


def test_every_family():
    """Their numbers are learned by the question that will be asked, two shapes at once."""
    sizes = ((331, 207), (998, 1303), (1600, 401))
    for name in families.FAMILIES:
        def shapes(text, request):
            found = {n: families.part(s) for n, s in families.shapes(text).items()}
            assert len(found) == 2, text
            return families.in_list(name, found, *families.sent_size(request))

        def say(_, request):
            return families.in_list(name, {n: GOLD for n in (1, 2, 3)}, *families.sent_size(request))

        with gm.Folder() as d, Server(say, shapes) as server:
            write_posts(d, sizes)
            r = gm.expect_ok(predict(d, server, "batch: post"))
            assert (len(server.probes), len(server.requests)) == (3, 3), (name, r.err)
            for (w, h), p in zip(sizes, read(d)):
                for e in p["entities"][:4]:
                    for k, got in enumerate(e["regions"][0]["box"]):
                        side = h if k % 2 else w
                        assert abs(got - GOLD[k] * side) <= max(1, 0.51 * side / 999), (name, e, w, h)


def test_refused():
    with gm.Folder() as d, Server(lambda *_: "", lambda *_: answers((1, [[1, 2, 3, 4]]), (2, []))) as server:
        write_posts(d)
        gm.expect(predict(d, server, "batch: post", "coords: auto"), 1, "fit no coordinates")
        assert len(server.probes) == 6 and not server.requests
        gm.expect(predict(d, server, "batch: all"), 1, '"batch" is "all"; it must be entity or post')


# ---- examples ----

POOL = [  # id, size of the picture, text, entities, boxes by entity
    ("near", (100, 50), "Ann and Bob wave at Bonn", [("Ann", "PER", 0), ("Bob", "PER", 8), ("Bonn", "LOC", 20)],
     {"Ann": [[10, 10, 60, 40]], "Bob": [[0, 0, 50, 50], [50, 0, 100, 50]]}),
    ("far", (60, 120), "the big red moon today", [("moon", "OTHER", 12)], {"moon": [[0, 60, 60, 120]]}),
    ("blind", None, "Ann and Bob wave at Ann in Bonn", [("Ann", "PER", 0)], {}),
    ("none", (64, 64), "it lives in a tree", [], {}),
]


def write_pool(d, pool=POOL):
    lines = []
    for name, size, text, entities, boxes in pool:
        post = {"id": name, "text": text, "entities": [
            dict(entity(*e, {}), regions=[{"box": b, "score": 1} for b in boxes.get(e[0], [])]) for e in entities]}
        if size:
            post["image"] = d.write(f"{name}.png", png(*size))
        lines.append(json.dumps(post) + "\n")
    tiny_model.write(d / "encoder")
    return d.write("pool.jsonl", "".join(lines))


def with_pool(d, more=""):
    return "examples: {pool: %s, encoder: %s/%s}" % (d / "pool.jsonl", d / "encoder", more)


def blocks(text):
    """The turns of the block of examples, by their numbers."""
    return re.findall(r"Example (\d)\n(.*?)Answer: ([^\n]*)\n", text, re.S)


NEAR = {'"1000"': ([100, 200, 600, 800], [[0, 0, 500, 1000], [500, 0, 1000, 1000]]),
        '"1"': ([0.1, 0.2, 0.6, 0.8], [[0, 0, 0.5, 1], [0.5, 0, 1, 1]])}


def test_examples():
    said = answers((1, []), (2, []), (3, []))
    for coords, (ann, bob) in NEAR.items():
        for order in ("xyxy", "yxyx"):
            turn = families.turned if order == "yxyx" else list
            with gm.Folder() as d, Server(lambda *_: said) as server:
                write_posts(d)
                write_pool(d)
                gm.expect_ok(predict(d, server, "batch: post", "coords: " + coords, "order: " + order, with_pool(d)))
                (text, request), = server.requests
                found = blocks(text)
                assert [n for n, _, _ in found] == ["1", "2", "3"]  # "blind" has no picture
                near = next(x for x in found if "Ann and Bob wave at Bonn" in x[1])
                assert "1. Ann (PER)\n2. Bob (PER)\n3. Bonn (LOC)\n" in near[1]
                assert json.loads(near[2]) == {"entities": [
                    {"entity": 1, "visible": True, "boxes": [turn(ann)]},
                    {"entity": 2, "visible": True, "boxes": [turn(b) for b in bob]},
                    {"entity": 3, "visible": False, "boxes": []}]}
                # as many pictures, in the order of the examples, and the post's own last; resized alike
                ratios = {"Ann and Bob": 2, "the big red": 0.5, "it lives in": 1}
                want = [next(r for t, r in ratios.items() if t in x[1]) for x in found] + [331 / 207]
                (asked,) = read(d)[0]["asked"]
                assert asked["stage"] == "ground" and asked["requests"] == 1, asked
                assert all(s["text"] in x[1] for s, x in zip(asked["samples"], found)) and len(asked["samples"]) == 3, asked
                sizes = pictures(request)
                assert len(sizes) == 4 and all(w % 28 == 0 and h % 28 == 0 for w, h in sizes), sizes
                assert all(abs(w / h / r - 1) < 0.05 for (w, h), r in zip(sizes, want)), (sizes, want)
                assert all(w * h >= 0.9 * 512 * 512 for w, h in sizes)
                parts = request["messages"][-1]["content"]
                assert [p["type"] for p in parts] == ["text", "image_url"] * 4 + ["text"]
                assert "Example 2" in parts[2]["text"] and TEXT in parts[-1]["text"] and TEXT not in parts[-3]["text"]


def test_an_example_of_many_posts():
    """Its picture is the same in every question, though it is encoded for the first alone."""
    with gm.Folder() as d, Server(lambda *_: answers((1, []), (2, []), (3, []))) as server:
        write_posts(d, ((331, 207), (207, 331), (300, 300)))
        write_pool(d, POOL[:1])
        gm.expect_ok(predict(d, server, *POST, with_pool(d)))
        sent = [[p["image_url"]["url"] for p in request["messages"][-1]["content"] if p["type"] == "image_url"]
                for _, request in server.requests]
        assert len(sent) == 3 and {len(x) for x in sent} == {2}
        assert len({x[0] for x in sent}) == 1 and len({x[1] for x in sent}) == 3


def test_examples_in_pixels():
    """Pixels of the example's own picture as it is sent, which is not the post's."""
    with gm.Folder() as d, Server(lambda *_: answers((1, []), (2, []), (3, []))) as server:
        write_posts(d)
        write_pool(d, POOL[:1])
        gm.expect_ok(predict(d, server, "batch: post", "coords: sent", with_pool(d)))
        (text, request), = server.requests
        (w, h), _ = pictures(request)
        box = json.loads(blocks(text)[0][2])["entities"][0]["boxes"][0]
        assert box == [round(x * s) for x, s in zip((0.1, 0.2, 0.6, 0.8), (w, h, w, h))], (box, w, h)


def test_examples_of_one_entity():
    with gm.Folder() as d, Server(lambda *_: '{"boxes": []}') as server:
        write_posts(d, entities=[ENTITIES[4][:3] + ({},)])
        write_pool(d, POOL[:1])
        gm.expect_ok(predict(d, server, 'coords: "1000"', with_pool(d, ", k: 1")))
        (text, request), = server.requests
        assert 'The entity is "Bonn" (LOC).\nAnswer: {"boxes": []}\n' in text and len(pictures(request)) == 2
        assert request["response_format"]["json_schema"]["schema"]["required"] == ["reason", "boxes"]


def test_examples_of_each_type():
    """Each question shows the samples by their first entity of the type that it asks for; their pictures are the same."""
    with gm.Folder() as d, Server(lambda *_: '{"boxes": []}') as server:
        write_posts(d, entities=[ENTITIES[0], ENTITIES[2], ENTITIES[4][:3] + ({},)])
        write_pool(d, POOL[:1])
        gm.expect_ok(predict(d, server, 'coords: "1000"', with_pool(d, ", k: 1")))
        ann, bonn = 'The entity is "Ann" (PER).\nAnswer: {"boxes": [[100, 200, 600, 800]]}\n', \
            'The entity is "Bonn" (LOC).\nAnswer: {"boxes": []}\n'
        shown = {name: next(text for text, _ in server.requests if f'Find "{name}"' in text) for name in ("Ann Lee", "NASA", "Bonn")}
        assert ann in shown["Ann Lee"] and ann in shown["NASA"], shown  # the sample has no organisation
        assert bonn in shown["Bonn"] and ann not in shown["Bonn"], shown
        assert len({tuple(pictures(request)) for _, request in server.requests}) == 1 and len(server.requests) == 3


def check_examples_of_refine(text, request):
    near, blind = text.index("1. Ann (PER)\n2. Bob (PER)\n3. Bonn (LOC)\n"), text.index("\"Ann and Bob wave at Ann in")
    assert max(near, blind) < text.index(TEXT) and text.count("with its right entities") == 2
    assert len(pictures(request)) == 2


def test_examples_of_refine():
    """Shown with their right entities, "blind" too; its picture is the only one that does not go along."""
    def say(text, _):
        return '{"entities": [{"entity": 1, %s}]}' % ('"type": "PER"' if "the types of" in text else '"names": ["Bob"]')

    with gm.Folder() as d, Server(say) as server:
        write_posts(d, entities=[("Bob", "PER", 12, {"score": 0.2})])
        write_pool(d, POOL[:1] + POOL[2:3])
        gm.expect_ok(predict(d, server, with_pool(d), stage="refine"))
        assert len(server.requests) == 2  # words, then types
        for text, request in server.requests:
            check_examples_of_refine(text, request)
        gm.expect_ok(predict(d, server, with_pool(d), "images: never", stage="refine", out="second.jsonl"))
        for text, request in server.requests[2:]:
            assert isinstance(request["messages"][-1]["content"], str) and "Example 2" in text
        assert len(server.requests) == 4


def test_a_server_that_takes_few_pictures():
    """Fewer examples are shown then, and none where it takes one picture; that is said once."""
    for most in (2, 1):
        def say(_, request):
            if len(pictures(request)) > most:
                return llm_server.Reply(400, {"object": "error", "code": 400, "message":
                                              f"At most {most} image(s) may be provided in one request."})
            return answers((1, []), (2, []), (3, []))

        with gm.Folder() as d, Server(say) as server:
            write_posts(d, ((331, 207), (207, 331), (300, 300)))
            write_pool(d)
            r = gm.expect_ok(predict(d, server, *POST, with_pool(d), args=("--in-flight", "1")))
            shown = [len(blocks(t)) for t, _ in server.requests]
            assert max(shown) == 3 and shown[-1] == most - 1 and shown.count(most - 1) == 3, shown
            assert r.err.count("limit-mm-per-prompt") == 1 and "ground" in r.err, r.err
            assert all(p["entities"][0]["note"] == "no_box:not_found" for p in read(d))


def test_more_names_than_a_question_takes():
    names = [f"N{i}x" for i in range(203)]
    text, spans = " ".join(names), []
    for name in names:
        spans.append((name, "PER", (spans[-1][2] + len(spans[-1][0]) + 1) if spans else 0, {}))
    with gm.Folder() as d, Server(lambda *_: answers(*((n, []) for n in range(1, 201)))) as server:
        write_posts(d, text=text, entities=spans)
        dry = gm.expect_ok(predict(d, server, *POST, args=("--dry-run",)))
        assert "requests 1" in dry.out and not server.requests, dry.out
        gm.expect_ok(predict(d, server, *POST))
        (asked, _), = server.requests
        assert "\n200. N199x (PER)\n" in asked and "N200x (" not in asked
        notes = [e["note"] for e in read(d)[0]["entities"]]
        assert notes == ["no_box:not_found"] * 200 + ["no_box:too_many_entities"] * 3


def test_the_pool_is_part_of_what_results_depend_on():
    with gm.Folder() as d, Server(lambda *_: answers((1, []), (2, []), (3, []))) as server:
        write_posts(d)
        write_pool(d)
        run = ("--run", d / "run")
        gm.expect_ok(predict(d, server, *POST, with_pool(d), args=run))
        gm.expect_ok(predict(d, server, *POST, with_pool(d), args=run))
        assert len(server.requests) == 1
        write_pool(d, POOL[:2])
        gm.expect_ok(predict(d, server, *POST, with_pool(d), args=run))
        assert len(server.requests) == 2 and len(blocks(server.requests[1][0])) == 2
        write_pool(d, [("self", (331, 207), TEXT, [], {}), *POOL[:1]])  # a near-duplicate is no example
        gm.expect_ok(predict(d, server, *POST, with_pool(d), args=run))
        assert "Ann and Bob wave" in server.requests[2][0] and len(blocks(server.requests[2][0])) == 1


def test_two_stages_share_the_index():
    """A settings file gives both the same pool: it is indexed once. Each shows what it can: ground no sample
    without a picture, though refine does."""
    def say(text, _):
        return answers((1, [])) if "boxes" in text else \
            '{"entities": [{"entity": 1, "action": "keep", "text": "Bob", "type": "PER"}]}'

    with gm.Folder() as d, Server(say) as server:
        write_posts(d, entities=[("Bob", "PER", 12, {"score": 0.2})])
        write_pool(d)
        d.write("both.yaml", f"refine:\n  combined: true\n  {with_pool(d, ', k: 4')}\nground:\n  {with_pool(d, ', k: 4')}\n")
        d.write("r.yaml", "name: r\nsettings: both.yaml\nstages:\n  - stage: refine\n    backend: llm\n  - stage: ground\n"
                          "    backend: llm\n    batch: post\n    coords: \"1000\"\n")
        r = gm.expect_ok(gm.run("predict", d / "in.jsonl", "-r", d / "r.yaml", "-o", d / "out.jsonl", "--endpoint",
                                server.url, "--model", "m", env={"GMNER_CACHE": d / "cache.sqlite"}))
        assert r.err.count("are indexed for examples") == 1, r.err
        refine, ground = (text for text, _ in server.requests)
        assert refine.count("Example ") == 4 and ground.count("Example ") == 3


def test_bad_settings():
    with gm.Folder() as d, Server(lambda *_: "") as server:
        write_posts(d)
        write_pool(d)
        for setting, *parts in (
                ("examples: pool.jsonl", "must be as {pool: FILE"), ("examples: {k: 3}", '"pool" is missing'),
                (with_pool(d, ", k: 9"), '"k"', "8"), (with_pool(d, ", entity: all"), "sum or best"),
                (with_pool(d, ", weights: {words: 1}"), '"words"'), (with_pool(d, ", from: xls"), '"from" is "xls"'),
                ("examples: {pool: %s}" % (d / "missing.jsonl"), "missing.jsonl")):
            gm.expect(predict(d, server, *POST, setting), 1, *parts)
        own = d.write("own.txt", "--- user\n{{image}}{{entities}}")
        gm.expect(predict(d, server, *POST, with_pool(d), "prompt: " + own), 1, "the prompt has no {{#examples}}")
        write_pool(d, POOL[2:3])
        gm.expect(predict(d, server, *POST, with_pool(d)), 1, "pool.jsonl has no post with a picture")
        assert not server.requests


def test_an_example_without_its_picture_is_left_out():
    with gm.Folder() as d, Server(lambda *_: answers((1, []), (2, []), (3, []))) as server:
        write_posts(d)
        write_pool(d)
        os.remove(d / "near.png")
        r = gm.expect_ok(predict(d, server, *POST, with_pool(d)))
        assert len(blocks(server.requests[0][0])) == 2 and len(pictures(server.requests[0][1])) == 3
        assert r.err.count("without its picture") == 1 and "near.png" in r.err


# ---- resuming ----

def test_killed_and_resumed():
    """kill -9 among the questions: the same command goes on, and what had come is not asked for again."""
    n, go = 24, threading.Event()
    said = answers((1, [[100, 200, 500, 600]]), (2, []), (3, []))

    def say(*_):
        if len(server.requests) > n // 2:
            go.wait(30)
        return said

    with gm.Folder() as d, Server(say) as server:
        write_pool(d)
        write_posts(d, ((331, 207),) * n)
        with open(d / "in.jsonl", encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        for i, p in enumerate(lines):
            p["text"] += f" {i}"
        d.write("in.jsonl", "".join(json.dumps(p) + "\n" for p in lines))
        d.write("r.yaml", "name: r\nstages:\n  - stage: ground\n    backend: llm\n" +
                "".join(f"    {s}\n" for s in (*POST, with_pool(d, ", k: 1"))))
        words = [gm.PROGRAM, "predict", d / "in.jsonl", "-r", d / "r.yaml", "-o", d / "out.jsonl", "--endpoint",
                 server.url, "--model", "m", "--run", d / "run", "--in-flight", "4"]
        env = {**os.environ, "GMNER_CACHE": d / "cache.sqlite"}
        p = subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL)
        while len(server.requests) < n // 2 + 4 and p.poll() is None:
            time.sleep(0.02)
        time.sleep(0.3)  # what has been answered is on its way to the store
        p.send_signal(signal.SIGKILL)
        p.wait()
        go.set()
        before = len(server.requests)
        r = subprocess.run(words, env=env, capture_output=True, check=False)
        assert r.returncode == 0, r.stderr
        assert len(server.requests) - before <= n - (before - 4), (before, len(server.requests))
        assert [len(x["entities"][0]["regions"]) for x in read(d)] == [1] * n


gm.main(globals())
