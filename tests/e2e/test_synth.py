"""gmner synth against a server whose answers are a Python function: what is asked, how sentences with known
defects are counted, conflicts with a tagger, quotas, near-duplicates, kill -9 and going on."""
import json
import os
import re
import signal
import subprocess
import time

import gm
import llm_server
import tiny_model
from posts_data import conll

TYPES = "vehicle: ground-based machines\naircraft: flying machines\nlocation: places\n"
SEEDS = [{"id": "1", "text": "The Leopard 2 crosses the bridge near Munster .", "entities": [
             {"start": 4, "end": 13, "type": "vehicle"}, {"start": 38, "end": 45, "type": "location"}]},
         {"id": "2", "text": "A Eurofighter lands .", "entities": [{"start": 2, "end": 13, "type": "aircraft"}]},
         {"id": "3", "text": "soldiers rest beside the road .", "entities": []}]
BOTH = [("Leopard 2", "vehicle"), ("Munster", "location")]


def filler(i, n):
    """n words that no other number has."""
    return " ".join(f"{w}{i}" for w in ("morning", "column", "engineers", "river", "signal", "weather", "convoy", "guard",
                                        "sector", "supply", "patrol", "bridge", "night", "fuel", "crew", "road", "rain",
                                        "camp", "drill", "field", "order", "depot", "squad", "radio", "map", "fog")[:n])


def sentence(i, *entities, words=10, text=None):
    names = " and ".join(n for n, _ in entities)
    return {"text": text or f"{filler(i, words)} {names} .", "entities": [{"text": n, "type": t} for n, t in entities]}


def kind_of(text):
    return "keep" if "all of these entities" in text else "vary" if "other ones" in text else "none"


def wanted(text):
    return int(re.search(r"Write (\d+) new", text)[1])


def entities_of(text):
    return re.findall(r"^- (.*) \((\w+)\)$", text.split("Its entities:")[1].split("Write")[0], re.M)


def write_seeds(d, posts=SEEDS, name="seeds.jsonl"):
    d.write("types.yaml", TYPES)
    return d.write(name, "".join(json.dumps(p) + "\n" for p in posts))


def synth(d, url, *args, out="out.jsonl", cache="cache.sqlite"):
    return gm.run("synth", "--seeds", d / "seeds.jsonl", "--types", d / "types.yaml", "-o", d / out, "--endpoint", url,
                  "--model", "m", *args, env={"GMNER_CACHE": d / cache})


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def numbers(r):
    line = next(x for x in r.err.splitlines() if "asked_again=" in x)
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}


def refused(r):
    return {k: int(v) for k, v in re.findall(r"refused: reason=(\w+) n=(\d+)", r.err)}


class Counter:
    """A number that no earlier sentence had."""
    n = 0

    def __call__(self):
        self.n += 1
        return self.n


def good_answer(text, count):
    """As many good sentences as are asked for."""
    kind, out = kind_of(text), []
    for _ in range(wanted(text)):
        i = count()
        if kind == "none":
            out.append(sentence(i, words=12))
        elif kind == "keep":
            out.append(sentence(i, *entities_of(text)))
        else:
            out.append(sentence(i, (f"Model{i}", entities_of(text)[0][1])))
    return json.dumps({"sentences": out})


