"""inform: samples of a pool that are most like the post, by the tagger's features. Which they are by
transformers and NumPy, with pictures too: tests/ref/similar_reference.py."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import gm
import llm_server
from near import near

POOL = [("Eileen Collins flew to space for NASA", "a woman in an orange suit"),
        ("RT @ user : Messi scores twice as Barcelona beat Real Madrid 3 - 1", None),
        ("Lovely pasta at this small place in Rome", None),
        ("Ann Lee sings at the Royal Albert Hall tonight", "a singer"),
        ("Ann Lee sings at the Royal Opera House tonight !", None),
        ("so tired today , coffee first", None),
        ("Bob Ray plays at Wembley Stadium tonight", None)]


def records(d):
    with open(d / "out.jsonl", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def test_what_was_asked():
    """It is the same where the answers are from the cache, a stage is asked again, or nothing; another's field of the
    name stays as it is."""
    need_model()
    long = "é" * 100
    with gm.Folder() as d, Known() as server:
        d.write("s.jsonl", json.dumps({"text": long, "knowledge": "Known 1."}) + "\n")
        rec = recipe(d, d / "s.jsonl")
        d.write("in.jsonl", '{"id": "a", "text": "Ann"}\n{"id": "b", "text": "Bob", "asked": 5}\n'
                '{"id": "c", "text": "Cid", "knowledge": "Known.", "asked": ["me"]}\n')
        want = [{"stage": "inform", "requests": 1, "prompt_tokens": 10, "completion_tokens": 5,
                 "samples": [{"id": "1", "text": "é" * 60}]}]
        for _ in range(2):
            gm.expect_ok(predict(d, server, rec))
            assert [p.get("asked") for p in records(d)] == [want, want, ["me"]], records(d)
            shutil.rmtree(d / "out.jsonl.run", ignore_errors=True)
        assert len(server.asked) == 2
        gm.expect_ok(gm.run("view", d / "out.jsonl", "-o", d / "page.html"))
        with open(d / "page.html", encoding="utf-8") as f:
            page = f.read()
        assert page.count("<summary>Language models</summary>") == 2 and "10 in, 5 out" in page
        assert f"<b>1</b> {'é' * 60}</li>" in page


def need_model():
    if not os.path.exists(os.path.join(gm.HOME, ".deps", "models", "minilm")):
        raise gm.Skip("no base encoder; `make setup` gets it")


def write_pool(d):
    d.write("pool.jsonl", "".join(json.dumps(
        {"id": f"s{i}", "text": t, **({"caption": c} if c else {}), **({"knowledge": f"Known {i}."} if i != 5 else {})})
        + "\n" for i, (t, c) in enumerate(POOL)))


def recipe(d, samples, more=""):
    return d.write("r.yaml", f"name: i\nstages:\n  - stage: tag\n  - stage: inform\n    samples: {samples}\n{more}")


class Known(llm_server.Own):
    def __init__(self, wait_s=0):
        self.asked, self.requests = [], []

        def say(text, request):
            time.sleep(wait_s)
            self.asked.append(text)
            self.requests.append(request)
            return "Named entities: none."

        super().__init__(say)

    def shown(self):
        """The samples of each request: their texts, and what is known of them."""
        return [(re.findall(r"(?m)^Post: (.*)$", t)[:-1], re.findall(r"Known (\d+)\.", t)) for t in self.asked]


def predict(d, server, rec, *more, given="in.jsonl", cache="c.sqlite"):
    return gm.run("predict", d / given, "-r", rec, "-o", d / "out.jsonl", "--endpoint", server.url, *more,
                  env={"GMNER_CACHE": d / cache})


def test_the_most_similar_are_shown():
    need_model()
    with gm.Folder() as d, Known() as server:
        write_pool(d)
        d.write("in.jsonl", json.dumps({"id": "1", "text": "Ann Lee sings at the Royal Opera House tonight"}) + "\n")
        gm.expect_ok(predict(d, server, recipe(d, f"{{pool: {d / 'pool.jsonl'}, n: 2}}")))
        (texts, known), = server.shown()
        # 4 is the post itself but for a mark, 5 has no knowledge
        assert len(known) == 2 and known[0] == "3" and texts == [POOL[int(i)][0] for i in known], (texts, known)
        assert "Post: " + POOL[3][0] + "\nPhoto: a singer\nKnowledge: Known 3.\n\nPost: " in server.asked[0]
        # and the record tells of them, and of what the answer took
        (post,) = records(d)
        assert post["asked"] == [{"stage": "inform", "requests": 1, "prompt_tokens": 10, "completion_tokens": 5, "samples": [
            {"id": f"s{i}", "text": POOL[int(i)][0]} for i in known]}], post
        # by default five, and near-duplicates only where that is wanted
        gm.expect_ok(predict(d, server, recipe(d, f"{{pool: {d / 'pool.jsonl'}}}")))
        assert len(server.shown()[1][1]) == 5
        gm.expect_ok(predict(d, server, recipe(d, f"{{pool: {d / 'pool.jsonl'}, duplicate: 1, n: 20}}"), cache="b.sqlite"))
        assert len(server.shown()[2][1]) == 5 and "4" not in server.shown()[2][1]  # the same words are always left out
        # what is in the pool is part of what the answers depend on: an unchanged one asks nothing
        gm.expect_ok(predict(d, server, d / "r.yaml", cache="other.sqlite"))
        assert len(server.asked) == 3
        d.write("pool.jsonl", json.dumps({"text": "Eve laughs", "knowledge": "Known 9."}) + "\n")
        gm.expect_ok(predict(d, server, d / "r.yaml"))
        assert server.shown()[3] == (["Eve laughs"], ["9"])


def test_pgim_pool_text_only():
    """A pool of PGIM with the data set's own file, and a server that takes no pictures."""
    need_model()
    with gm.Folder() as d, Known() as server:
        d.write("k.txt", "".join(f"{i}\nNamed entities: Known {i}.\n" for i in range(len(POOL))))
        d.write("t.txt", "".join(f"IMGID:{i}\n" + "".join(f"{w}\tO\n" for w in t.split()) + "\n"
                                 for i, (t, _) in enumerate(POOL)))
        photo = os.path.join(gm.HOME, "tests", "golden", "image", "alpha.png")
        d.write("in.jsonl", json.dumps({"id": "1", "text": "Cid Orr sings at Wembley tonight", "image": photo}) + "\n")
        gm.expect_ok(predict(d, server, recipe(
            d, f"{{pool: {d / 'k.txt'}, text: {d / 't.txt'}, n: 3}}", "    images: never\n")))
        assert set(server.shown()[0][1]) >= {"3", "4"} and len(server.shown()[0][1]) == 3, server.shown()
        assert isinstance(server.requests[0]["messages"][-1]["content"], str) or all(
            p["type"] == "text" for p in server.requests[0]["messages"][-1]["content"])


