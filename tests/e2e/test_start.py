"""The prepared vision models that one start leaves for the next: made, used, mended, never needed, and without any
effect on what is found."""
import concurrent.futures
import os
import random
import tempfile

import gm

PHOTO = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
TWEET = "Rear Admiral Grace Hopper of the US Navy, who gave us the first compiler."
NONE = {"GMNER_VISION_CACHE": "none"}
# Two models of vision: the detector, whose precision can be chosen, and that of masks.
RECIPE = "name: two\nstages:\n" + "".join(f"  - stage: {s}\n" for s in ("tag", "look", "expand", "entail", "ground", "segment"))
_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-start-")


def words():
    path = os.path.join(_dir.name, "two.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(RECIPE)
    return ["predict", "--recipe", path, "--text", TWEET, "--image", PHOTO]


def predict(env, *more):
    if not os.path.exists(PHOTO):
        raise gm.Skip("no photos; `make setup` gets them")
    r = gm.expect_ok(gm.run(*words(), *more, env=env))
    assert r.posts[0]["objects"], r.out
    return r.out


def files(folder):
    """{name: (inode, time of use, content)}"""
    found = {}
    for name in os.listdir(folder):
        s = os.stat(os.path.join(folder, name))
        with open(os.path.join(folder, name), "rb") as f:
            found[name] = (s.st_ino, s.st_mtime_ns, f.read())
    return found


def test_made_once_and_used():
    with gm.Folder() as d:
        env = {"GMNER_VISION_CACHE": d / "c/vision"}
        first = predict(env)
        made = files(d / "c/vision")
        assert len(made) == 2 and all(name.endswith(".prepared") for name in made), made.keys()
        assert predict(env) == first
        again = files(d / "c/vision")
        for name, (inode, used, content) in made.items():
            assert again[name][0] == inode and again[name][1] > used and again[name][2] == content, name
        assert predict(NONE) == first


def test_where_it_is():
    with gm.Folder() as d:
        for env, place in (({"XDG_CACHE_HOME": d / "x", "HOME": d / "h"}, "x/gmner/vision"),
                           ({"XDG_CACHE_HOME": "", "HOME": d / "h"}, "h/.cache/gmner/vision")):
            predict({"GMNER_VISION_CACHE": "", **env})
            assert len(os.listdir(d / place)) == 2, place


def test_another_precision_is_prepared_for_itself():
    if not gm.cpu_has("avx512_bf16"):
        raise gm.Skip("this CPU does not multiply bf16")
    with gm.Folder() as d:
        env = {"GMNER_VISION_CACHE": d / "c"}
        for precision, want in (("f32", 2), ("bf16", 3), ("f32", 3)):  # masks are f32 in any case
            out = predict(env, "--precision", precision)
            assert out == predict(NONE, "--precision", precision), precision
            assert len(os.listdir(d / "c")) == want, (precision, os.listdir(d / "c"))
        assert predict(env, "--threads", "1") == predict(NONE, "--threads", "1")
        assert len(os.listdir(d / "c")) <= 3


def test_damaged_files_are_made_anew():
    rng = random.Random(1)
    with gm.Folder() as d:
        env = {"GMNER_VISION_CACHE": d / "c"}
        first = predict(env)
        good = files(d / "c")

        def spoil(change):
            """The names of nodes in a prepared model differ from one time to the next: the files need not be equal."""
            for name in good:
                with open(os.path.join(d / "c", name), "wb") as f:
                    f.write(change(good[name][2]))
            assert predict(env) == first
            made = files(d / "c")
            assert made.keys() == good.keys(), made.keys()
            for name, (_inode, _used, content) in good.items():
                assert made[name][2] != change(content) and len(made[name][2]) > len(content) // 2, name
            return made

        spoil(lambda b: b[:len(b) // 2])
        spoil(lambda b: b"")
        spoil(lambda b: b"no model\n")
        spoil(lambda b: b[:5000] + bytes(rng.randrange(256) for _ in range(500)) + b[5500:])
        # each file whole, under the other's name
        contents = dict(zip(good, reversed([b for _, _, b in good.values()])))
        made = spoil(lambda b: next(c for n, c in contents.items() if good[n][2] == b))
        assert predict(env) == first and {n: f[0] for n, f in files(d / "c").items()} == {
            n: f[0] for n, f in made.items()}


def test_many_at_once():
    with gm.Folder() as d:
        env = {"GMNER_VISION_CACHE": d / "c"}
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            outs = set(pool.map(lambda _: predict(env), range(4)))
        assert outs == {predict(NONE)}
        assert len(os.listdir(d / "c")) == 2 and not any(".tmp" in name for name in os.listdir(d / "c"))


def test_a_folder_that_cannot_be_used():
    """A file in its place, a folder that may not be written, no home: no word about it."""
    with gm.Folder() as d:
        first = predict(NONE)
        places = [d.write("file", ""), "/proc/1/nothing"]
        os.mkdir(d / "read-only")
        if os.geteuid():
            os.chmod(d / "read-only", 0o500)
            places.append(d / "read-only")
        for place in places:
            r = gm.run(*words(), env={"GMNER_VISION_CACHE": place})
            assert gm.expect_ok(r).out == first and "vision" not in r.err.lower(), (place, r.err)
        assert predict({"GMNER_VISION_CACHE": "", "XDG_CACHE_HOME": "", "HOME": ""}) == first


if __name__ == "__main__":
    gm.main(globals())