def test_what_is_asked_and_what_comes():
    requests = []

    def say(text, request):
        requests.append((text, request))
        return good_answer(text, count)

    count = Counter()
    with gm.Folder() as d, llm_server.Own(say) as server:
        write_seeds(d)
        r = gm.expect_ok(synth(d, server.url, "--keep", "6", "--vary", "2", "--none", "3", "--batch", "4"))
        n = numbers(r)
        assert (n["seeds"], n["sentences"], n["keep"], n["vary"], n["none"]) == (3, 19, 12, 4, 3), r.err
        assert (n["requests"], n["asked_again"], n["refused"]) == (7, 0, 0), r.err
        assert "prompt_tokens=70 completion_tokens=35" in r.err, r.err
        posts = lines(d / "out.jsonl")
        # in the order of the seeds, whatever the order of the answers; each says where it comes from
        assert [p["id"] for p in posts[:9]] == ["1.k1.1", "1.k1.2", "1.k1.3", "1.k1.4", "1.k2.1", "1.k2.2", "1.v1.1",
                                                "1.v1.2", "2.k1.1"]
        assert [p["synth"]["seed"] for p in posts] == ["1"] * 8 + ["2"] * 8 + ["3"] * 3
        first = posts[0]["synth"]
        assert (first["kind"], first["ask"], first["model"], len(first["prompt"])) == ("keep", 1, "m", 12), first
        for p in posts:
            for e in p["entities"]:
                assert p["text"][e["start"]:e["end"]] == e["text"] and e["source"] == "synth", p
            if p["synth"]["kind"] == "keep":
                names = {(e["text"], e["type"]) for e in p["entities"]}
                assert names == (set(BOTH) if p["synth"]["seed"] == "1" else {("Eurofighter", "aircraft")})
        # request bodies
        asked = sorted((kind_of(t), wanted(t), t, q) for t, q in requests if "Leopard" in t)
        assert [a[:2] for a in asked] == [("keep", 2), ("keep", 4), ("vary", 2)]
        text, q = asked[1][2:]
        for part in ("- vehicle: ground-based machines\n- aircraft: flying machines\n- location: places\n",
                     "An annotated post: The Leopard 2 crosses the bridge near Munster .\n",
                     "- Leopard 2 (vehicle)\n- Munster (location)\n", "Write 4 new sentences of 10 to 30 words."):
            assert part in text, (part, text)
        assert "refused" not in text and q["model"] == "m" and q["temperature"] == 0.8
        assert q["response_format"]["json_schema"]["schema"]["properties"]["sentences"]["type"] == "array"
        assert q["max_tokens"] == 300 + 4 * 180
        assert len({q["seed"] for _, q in requests}) == 7, "a seed of its own for each request"
        none = next(t for t, _ in requests if kind_of(t) == "none")
        assert "soldiers rest beside the road ." in none and "Its entities" not in none
        # the same as CoNLL, without asking again
        gm.expect_ok(synth(d, server.url, "--keep", "6", "--vary", "2", "--none", "3", "--batch", "4", out="out.conll"))
        assert len(requests) == 7
        with open(d / "out.conll", encoding="utf-8") as f:
            text = f.read()
        assert text.startswith("IMGID:1.k1.1\n") and "Leopard\tB-vehicle\n2\tI-vehicle\nand\tO\nMunster\tB-location\n" in text
        gm.expect_ok(gm.run("eval", "--gold", d / "out.conll", "--pred", d / "out.jsonl"))


# What is wrong with a sentence, and what it is counted as; `taken` is one that is accepted before.
def defects(count):
    i = count
    taken = sentence(i(), *BOTH)
    return [
        ("duplicate", taken, dict(taken)),
        ("unknown_type", sentence(i(), *BOTH, ("U32", "vessel"))),
        ("two_types", sentence(i(), *BOTH, ("Munster", "vehicle"))),
        ("not_in_text", sentence(i(), *BOTH, ("Puma", "vehicle"), text=f"{filler(i(), 10)} Leopard 2 and Munster .")),
        ("part_of_word", sentence(i(), *BOTH, ("Pum", "vehicle"), text=f"{filler(i(), 9)} Pumas Leopard 2 and Munster .")),
        ("overlap", sentence(i(), *BOTH, ("Leopard", "vehicle"), text=f"{filler(i(), 9)} Leopard 2 and Munster .")),
        ("lost_entity", sentence(i(), BOTH[0])),
        ("too_short", sentence(i(), *BOTH, words=4)),
        ("too_long", sentence(i(), *BOTH, text=f"{filler(i(), 26)} Leopard 2 and Munster again !")),
        ("letters", sentence(i(), *BOTH, text="Утром колонна Leopard 2 медленно прошла мимо деревни Munster к старому мосту")),
        ("schema", {"text": "no entities here"}),
        ("schema", sentence(i(), *BOTH, ("", "vehicle"), text=f"{filler(i(), 10)} Leopard 2 and Munster .")),
        ("schema", 7),
        ("duplicate_seed", sentence(i(), *BOTH, text="The Leopard 2 crosses the bridge near Munster today")),
        ("duplicate_dev", sentence(i(), *BOTH, text=f"{filler('dev', 10)} Leopard 2 and Munster now")),
        ("duplicate_test", sentence(i(), *BOTH, text=f"{filler('test', 10)} Leopard 2 and Munster now")),
        ("duplicate_pool", sentence(i(), *BOTH, text=f"{filler('pool', 10)} Leopard 2 and Munster now")),
    ]


