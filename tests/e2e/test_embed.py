"""The public C API: the example program embed.c gives what the program gives."""
import os

import gm

EMBED = os.environ["GM_EMBED"]
POSTS = '{"id": "1", "text": "Paris in May", "note": "kept"}\n{"id": "2", "tokens": ["a", "b"]}\n'
RECIPE = "name: boxes\nstages:\n  - stage: look\n  - stage: expand\n"


def test_same_as_the_program():
    with gm.Folder() as d:
        recipe = d.write("boxes.yaml", RECIPE)
        r = gm.run(recipe, stdin=POSTS, program=EMBED)
        assert r.code == 0 and r.err == "", r.err
        assert r.out == gm.expect_ok(gm.run("predict", "-", "--recipe", recipe, stdin=POSTS)).out


def test_errors():
    r = gm.run("no-such-recipe", program=EMBED)
    assert r.code == 2 and "no recipe \"no-such-recipe\"" in r.err and r.out == "", r.err
    with gm.Folder() as d:
        recipe = d.write("boxes.yaml", RECIPE)
        r = gm.run(recipe, stdin='{"text": 3}\nnothing\n{"text": "x"}\n', program=EMBED)
        assert r.code == 1 and len(r.err.splitlines()) == 2 and len(r.posts) == 1, (r.out, r.err)


gm.main(globals())