def test_refused_settings():
    need_model()
    with gm.Folder() as d, Known() as server:
        write_pool(d)
        d.write("in.jsonl", '{"text": "x"}\n')
        d.write("bare.jsonl", '{"text": "x"}\n')
        d.write("pgim.txt", "17\nNamed entities: 1. Ann Lee (person/singer)\n")
        pool = "pool: %s" % (d / "pool.jsonl")
        for samples, words in (("{n: 3}", 'setting "samples": "pool" is missing'), (f"{{{pool}, n: 0}}", '"n" is 0'),
                               (f"{{{pool}, k: 3}}", 'unknown setting "k"'), (f"{{{pool}, from: x}}", '"from" is "x"'),
                               (f"{{pool: {d / 'bare.jsonl'}}}", "has no post to choose from"),
                               (f"{{{pool}, image_weight: 2}}", '"image_weight" is 2'),
                               (f"{{{pool}, n: 1.5}}", '"n" is 1.5; it must be a whole number'), ("5", "but is an integer"),
                               (f"{{pool: {d / 'pgim.txt'}, from: pgim}}", "of 1 the texts are not known"),
                               (f"{{{pool}, tagger: nobody}}", "nobody"),
                               (f"{{pool: {d / 'none.jsonl'}}}", "none.jsonl")):
            r = predict(d, server, recipe(d, samples))
            assert r.code in (1, 2) and words in r.err and "r.yaml:5: stage inform" in r.err, (samples, r.err)
    assert not server.asked