def test_defects_are_counted():
    """Each once, beside three good ones; those that the model can mend are asked for again, once."""
    count, asked = Counter(), []
    kinds = defects(count)
    first = [x for _, *items in kinds for x in items] + [sentence(count(), *BOTH) for _ in range(3)]
    n = len(first)
    want = {}
    for reason, *_ in kinds:
        want[reason] = want.get(reason, 0) + 1

    def say(text, _):
        asked.append(text)
        if len(asked) == 1:
            return "Here you are: ```json\n" + json.dumps(first) + "\n```"  # the list alone will do
        # half of what is missing is wrong again, and some is too much
        again = [sentence(count(), *BOTH) for _ in range(wanted(text))]
        again[0]["entities"][0]["type"] = "tank"
        return json.dumps({"sentences": again + [sentence(count(), *BOTH) for _ in range(4)]})

    with gm.Folder() as d, llm_server.Own(say) as server:
        write_seeds(d, SEEDS[:1])
        for name in ("dev", "test", "pool"):
            d.write(name + ".jsonl", json.dumps({"id": name, "text": filler(name, 10) + " Leopard 2 and Munster",
                                                 "entities": []}) + "\n")
        args = ["--keep", n, "--vary", "0", "--batch", "30", "--min-words", "9"]
        for name in ("dev", "test", "pool"):
            args += ["--" + name, d / (name + ".jsonl")]
        r = gm.expect_ok(synth(d, server.url, *args))
        missing = len(kinds)
        got = refused(r)
        # of the second answer one more has no known type, and one of four is still wanted then
        want["unknown_type"] += 1
        want["surplus"] = 3
        assert got == want, (got, want)
        assert numbers(r)["sentences"] == n and numbers(r)["asked_again"] == 1, r.err
        assert len(asked) == 2 and wanted(asked[1]) == missing
        told = asked[1].split("These were refused")[1]
        assert told.count("\n- ") == 4 and "Leopard 2 and Munster .: it is nearly the same as another sentence" in told, told
        file = lines(d / "out.jsonl.refused.jsonl")
        by = {}
        for x in file:
            by[x["reason"]] = by.get(x["reason"], 0) + 1
            assert x["seed"] == "1" and x["ask"] in (1, 2) and "text" in x
        assert by == want and any(x["text"] == "7" for x in file)
        assert [p["id"] for p in lines(d / "out.jsonl")][-1].startswith("1.k1r.")


