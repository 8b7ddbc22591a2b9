"""libgmner as a host sees it: what it exports, the example, every recipe with the same records as the program's, and a
host in Python (ctypes) that cancels calls and whose server dies and comes back."""
import ctypes
import json
import os
import re
import subprocess
import threading

import families
import gm
import llm_server

EMBED, LIBRARY = os.environ["GM_EMBED"], os.environ["GM_LIBRARY"]
HEADER = os.path.join(gm.HOME, "include", "gmner", "gmner.h")
PHOTOS = os.path.join(gm.HOME, ".deps", "photos")
ECANCEL, ENET, EBUSY = 9, 6, 10


def functions():
    with open(HEADER, encoding="utf-8") as f:
        return set(re.findall(r"GMNER_API [^;]*?\b(gmner_\w+)\(", f.read()))


def test_exports():
    shown = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], stdout=subprocess.PIPE, check=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in shown.splitlines() if line.split()[-2] not in "A"}
    if gm.is_sanitized():
        names = {n for n in names if n.startswith("gmner_")}
    assert names == functions() and len(names) > 15, names ^ functions()
    told = subprocess.run(["readelf", "-d", LIBRARY], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert "[libgmner.so.0]" in told and "TEXTREL" not in told, told


def test_examples():
    with open(os.path.join(gm.HOME, "examples", "embed.c"), encoding="utf-8") as f:
        assert len(f.read().splitlines()) <= 45
    outs = []
    for program in os.environ["GM_EXAMPLES"].split(":"):
        r = gm.run("Grace Hopper at the Navy Yard", os.path.join(PHOTOS, "grace_hopper.jpg"), program=program)
        assert r.code == 0 and r.err == "", r.err
        outs.append(r.out)
    name, kind, _score, box = outs[0].splitlines()[0].split("\t")
    assert (name, kind) == ("Grace Hopper", "PER") and box.endswith(" with a mask"), outs[0]
    assert outs[0] == outs[1]


# ---- every recipe ----

def say(text, request):
    """An answer that depends on nothing but the question, in the form that it asks for."""
    assert request["authorization"] == "Bearer sesame"
    shapes = families.of_shapes(text)
    if shapes:
        return shapes
    if "Answer with one word" in text:
        return "yes"
    if 'Find "' in text:
        return '{"boxes": [[50, 20, 900, 990]]}'
    if "boxes" in text:
        return json.dumps({"entities": [{"entity": int(n), "visible": True, "boxes": [[50, 20, 900, 990]]}
                                        for n in re.findall(r"(?m)^(\d+)\. ", text)]})
    if text.endswith("Knowledge:"):
        return "Named entities: 1. Eileen Collins (person/astronaut)"
    if "Describe this photo twice" in text:
        return json.dumps({"caption": "A person.", "short": "A person."})
    if "isn't sure" in text:
        return json.dumps({"entities": [{"entity": int(n), "type": t} if "the types of" in text else
                                        {"entity": int(n), "names": [w]}
                                        for n, w, t in re.findall(r"^(\d+)\. (.*?) \((.*?)\)", text, re.M)]})
    return json.dumps({"phrases": [{"entity": int(n), "phrase": "thing " + n} for n in re.findall(r"(?m)^(\d+)\. ", text)]})


def inputs():
    photos = [os.path.join(PHOTOS, p) for p in ("astronaut.png", "grace_hopper.jpg")]
    texts = ("Eileen Collins flew to space for NASA", "Grace Hopper of the Navy", "Paris in May", "ok")
    posts = [{"id": str(i), "text": t, **({"image": photos[i]} if i < 2 else {})} for i, t in enumerate(texts)]
    return "".join(json.dumps(p) + "\n" for p in posts)


def test_every_recipe():
    given = inputs()
    for recipe, asks in (("tag", False), ("embedded", False), ("riveg", True), ("refineg", True)):
        with gm.Folder() as d, llm_server.Own(say) as server:
            env = {"OPENAI_API_KEY": "sesame", "GMNER_CACHE": "none" if not asks else d / "c.sqlite"}
            words = ["--endpoint", server.url, "--in-flight", "4"] if asks else []
            want = gm.run("predict", d.write("in.jsonl", given), "-r", recipe, *words, env=env)
            assert want.code in (0, 3), want.err
            options = [f"endpoint={server.url}", "key=sesame", "in_flight=4"] if asks else []
            for how in ("batch=0", "batch=3"):
                r = gm.run(recipe, how, "hosts=3", "log=1", *options, stdin=given, program=EMBED)
                assert r.code == 0, r.err
                assert r.out == want.out, (recipe, how, r.out, want.out)
                assert "sesame" not in r.err + r.out and "--" not in r.err, r.err


def test_pictures_in_memory():
    given = inputs()
    want = gm.expect_ok(gm.run("predict", "-", stdin=given)).out
    r = gm.run("embedded", "bytes=1", stdin=given, program=EMBED)
    assert r.code == 0 and r.out == want and "data:" not in r.out, r.err


def most_memory(*words):
    """The most that a host used, in MB."""
    with subprocess.Popen([EMBED, *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as p:
        p.stdin.write(inputs().encode())
        p.stdin.close()
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    assert p.returncode == 0
    return used.ru_maxrss / 1024


def test_sessions_share():
    """Three more sessions need buffers, and no weights."""
    if gm.is_sanitized():
        raise gm.Skip("a sanitizer keeps what is freed")
    for recipe, more in (("tag", 0.5), ("embedded", 0.35)):
        one, four = (most_memory(recipe, "threads=1", "sessions=4", f"hosts={n}") for n in (1, 4))
        print(f"{recipe}: {one:.0f} MB, with four sessions {four:.0f} MB")
        assert four < (1 + more) * one, (recipe, one, four)


def test_sessions_share_pools():
    """The posts that a model is shown some of are read and turned into vectors once."""
    known = [{"id": str(i), "text": f"Ann Lee sings in {town}", "knowledge": "A singer.",
              "entities": [{"type": "PER", "start": 0, "end": 7}]} for i, town in enumerate(("Oslo", "Rome", "Bern"))]
    with gm.Folder() as d, llm_server.Own(say) as server:
        pool = d.write("pool.jsonl", "".join(json.dumps(p) + "\n" for p in known))
        recipe = d.write("r.yaml", f"name: r\nstages:\n  - stage: tag\n  - stage: inform\n    samples: {{pool: {pool}}}\n"
                                   f"  - stage: refine\n    backend: llm\n    examples: {{pool: {pool}}}\n")
        cache = {"GMNER_CACHE": d / "c"}
        r = gm.run(recipe, "batch=0", "hosts=4", "threads=1", "log=1", f"endpoint={server.url}", "key=sesame",
                   stdin=inputs(), program=EMBED, env=cache)
        assert r.code == 0, r.err
        for line in ("samples are chosen from the 3 posts", "the 3 posts of .* are indexed for examples"):
            assert len(re.findall(line, r.err)) == 1, r.err


def test_usage_of_a_stream():
    """What was spent is known while the stream runs, and after it, with a run folder or without."""
    given = "".join(json.dumps({"id": str(i), "text": f"Ann {i}", "entities": [{"type": "PER", "start": 0, "end": 3}]}) + "\n"
                    for i in range(3))
    with gm.Folder() as d, llm_server.Own(lambda *_: '{"phrases": [{"entity": 1, "phrase": "a woman"}]}') as server:
        for more in ([], [f"run={d / 'run'}"]):
            r = gm.run(recipe_of(d, server.url), "usage=1", *more, stdin=given, program=EMBED)
            assert r.code == 0, r.err
            lines = [dict(w.split("=") for w in line.split()) for line in r.err.splitlines()]
            assert len(lines) == 4 and all(int(n) > 0 for n in lines[0].values()), r.err
            assert lines[-1] == {"requests": "3", "answered": "3", "tokens": "45"}, r.err


# ---- a host in Python ----

class Opts(ctypes.Structure):
    """The first members of struct gmner_opts: an old caller's."""
    _fields_ = [("struct_size", ctypes.c_size_t), ("recipe", ctypes.c_char_p)]


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 1024)]


def load():
    if gm.is_sanitized():
        raise gm.Skip("a sanitizer's library can't be loaded by a program without it")
    os.environ.setdefault("GMNER_HOME", gm.HOME)
    lib = ctypes.CDLL(LIBRARY)
    lib.gmner_version.restype = ctypes.c_char_p
    return lib


def open_host(lib, recipe):
    model, session, e = ctypes.c_void_p(), ctypes.c_void_p(), Error()
    opts = Opts(ctypes.sizeof(Opts), recipe.encode())
    assert lib.gmner_open(ctypes.byref(opts), ctypes.byref(model), ctypes.byref(e)) == 0, e.message
    assert lib.gmner_session_new(model, ctypes.byref(session), ctypes.byref(e)) == 0, e.message
    return model, session


def predict(lib, session, text):
    result, e = ctypes.c_void_p(), Error()
    rc = lib.gmner_predict_json(session, text, ctypes.c_size_t(len(text)), ctypes.byref(result), ctypes.byref(e))
    n = lib.gmner_result_count(result)
    lib.gmner_result_free(result)
    assert rc == e.status and (rc == 0) == (e.message == b""), e.message
    return rc, n, e.message.decode()


def recipe_of(d, url):
    return d.write("r.yaml", f"name: r\nstages:\n  - stage: expand\n    backend: llm\n    endpoint: {url}\n")


POST = b'{"text": "Ann", "entities": [{"type": "PER", "start": 0, "end": 3}]}\n'


def test_cancel():
    """A call that waits for a slow model ends at once; the session, and another one's call, go on."""
    lib = load()
    asked, slow = threading.Event(), threading.Event()

    def answer(text, _request):
        if "slow" in text:
            asked.set()
            slow.wait(gm.TIMEOUT_S)
        return '{"phrases": [{"entity": 1, "phrase": "a woman"}]}'

    with gm.Folder() as d, llm_server.Own(answer) as server:
        model, session = open_host(lib, recipe_of(d, server.url))
        other, e = ctypes.c_void_p(), Error()
        assert lib.gmner_session_new(model, ctypes.byref(other), ctypes.byref(e)) == 0
        assert predict(lib, session, POST)[:2] == (0, 1)
        got = []
        thread = threading.Thread(target=lambda: got.append(predict(lib, session, POST.replace(b"Ann", b"Ann slow"))))
        thread.start()
        assert asked.wait(gm.TIMEOUT_S)
        assert predict(lib, session, POST)[0] == EBUSY
        assert predict(lib, other, POST)[:2] == (0, 1)
        lib.gmner_cancel(session)
        thread.join(gm.TIMEOUT_S)
        assert got and got[0][0] == ECANCEL and not slow.is_set(), got
        assert predict(lib, session, POST)[:2] == (0, 1) and predict(lib, other, POST)[:2] == (0, 1)
        slow.set()
        for s in (session, other):
            lib.gmner_session_free(s)
        lib.gmner_close(model)


def test_dead_server():
    """A server that is not there ends the call; the next one finds it."""
    lib = load()
    answers = []

    def answer(_text, request):
        answers.append(request)
        if len(answers) == 1:
            return llm_server.Reply(401, {"error": {"message": "no such key"}})
        return '{"phrases": [{"entity": 1, "phrase": "a woman"}]}'

    with gm.Folder() as d, llm_server.Own(answer) as server:
        model, session = open_host(lib, recipe_of(d, server.url))
        rc, n, message = predict(lib, session, POST)
        assert rc != 0 and n == 0 and "401" in message and "--" not in message, (rc, message)
        assert predict(lib, session, POST)[:2] == (0, 1)
        lib.gmner_session_free(session)
        lib.gmner_close(model)


gm.main(globals())
