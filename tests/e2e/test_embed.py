"""The public C API: the example program embed.c gives what the program gives."""
import os
import struct
import subprocess

import gm

EMBED = os.environ["GM_EMBED"]
POSTS = '{"id": "1", "text": "Paris in May", "note": "kept"}\n{"id": "2", "tokens": ["a", "b"]}\n'
RECIPE = "name: boxes\nstages:\n  - stage: look\n  - stage: expand\n"


def test_same_as_the_program():
    with gm.Folder() as d:
        recipe = d.write("boxes.yaml", RECIPE)
        want = gm.expect_ok(gm.run("predict", "-", "--recipe", recipe, stdin=POSTS)).out
        for how in ("batch=0", "batch=1", "batch=7"):
            r = gm.run(recipe, how, "hosts=2", stdin=POSTS, program=EMBED)
            assert r.code == 0 and r.err == "" and r.out == want, (how, r.err, r.out)


def comma_locale(d):
    """The environment of a locale xx whose decimal point is a comma, as glibc's localedef compiles it."""
    data = struct.pack("=8I", 0x20031115 ^ 1, 6, 32, 34, 36, 40, 44, 48)  # 1 = LC_NUMERIC
    d.write("locales/xx/LC_NUMERIC", data + b",\0\0\0\x7f\0\0\0" + struct.pack("=2I", ord(","), 0) + b"UTF-8\0")
    env = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k != "LANG"}
    return {**env, "LOCPATH": d / "locales", "LC_NUMERIC": "xx"}


def test_numbers_in_a_locale_with_a_decimal_comma():
    post = ('{"id": "1", "text": "Paris in May", "entities": [{"type": "LOC", "start": 0, "end": 5, "score": 0.25, '
            '"visible": 0.75, "regions": []}], "objects": [{"label": "person", "score": 0.5, "box": [1.5, 2, 3.25, 4]}], '
            '"own": 1e-7}\n')
    with gm.Folder() as d:
        env = comma_locale(d)
        shown = subprocess.run(["printf", "%.1f", "1"], env=env, stdout=subprocess.PIPE, check=True).stdout
        if shown != b"1,0":
            raise gm.Skip("the system's programs take no locale that was made here")
        recipe = d.write("r.yaml", "name: r\nstages:\n  - stage: expand\n  - stage: ground\n    visible: 0.7\n    score: 0.4\n")
        want = gm.expect_ok(gm.run("predict", "-", "--recipe", recipe, stdin=post)).out
        assert "0.75" in want and "1.5" in want
        p = subprocess.run([EMBED, recipe], input=post.encode(), env=env, stdout=subprocess.PIPE, check=True)
        assert p.stdout.decode() == want


def test_errors():
    r = gm.run("no-such-recipe", program=EMBED)
    assert r.code == 1 and "arg: no recipe \"no-such-recipe\"" in r.err and r.out == "", r.err
    with gm.Folder() as d:
        recipe = d.write("boxes.yaml", RECIPE)
        for how in ("batch=0", "batch=9"):
            r = gm.run(recipe, how, stdin='{"text": 3}\nnothing\n{"text": "x"}\n', program=EMBED)
            assert r.code == 0 and r.err == "", (r.out, r.err)
            assert [p.get("error", {}).get("stage") for p in r.posts] == ["input", "input", None], r.out
            assert [p.get("id") for p in r.posts] == ["1", "2", None] or r.posts[2]["text"] == "x", r.out
        r = gm.run(recipe, "batch=1", stdin='{"text": 3}\nnothing\n{"text": "x"}\n', program=EMBED)
        assert r.code == 1 and "format: the text is no JSON object" in r.err and len(r.posts) == 1, (r.out, r.err)


gm.main(globals())