def test_kinds():
    """What each kind of request must have, and not."""
    answers = {
        "keep": [sentence(1, ("Eurofighter", "Aircraft"))],  # a type by another case
        "vary": [sentence(2, ("Eurofighter", "aircraft")), sentence(3, ("Berlin", "location")), sentence(4),
                 sentence(5, ("Rafale", "aircraft"), ("Ulm", "location"))],
        "none": [sentence(6, ("Rafale", "aircraft")), sentence(7, words=12)],
    }
    with gm.Folder() as d, llm_server.Own(lambda t, _: json.dumps({"sentences": answers[kind_of(t)]})) as server:
        write_seeds(d, SEEDS[1:])
        r = gm.expect_ok(synth(d, server.url, "--keep", "1", "--vary", "4", "--none", "2"))
        assert {k: v for k, v in refused(r).items() if not k.startswith(("dup", "sur"))} == {
            "same_entity": 2, "other_type": 2, "no_entity": 2, "not_negative": 2}, r.err  # twice each: asked again
        assert [(p["synth"]["kind"], [e["type"] for e in p["entities"]]) for p in lines(d / "out.jsonl")] == [
            ("keep", ["aircraft"]), ("vary", ["aircraft", "location"]), ("none", [])]


def test_known_definitions():
    asked = []
    with gm.Folder() as d, llm_server.Own(lambda t, _: asked.append(t) or '{"sentences": []}') as server:
        write_seeds(d, SEEDS[:1])
        d.write("types.yaml", "vehicle:\nlocation: my own places\nspaceship:\n")
        gm.expect_ok(synth(d, server.url, "--vary", "0"))
        assert re.search(r"- vehicle: .*tank.*\n- location: my own places\n- spaceship\n", asked[0]), asked[0]


def test_every_place_of_a_name():
    text = "The Puma waits while another Puma and a PumaX leave Ulm in the cold night of March"
    answer = {"sentences": [{"text": text, "entities": [{"name": "Puma", "label": "vehicle"}, {"name": "Ulm", "label": "location"}]}]}
    with gm.Folder() as d, llm_server.Own(lambda *_: json.dumps(answer)) as server:
        write_seeds(d, SEEDS[:1])
        gm.expect_ok(synth(d, server.url, "--keep", "0", "--vary", "1"))
        (p,) = lines(d / "out.jsonl")
        assert [(e["text"], e["start"]) for e in p["entities"]] == [("Puma", 4), ("Puma", 29), ("Ulm", text.index("Ulm"))]


def test_answers_that_are_none():
    """An answer that can't be read is asked for once more, and then counted; the rest goes on."""
    asked, count = [], Counter()

    def say(text, _):
        asked.append(kind_of(text))
        return "I'm sorry, Dave." if kind_of(text) == "vary" else good_answer(text, count)

    with gm.Folder() as d, llm_server.Own(say) as server:
        write_seeds(d, SEEDS[:1])
        r = gm.expect_ok(synth(d, server.url, "--keep", "2", "--vary", "2"))
        assert refused(r) == {"no_answer": 1} and asked.count("vary") == 2, (r.err, asked)
        assert numbers(r)["sentences"] == 2
        (line,) = lines(d / "out.jsonl.refused.jsonl")
        assert line["kind"] == "vary" and "JSON" in line["detail"], line


def test_servers_that_fail():
    """A key that is refused ends the run; a request that is refused leaves the others, and status 3 says so."""
    count, refusal = Counter(), {"error": {"message": "too long"}}
    with gm.Folder() as d:
        write_seeds(d, SEEDS[:1])
        with llm_server.Own(lambda *_: llm_server.Reply(401, {"error": {"message": "no such key"}})) as server:
            gm.expect(synth(d, server.url), 1, "no such key")
            assert not os.path.exists(d / "out.jsonl")
        mixed = lambda t, _: llm_server.Reply(413, refusal) if kind_of(t) == "vary" else good_answer(t, count)  # noqa: E731
        with llm_server.Own(mixed) as server:
            r = synth(d, server.url, "--keep", "2", "--vary", "2")
            assert r.code == 3 and re.search(r"post 1 \(vary\): no answer: .*too long", r.err), r.err
            assert (numbers(r)["failed"], numbers(r)["sentences"], len(lines(d / "out.jsonl"))) == (1, 2, 2), r.err