def test_killed_and_gone_on_with():
    """kill -9 among the questions: what had come is not asked again, and the second tagging is that of a run which
    was never killed."""
    need_model()
    n, flight = 60, 4
    with gm.Folder() as d, Known(0.05) as server:
        write_pool(d)
        d.write("in.jsonl", "".join(json.dumps({"id": str(i), "text": f"Ann Lee {i} sings in Paris"}) + "\n"
                                    for i in range(n)))
        rec = recipe(d, f"{{pool: {d / 'pool.jsonl'}, n: 2}}", "    tagger: ner-knowledge\n")
        words = [gm.PROGRAM, "predict", d / "in.jsonl", "-r", rec, "-o", d / "out.jsonl", "--endpoint", server.url,
                 "--in-flight", str(flight)]
        killed = 0
        for k in (10, 30):
            p = subprocess.Popen(words, env={**os.environ, "GMNER_CACHE": d / "c.sqlite"}, stderr=subprocess.DEVNULL)
            while p.poll() is None and len(server.asked) < k:
                time.sleep(0.005)
            p.send_signal(signal.SIGKILL)
            killed += p.wait() == -signal.SIGKILL
        gm.expect_ok(predict(d, server, rec, "--in-flight", str(flight)))
        with open(d / "out.jsonl", encoding="utf-8") as f:
            posts = [json.loads(line) for line in f]
        assert killed == 2 and n <= len(server.asked) <= n + 2 * flight * killed, len(server.asked)
        gm.expect_ok(predict(d, server, rec, "--run", d / "second"))
        with open(d / "out.jsonl", encoding="utf-8") as f:
            assert near([json.loads(line) for line in f], posts)
    assert all(p["knowledge"] and p["entities"] for p in posts)
    assert all(e["source"] == "inform" for p in posts for e in p["entities"])


def test_the_second_tagging_obeys_the_first_ones_settings():
    """policy and words of the stage tag hold for the pass behind inform, too: handles, titles, separators."""
    need_model()
    text = "RT @VanessaHudgens: President Obama visits London - New York"
    found = {}
    with gm.Folder() as d, Known() as server:
        write_pool(d)
        d.write("in.jsonl", json.dumps({"id": "1", "text": text}) + "\n")
        for policy in ("none", "tweets"):
            rec = recipe(d, f"{{pool: {d / 'pool.jsonl'}, n: 2}}", "    tagger: ner-knowledge\n")
            with open(rec, encoding="utf-8") as f:
                rules = f.read().replace("stage: tag\n", f"stage: tag\n    policy: {policy}\n")
            d.write("r.yaml", rules)
            gm.expect_ok(predict(d, server, rec))
            with open(d / "out.jsonl", encoding="utf-8") as f:
                entities = json.loads(f.read())["entities"]
            assert all(e["source"] == "inform" for e in entities), entities
            found[policy] = [e["text"] for e in entities]
    assert "Obama" in found["tweets"] and "President Obama" not in found["tweets"], found
    assert found["tweets"] != found["none"], found
    assert not any("Hudgens" in e for e in found["tweets"]), found


def test_the_second_tagging_has_candidates_of_its_own():
    """What the pass behind inform may have missed is there for refine, as it is behind tag."""
    need_model()
    texts = ["Kesha and Zedd at Coachella with my bff Ray", "the Giants game tmrw at Citi w/ Kim", "Cid Orr loves jello"]

    def say(text, _):
        asked.append(text)
        if "sure " not in text:
            return "Named entities: none."
        lines = re.findall(r"(?m)^(\d+)\. (.*?) \((\w+)\).*(?:sure|guess)", text)
        return json.dumps({"entities": [{"entity": int(n), **({"type": kind} if "sure of the types" in text else {"names": [name]})}
                                        for n, name, kind in lines]})

    asked = []
    with gm.Folder() as d, llm_server.Own(say) as server:
        d.write("s.jsonl", json.dumps({"text": "x", "knowledge": "Known 1."}) + "\n")
        d.write("in.jsonl", "".join(json.dumps({"text": t}) + "\n" for t in texts))
        rules = f"name: i\nstages:\n  - stage: tag\n    candidates: 0.01\n  - stage: inform\n    samples: {d / 's.jsonl'}\n"
        offered = {}
        for second in ("", "    tagger: ner-knowledge\n"):
            rec = d.write("r.yaml", rules + second)
            gm.expect_ok(predict(d, server, rec))
            offered[second] = [p["entity_candidates"] for p in records(d)]
            rec = d.write("r.yaml", rules + second + "  - stage: refine\n    missed: 0\n")
            asked.clear()
            gm.expect_ok(predict(d, server, rec))
            told = "".join(asked)
            for p, had in zip(records(d), offered[second]):
                assert all(f"{c['text']} ({c['type']}), not counted as a name" in told for c in had), (told, had)
                assert not p["entity_candidates"], p
            assert any(e.get("note") == "added" for p in records(d) for e in p["entities"])
    first, again = offered.values()
    assert any(first) and any(again) and first != again, offered


gm.main(globals())
