"""What people look at: the coloured view, the page, the annotated pictures, the demo."""
import json
import os
import pty
import shutil
import subprocess

import gm

PHOTO = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
RECIPE = "name: boxes\nstages:\n  - stage: look\n  - stage: expand\n  - stage: ground\n  - stage: segment\n"


def hopper(image):
    return {"id": "gh", "text": "Grace Hopper & <friends>", "image": image,
            "entities": [{"start": 0, "end": 12, "type": "PER"}]}


def test_terminal_and_pipe():
    """A terminal gets the view in colour, a pipe JSON Lines; -o - is JSON Lines on a terminal too."""
    with gm.Folder() as d:
        recipe = d.write("boxes.yaml", RECIPE)
        args = [gm.PROGRAM, "predict", "--recipe", recipe]
        post = json.dumps({"text": "Hello Rome", "entities": [{"start": 6, "end": 10, "type": "LOC"}]})
        for extra, env, part, absent in (([], {}, b"\x1b[", b'{"'), (["-o", "-"], {}, b'{"text"', b"\x1b["),
                                         ([], {"NO_COLOR": "1"}, b"Rome", b"\x1b[")):
            master, slave = pty.openpty()
            p = subprocess.run(args + extra, input=post.encode(), stdout=slave, check=False,
                               stderr=subprocess.PIPE, timeout=60,
                               env={**os.environ, "TERM": "xterm", **env})
            os.close(slave)
            out = os.read(master, 65536)
            os.close(master)
            assert p.returncode == 0 and part in out and absent not in out, (extra, out, p.stderr)


def test_person_has_box_and_mask():
    with gm.Folder() as d:
        recipe = d.write("boxes.yaml", RECIPE)
        r = gm.expect_ok(gm.run("predict", "-", "--recipe", recipe, "--html", d / "page.html",
                                stdin=json.dumps(hopper(PHOTO))))
        region = r.posts[0]["entities"][0]["regions"][0]
        assert region["label"] == "person" and region["score"] > 0.6, region
        assert region["mask"]["size"] == [600, 512] and region["mask"]["counts"], region
        with open(d / "page.html", encoding="utf-8") as f:
            page = f.read()
        assert "&lt;friends&gt;" in page and "<friends>" not in page
        assert "http://" not in page.replace("http://www.w3.org/", "") and "https://" not in page


def test_images_are_found_again():
    """The output's image paths hold for the folder that the output is in."""
    with gm.Folder() as d:
        recipe = d.write("boxes.yaml", RECIPE)
        shutil.copy(PHOTO, d / "p.jpg")
        d.write("posts.jsonl", json.dumps(hopper("p.jpg")) + "\n")
        os.mkdir(d / "out")
        for cwd, source, out, image in ((d.path, "posts.jsonl", "out.jsonl", "p.jpg"),
                                        ("/", d / "posts.jsonl", d / "same.jsonl", "p.jpg"),
                                        (d.path, "posts.jsonl", "out/o.jsonl", d / "p.jpg"),
                                        (d / "out", "../posts.jsonl", "o2.jsonl", "../p.jpg")):
            gm.expect_ok(gm.run("predict", source, "--recipe", recipe, "-o", out, cwd=cwd))
            path = os.path.join(cwd, out)
            with open(path, encoding="utf-8") as f:
                assert json.loads(f.read())["image"] == image, (cwd, source, out)
            gm.expect_ok(gm.run("view", path, "--png", d / "pictures", cwd="/"))
            assert os.listdir(d / "pictures") == ["00001-gh.png"]
            shutil.rmtree(d / "pictures")


def test_names_of_pictures():
    """Letters of any script stay in the files' names; what leaves a folder or isn't seen doesn't."""
    with gm.Folder() as d:
        ids = {"漢字/Ünï": "漢字_Ünï", "../../x y": ".._.._x_y", "a\u202eb\u0085": "a_b_",
               "é" * 60: "é" * 40, "नमस्ते": "नमस्ते"}
        d.write("posts.jsonl", "".join(json.dumps({"id": i, "text": "x", "image": PHOTO}) + "\n" for i in ids))
        gm.expect_ok(gm.run("view", "posts.jsonl", "--png", "pictures", cwd=d.path))
        names = sorted(os.listdir(d / "pictures"))
        assert names == [f"{n:05}-{name}.png" for n, name in enumerate(ids.values(), 1)], names


def test_format_is_said():
    """Plain text is not told from CoNLL by its content; --from says what it is, as in the other commands."""
    with gm.Folder() as d:
        posts = d.write("posts.txt", "Ann lives in Oslo.\nso does Bob\n")
        gm.expect(gm.run("view", posts), 3, "--from text")
        out = gm.expect_ok(gm.run("view", posts, "--from", "text")).out
        assert "Ann lives in Oslo." in out and "so does Bob" in out, out
        gm.expect(gm.run("view", posts, "--from", "word"), 2, "--from")


def test_pipes_and_devices_are_no_pictures():
    """A post whose image would be waited for fails at once, and the others are done."""
    with gm.Folder() as d:
        recipe = d.write("boxes.yaml", RECIPE)
        os.mkfifo(d / "pipe.jpg")
        posts = [hopper("pipe.jpg"), {**hopper("/dev/zero"), "id": "dev"}]
        r = gm.run("predict", "-", "--recipe", recipe, "--images", d.path,
                   stdin="".join(json.dumps(p) + "\n" for p in posts))
        assert r.code == 3 and "is a pipe, not a picture file" in r.err and "is a device" in r.err, r.err


def test_readme_picture_is_true_colour():
    """docs/demo.png is what `gmner view --png` writes of the demo: true colours, no palette."""
    with open(os.path.join(gm.HOME, "docs", "demo.png"), "rb") as f:
        head = f.read(26)
    assert head[12:16] == b"IHDR" and (head[24], head[25]) == (8, 2), head


def test_limit_of_pixels():
    with gm.Folder() as d:
        recipe = d.write("boxes.yaml", RECIPE)
        post = json.dumps(hopper(PHOTO))
        r = gm.run("predict", "-", "--recipe", recipe, "--max-pixels", "300000", stdin=post)
        assert r.code == 3 and "limit is 65535 a side and 300000 in all" in r.err, r.err
        gm.expect_ok(gm.run("predict", "-", "--recipe", recipe, "--max-pixels", "307200", stdin=post))


gm.main(globals())