def test_stopped_and_taken_up():
    """SIGTERM ends it within moments, and says how to go on."""
    asked, count = [], Counter()

    def slow(text, _):
        asked.append(text)
        time.sleep(0.05)
        return good_answer(text, count)

    with gm.Folder() as d, llm_server.Own(slow) as server:
        write_seeds(d, [dict(SEEDS[1], id=str(i), text=f"A Eurofighter lands on strip {i} .") for i in range(200)])
        p = subprocess.Popen([gm.PROGRAM, "synth", "--seeds", d / "seeds.jsonl", "-o", d / "out.jsonl", "--endpoint", server.url,
                              "--in-flight", "2", "--any-letters"], env={**os.environ, "GMNER_CACHE": d / "cache.sqlite"},
                             stderr=subprocess.PIPE)
        gm.until("it asks", lambda: len(asked) >= 6)
        p.send_signal(signal.SIGTERM)
        err = p.stderr.read().decode()
        assert p.wait() == -signal.SIGTERM and len(asked) < 100, (len(asked), err)
        p.stderr.close()
        assert "the same command goes on" in err and "stopped on request" in err, err
        assert not os.path.exists(d / "out.jsonl")


def test_quotas():
    count = Counter()
    with gm.Folder() as d, llm_server.Own(lambda t, _: good_answer(t, count)) as server:
        posts = [dict(SEEDS[1], id=str(i)) for i in range(30)]
        write_seeds(d, posts + [SEEDS[0]])
        r = gm.expect_ok(synth(d, server.url, "--keep", "5", "--vary", "0", "--quota", "aircraft=12,location=2",
                               "--in-flight", "1"))
        out = [{e["type"] for e in p["entities"]} for p in lines(d / "out.jsonl")]
        assert out.count({"aircraft"}) == 12 and out.count({"vehicle", "location"}) == 2, out
        n = numbers(r)
        assert n["not_asked"] >= 20 and n["requests"] < 12, r.err  # posts whose types are full aren't asked about
        gm.expect(synth(d, server.url, "--quota", "tank=3"), 2, '--quota: "tank=3"')


def test_deduplicated_over_runs():
    count = Counter()
    with gm.Folder() as d, llm_server.Own(lambda t, _: good_answer(t, count)) as server:
        write_seeds(d)
        small = ["--keep", "3", "--vary", "1", "--none", "2"]
        gm.expect_ok(synth(d, server.url, *small))
        n = count.n
        # the same answers once more, beside the sentences of the first run
        r = gm.expect_ok(synth(d, server.url, *small, "--pool", d / "out.jsonl", out="more.jsonl"))
        assert refused(r)["duplicate_pool"] == n, r.err
        # what replaces them is new, and another seed asks for other sentences from the start
        assert numbers(r)["sentences"] == n and count.n == 2 * n
        r = gm.expect_ok(synth(d, server.url, *small, "--pool", d / "out.jsonl", "--seed", "2", out="other.jsonl"))
        assert refused(r) == {} and {p["id"] for p in lines(d / "other.jsonl")} >= {"1.s2.k1.1", "3.s2.n1.2"}


def test_conflicts():
    """A tagger that was trained on the seeds alone: wrong labels and missing ones are refused, and the
    probabilities are those that the tagger itself gives."""
    right = [{"text": "Anna lives in Berlin .", "entities": [{"text": "Anna", "type": "PER"}, {"text": "Berlin", "type": "LOC"}]}]
    wrong = [{"text": "Anna visits in Paris .", "entities": [{"text": "Anna", "type": "PER"}, {"text": "Paris", "type": "PER"}]},
             {"text": "Bert visits in Rome .", "entities": [{"text": "Rome", "type": "LOC"}]}]

    def say(text, _):
        return json.dumps({"sentences": right + wrong if kind_of(text) == "vary" else []})

    with gm.Folder() as d, llm_server.Own(say) as server:
        tiny_model.write(d / "encoder")
        data = d.write("train.txt", conll(n=240))
        gm.expect_ok(gm.run("train", "--train", data, "--dev", data, "-o", d / "tagger", "--encoder", d / "encoder",
                            "--lr", "0.003", "--epochs", "20", "--precision", "f32",
                            "--config", d.write("c.yaml", "head_lr: 0.02\n")))
        d.write("seeds.jsonl", json.dumps({"id": "1", "text": "Carla lives in Rio .", "entities": [
            {"start": 0, "end": 5, "type": "PER"}, {"start": 15, "end": 18, "type": "LOC"}]}) + "\n")
        d.write("types.yaml", "PER:\nLOC: places\n")
        args = ["--keep", "0", "--vary", "3", "--min-words", "1", "--tagger", d / "tagger", "--precision", "f32"]
        r = gm.expect_ok(synth(d, server.url, *args))
        assert {k: v for k, v in refused(r).items() if k != "duplicate"} == {"conflict": 2, "unlabelled": 2}, r.err
        (p,) = lines(d / "out.jsonl")
        tagged = gm.expect_ok(gm.run("predict", "--recipe", "tag", "--tagger", d / "tagger", "--precision", "f32", "--text",
                                     right[0]["text"])).posts[0]["entities"]
        for mine, its in zip(p["entities"], tagged, strict=True):
            assert abs(mine["score"] - its["uncertainty"]["marginal"]) < 1e-5, (mine, its)
        # all are kept with --drop 0, and those under --doubt are marked
        r = gm.expect_ok(synth(d, server.url, *args, "--drop", "0", "--doubt", "0.5"))
        assert refused(r) == {} and numbers(r)["doubtful"] == 2, r.err
        one, two, three = lines(d / "out.jsonl")
        assert "note" not in one["entities"][1] and "unlabelled" not in one["synth"]
        assert re.fullmatch(r"synth_doubt:0\.\d{3}", two["entities"][1]["note"]), two
        assert three["synth"]["unlabelled"] > 0.5, three


def test_killed_and_taken_up():
    """kill -9 in the middle, and the same command again: nothing that had arrived is asked for again, and the
    output is that of a run that was not killed."""
    posts = [dict(SEEDS[1], id=str(i), text=f"A Eurofighter lands on strip {i} .") for i in range(40)]
    in_flight, asked = 4, []

    def answer(text, _):
        """The same for the same request, so that runs can be compared."""
        asked.append(text)
        time.sleep(0.01)
        base = int(re.search(r"strip (\d+)", text)[1]) * 1000 + (500 if kind_of(text) == "vary" else 0) + (
            250 if "refused" in text else 0)
        items = json.loads(good_answer(text, iter(range(base, base + 100)).__next__))["sentences"]
        if "refused" not in text:
            items[0]["entities"][0]["type"] = "tank"
        return json.dumps({"sentences": items})

    with gm.Folder() as d, llm_server.Own(answer) as server:
        server.server.handle_error = lambda *_: None  # connections of who was killed
        write_seeds(d, posts)
        small = ["--keep", "4", "--vary", "2", "--in-flight", in_flight]
        gm.expect_ok(synth(d, server.url, *small, out="whole.jsonl", cache="other.sqlite"))
        n = len(asked)
        assert n == 160  # 40 posts, keep and vary, each asked again for the one refused
        asked.clear()
        kills = 0
        for part in (0.2, 0.45, 0.7):
            p = subprocess.Popen([gm.PROGRAM, "synth", "--seeds", d / "seeds.jsonl", "--types", d / "types.yaml", "-o",
                                  d / "out.jsonl", "--endpoint", server.url, "--model", "m", *map(str, small)],
                                 env={**os.environ, "GMNER_CACHE": d / "cache.sqlite"}, stderr=subprocess.DEVNULL)
            while len(asked) < part * n and p.poll() is None:
                time.sleep(0.002)
            p.kill()
            kills += p.wait() == -signal.SIGKILL
        assert kills == 3 and not os.path.exists(d / "out.jsonl")
        r = gm.expect_ok(synth(d, server.url, *small))
        # what was under way, and what had come in the two milliseconds that answers wait for the disk together
        assert len(asked) <= n + 3 * 2 * in_flight, len(asked)
        with open(d / "out.jsonl", "rb") as a, open(d / "whole.jsonl", "rb") as b:
            assert a.read() == b.read()
        assert numbers(r)["sentences"] == 40 * 6 and refused(r) == {"unknown_type": 80}
        assert sorted(f for f in os.listdir(d.path) if f.startswith("out")) == ["out.jsonl", "out.jsonl.refused.jsonl"]


def test_dry_run_and_usage():
    with gm.Folder() as d:
        write_seeds(d)
        r = gm.expect_ok(gm.run("synth", "--seeds", d / "seeds.jsonl", "--dry-run", "--endpoint", "http://127.0.0.1:1/v1",
                                "--price", "1,2", "--types", d.write("no.yaml", "vehicle:\naircraft:\nlocation:\n"), env={"GMNER_CACHE": d / "c.sqlite"}))
        assert "requests 9\n" in r.out and "cost, at most" in r.out, r.out  # two posts with 2 + 1, one with 3
        run = lambda *a: gm.run("synth", *a, env={"OPENAI_BASE_URL": "", "GMNER_CACHE": d / "c.sqlite"})  # noqa: E731
        r = gm.expect_ok(run("--seeds", d / "seeds.jsonl", "--dry-run", "--price", "1,2"))  # as --help has it
        assert "requests 9\n" in r.out, r.out
        gm.expect(run("-o", "x.jsonl"), 2, "--seeds FILE is needed")
        gm.expect(run("--seeds", d / "seeds.jsonl"), 2, "-o FILE is needed")
        gm.expect(run("--seeds", d / "seeds.jsonl", "-o", "x.json"), 2, "must end in .jsonl")
        gm.expect(run("--seeds", d / "seeds.jsonl", "-o", "x.jsonl", "--min-words", "40"), 2, "--min-words 40")
        gm.expect(run("--seeds", d / "seeds.jsonl", "-o", d / "x.jsonl"), 2, "no endpoint")
        d.write("few.yaml", "vehicle:\n")
        gm.expect(run("--seeds", d / "seeds.jsonl", "--types", d / "few.yaml", "-o", d / "x.jsonl", "--endpoint", "u"), 1,
                  'seeds.jsonl:1: the entity "Munster" has the type location')
        d.write("raw.jsonl", '{"id": "1", "text": "Ann"}\n')
        gm.expect(run("--seeds", d / "raw.jsonl", "-o", d / "x.jsonl", "--endpoint", "u"), 1, "not annotated")
        assert not os.path.exists(d / "x.jsonl")


def test_answers_of_another_file_are_not_taken():
    """Two GGUF files under one cache: each has its own answers, and says in the sentences whose they are."""
    with gm.Folder() as d:
        write_seeds(d, SEEDS[:1])
        server = llm_server.local(d)
        for name, cached in (("alpha", 0), ("beta", 0), ("alpha", 1)):
            i = len(name)
            path = d.write(name + ".gguf", json.dumps({"sentences": [sentence(i, *BOTH)]}))
            r = gm.expect_ok(gm.run("synth", "--seeds", d / "seeds.jsonl", "--types", d / "types.yaml", "-o",
                                    d / "out.jsonl", "--endpoint", path, "--llama-server", server, "--keep", "1", "--vary",
                                    "0", "--none", "0", env={"GMNER_CACHE": d / "cache.sqlite", "OPENAI_API_KEY": ""}))
            (p,) = lines(d / "out.jsonl")
            assert p["text"].startswith(f"morning{i} ") and p["synth"]["model"] == name + ".gguf", p
            assert f"cached={cached}" in r.err, r.err


gm.main(globals())
