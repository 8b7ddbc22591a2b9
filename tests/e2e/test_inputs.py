"""Forms of input that users have: other encodings, other files than JSON Lines."""
import base64
import gzip
import json
import os
import subprocess

import gm

ENTITY = {"text": "Ann", "type": "PER", "start": 0, "end": 3}
POSTS = [{"id": "1", "text": "Ann in Oslo", "image": "1.jpg", "entities": [ENTITY]},
         {"id": "2", "text": "Ann \u00e5t home", "image": "2.jpg", "entities": [ENTITY]}]
FORMATS = {"jsonl": "x.jsonl", "conll": "x.conll", "fmnerg": "f.conll", "coco": "c.json",
           "labelstudio": "l.json", "ccks": "k.json", "riveg": "r.txt"}


def lines(posts):
    return "".join(json.dumps(p) + "\n" for p in posts)


def converted(source, *args, stdin=""):
    """What `data convert` makes of a file: its result, and its posts."""
    with gm.Folder() as d:
        r = gm.run("data", "convert", source, d / "out.jsonl", *args, stdin=stdin)
        if not os.path.exists(d / "out.jsonl"):
            return r, None
        with open(d / "out.jsonl", encoding="utf-8") as f:
            return r, [json.loads(line) for line in f]


def files_of_every_format(d):
    """Name and bytes of the same posts in each format."""
    source = d.write("in.jsonl", lines(POSTS))
    for name, file in FORMATS.items():
        gm.run("data", "convert", source, d / file, "--to", name)
        with open(d / file, "rb") as f:
            yield name, f.read()


def same(a, b):
    return [(p["text"], len(p["entities"])) for p in a] == [(p["text"], len(p["entities"])) for p in b]


def test_gzip_of_every_format():
    """As a file and on standard input, whose format is guessed as that of a file is."""
    with gm.Folder() as d:
        for name, data in files_of_every_format(d):
            plain = converted(d.write("in", data))[1]
            assert len(plain) == 2, name
            for packed in (gzip.compress(data), gzip.compress(data[:7]) + gzip.compress(data[7:]) + b"\0" * 9):
                r, posts = converted(d.write("in.gz", packed))
                assert r.code == 0 and same(posts, plain), (name, r.err)
                r, posts = converted("-", stdin=packed)
                assert r.code == 0 and same(posts, plain), (name, r.err)
            r, posts = converted("-", stdin=data)
            assert r.code == 0 and same(posts, plain), (name, r.err)


def test_gzip_beside_the_posts():
    """Captions, and posts that `predict` counts before it reads them."""
    with gm.Folder() as d:
        recipe = d.write("r.yaml", "name: x\nstages:\n  - stage: expand\n")
        posts = d.write("in.jsonl.gz", gzip.compress(lines(POSTS).encode()))
        captions = d.write("c.txt.gz", gzip.compress(b"imgid:1###a woman\n"))
        r = gm.expect_ok(gm.run("predict", posts, "--recipe", recipe, "--captions", captions))
        assert [p.get("caption") for p in r.posts] == ["a woman", None]
        r = gm.expect_ok(gm.run("predict", posts, "--recipe", recipe, "--captions-short", captions))
        assert [(p.get("caption"), p.get("caption_short")) for p in r.posts] == [(None, "a woman"), (None, None)]
        r = gm.expect_ok(gm.run("data", "convert", posts, "-", "--to", "jsonl", "--captions-short", captions))
        assert [p.get("caption_short") for p in r.posts] == ["a woman", None]


def test_gzip_faults():
    """Cut, damaged, with something behind it: what is good is read, and the fault named."""
    data = "".join(lines([{"id": str(i), "text": f"post {i} {os.urandom(20).hex()}"}]) for i in range(2000))
    good = gzip.compress(data.encode())
    middle = len(good) // 2
    with gm.Folder() as d:
        for bad, words in ((good[:middle], "ends too early"), (good[:9], "ends too early"),
                           (good[:-8] + b"\0" * 8, "damaged"),
                           (good + b"more", "damaged")):
            for source, stdin in ((d.write("in.gz", bad), ""), ("-", bad)):
                r = gm.run("data", "stats", source, stdin=stdin)
                gm.expect(r, 1, words, "standard input" if source == "-" else source)
        r = gm.run("predict", d / "in.gz", "--recipe", d.write("r.yaml", "name: x\nstages:\n  - stage: expand\n"))
        assert r.code == 1 and len(r.posts) == 2000 and "damaged" in r.err, r.err


def test_other_packers_are_named():
    with gm.Folder() as d:
        for begin, name in ((b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"),
                            (b"BZh91AY&SY", "bzip2"), (b"PK\x03\x04", "zip")):
            gm.expect(gm.run("data", "stats", d.write("in", begin + b"abc" * 50)), 1, "packed by " + name)
        for text in ("B", "BZ", "PK", "(", "BZh91AY&SX"):
            gm.expect_ok(gm.run("data", "stats", d.write("in", text + "\n")))


def test_json_over_several_lines():
    """Records one after the other and as an array, as other programs lay them out."""
    posts = [{"id": "1", "text": "Ann {in] Oslo"}, {"id": "2", "tokens": ["a", "\"}"], "x": [{"y": []}]}]
    texts = [json.dumps(posts, indent=2), json.dumps(posts), "\ufeff\n" + json.dumps(posts, indent="\t"),
             "".join(json.dumps(p, indent=4) + "\n" for p in posts),
             json.dumps(posts, indent=1).replace("\n", "\r\n"), json.dumps(posts[0], indent=2),
             "[" + ",\n".join(json.dumps(p) for p in posts) + "]\n"]
    for text in texts:
        with gm.Folder() as d:
            for source, stdin in ((d.write("in.json", text), ""), ("-", text)):
                r, got = converted(source, stdin=stdin)
                assert r.code == 0 and [p["id"] for p in got] == ["1", "2"][:len(got)], (text, r.err)
                assert len(got) == (1 if text == texts[5] else 2) and got[0] == posts[0]
    assert gm.run("data", "stats", "-", stdin="[]").code == 0


def test_json_that_is_broken():
    """One record is lost, with its line; a broken line of JSON Lines loses no other."""
    with gm.Folder() as d:
        good = '  {\n    "id": "%s",\n    "text": "t"\n  }'
        text = "[\n" + ",\n".join([good % 1, '  {\n    "id": "2",\n    "text": "t\n  }', good % 3,
                                   '  {\n    "text": 7\n  }', '  {"a" 1}', good % 6]) + "\n]\n"
        r, posts = converted(d.write("in.json", text))
        assert r.code == 3 and [p["id"] for p in posts] == ["1", "3", "6"], (posts, r.err)
        assert [e.split(":")[1] for e in r.errors] == ["8", "14", "17"], r.err
        r, posts = converted(d.write("in.json", "[" + (good % 1) + ","))
        assert r.code == 1 and "not closed" in r.err, r.err
        for first in ('{"text": "a",', '{"text": "a', '{"text"'):
            r, posts = converted(d.write("in.jsonl", first + '\n{"text": "b"}\n{"text": "c"}\n'))
            assert r.code == 3 and len(posts) == 2 and len(r.errors) == 1, (first, r.err)
        gm.expect(gm.run("data", "stats", d.write("x.json", '[{"a": 1}]')), 1, "array of something else")


def test_tables():
    """Separators, quotes, cells over lines, columns of the user's own and without a name."""
    want = [{"id": "a", "text": 'one, "two"; three\tx', "image": "1.jpg", "mood": "good"},
            {"id": "b", "text": "5\" wide", "image": "2.jpg"}, {"id": "c", "text": "last", "mood": " bad"}]
    tables = [('id,text,image,mood\r\na,"one, ""two""; three\tx",1.jpg,good\r\nb,5" wide,2.jpg,\r\nc,last,, bad\r\n'),
              ('\ufeff,Text;mood;ID;IMAGE').replace(",", ";") +
              '\n0;"one, ""two""; three\tx";good;a;1.jpg\n1;5" wide;;b;2.jpg\n\n2;last; bad;c;',
              'image\tid\tmood\ttext\n1.jpg\ta\tgood\t"one, ""two""; three"\n2.jpg\tb\t\t5" wide\n\tc\t bad\tlast\n']
    for i, table in enumerate(tables):
        with gm.Folder() as d:
            for source, stdin in ((d.write("in.csv", table), ""), ("-", table)):
                r, posts = converted(source, "--images", d.path, stdin=stdin)
                for p in posts:
                    if "image" in p:
                        p["image"] = os.path.basename(p["image"])
                if i == 2:
                    posts[0]["text"] += "\tx"
                assert r.code == 0 and posts == want, (table, posts, r.err)
    r, posts = converted("-", stdin='text,entities,note\n"Ann\nLee","[{""start"": 0, ""end"": 3, ""type"": ""PER""}]",x\n')
    assert posts[0]["text"] == "Ann\nLee" and posts[0]["entities"][0]["text"] == "Ann", r.err
    r, posts = converted("-", stdin='id\ttext\n1\t"so he\n2\tsaid"\n')
    assert [p["text"] for p in posts] == ['"so he', 'said"'], r.err


def test_tables_of_one_column():
    """There is nothing to separate: a line is a text, unless it is quoted."""
    with gm.Folder() as d:
        r, posts = converted(d.write("in.csv", 'text\nhello; world\nhello, world\n"a ""b"", c"\n"d\ne"\n'), "--from", "csv")
        assert r.code == 0 and [p["text"] for p in posts] == ["hello; world", "hello, world", 'a "b", c', "d\ne"], r.err


def test_tables_of_records():
    """Columns of every field of a record, those with objects and lists as their JSON, whatever their case."""
    error = {"stage": "tag", "code": "FORMAT", "message": "x"}
    candidates = [{"text": "Ann", "type": "PER", "start": 0, "end": 3, "score": 0.5}]
    quoted = [json.dumps(x).replace('"', '""') for x in (error, candidates)]
    with gm.Folder() as d:
        for names in ("text,error,entity_candidates", "Text,ERROR,Entity_Candidates"):
            r, posts = converted(d.write("in.csv", f'{names}\nAnn,"{quoted[0]}","{quoted[1]}"\nBob,,\n'))
            assert r.code == 0 and len(posts) == 2, r.err
            assert posts[0]["error"] == error and posts[0]["entity_candidates"] == candidates, posts


def test_tables_that_are_wrong():
    with gm.Folder() as d:
        for text, *words in (("id,tweet,img\n1,a,b\n", "in.csv:1: ", '"text"', "id,tweet,img"),
                             ("index\t#1 Label\t#2 ImageID\tlabel\n", '"text"'), ("id,text,id\n", "two columns")):
            gm.expect(gm.run("data", "stats", d.write("in.csv", text)), 1, *words)
        r, posts = converted(d.write("in.csv", 'id,text\n1,a\n2,b,c\n3\n4,d\n5,"open\n6,e\n'))
        assert r.code == 3 and [p["id"] for p in posts] == ["1", "4"], (posts, r.err)
        assert [e.split(":")[1] for e in r.errors] == ["3", "4", "6"], r.err


SEEING = "name: x\nstages:\n  - stage: look\n    backend: detector\n"
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////"
    "////////////////////////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAA"
    "AAD/2gAIAQEAAD8AN//Z")


def test_names_of_the_image():
    """The usual names of the field, lists and objects; the first counts, all others stay."""
    cases = [({"image": "a.jpg", "image_path": "b.jpg"}, "a.jpg"), ({"image_path": "a.jpg"}, "a.jpg"),
             ({"image": None, "img": "a.jpg"}, "a.jpg"), ({"image": "", "image_url": "a.jpg"}, "a.jpg"),
             ({"images": ["a.jpg", "b.jpg"]}, "a.jpg"), ({"images": []}, None), ({"img": 7, "images": 3}, None),
             ({"image": ["a.jpg", "b.jpg"]}, "a.jpg"), ({"image": {"bytes": None, "path": "a.jpg"}}, "a.jpg"),
             ({"images": [{"url": "a.jpg"}]}, "a.jpg"), ({"img_path": "/x/a.jpg"}, "/x/a.jpg"),
             ({"image_file": "file:///x/a.jpg"}, "/x/a.jpg"), ({"image_url": "https://x.org/a.jpg"}, "https://x.org/a.jpg")]
    for fields, image in cases:
        with gm.Folder() as d:
            r, posts = converted(d.write("in.jsonl", json.dumps({"text": "t", **fields}) + "\n"), "--images", "/pics")
            want = image if not image or "/" in image else "/pics/" + image
            assert r.code == 0 and posts[0].get("image") or None == want, (fields, posts, r.err)
            for name, value in fields.items():
                assert name == "image" or posts[0][name] == value, (fields, posts)
            if fields.get("image") == ["a.jpg", "b.jpg"]:
                assert posts[0]["images"] == ["a.jpg", "b.jpg"]
            again = converted("-", stdin=json.dumps(posts[0]))[1]
            assert again[0].get("image") == posts[0].get("image")
    r = gm.run("data", "stats", "-", stdin='{"text": "t", "image": 7}\n')
    gm.expect(r, 3, '"image"', "a string")


def test_addresses_as_images():
    """One error for each post, that names it; it keeps the rest. Pictures in the post are decoded."""
    held = "data:image/jpeg;base64," + base64.b64encode(JPEG).decode()
    with gm.Folder() as d:
        recipe = d.write("r.yaml", SEEING)
        images = ["https://example.org/a.jpg", "s3://bucket/a.jpg", held, held.rstrip("=").replace("+", "%2B"),
                  "data:image/jpeg;base64,!!", "data:text/plain,hello", "data:nothing"]
        r = gm.run("predict", "-", "--recipe", recipe,
                   stdin=lines([{"id": str(i), "text": "t", "image_url": u} for i, u in enumerate(images)]))
        errors = [p.get("error", {}).get("message", "") for p in r.posts]
        assert r.code == 3 and len(r.errors) == 5, r.err
        for e, image in zip(errors[:2], images):
            assert e.startswith(image) and "download it first" in e, e
        assert not errors[2] and not errors[3] and "objects" in r.posts[2], (errors, r.err)
        assert all("data:" in e and len(e) < 200 for e in errors[4:]), errors
        r = gm.run("data", "check", "-", "--json", stdin=lines([{"text": "t", "image": held}, {"text": "u", "image": images[4]}]))
        assert r.code == 3 and "image-unreadable" in r.out and "image-missing" not in r.out, r.out
        posts = d.write("p.jsonl", lines([{"id": "1", "text": "t", "image": held}]))
        gm.expect_ok(gm.run("view", posts, "-o", d / "x.html"))
        with open(d / "x.html", encoding="utf-8") as f:
            assert ">data:image/jpeg<" in f.read()
        assert held not in gm.expect_ok(gm.run("view", posts)).out


def test_pictures_under_names_that_are_not_known():
    with gm.Folder() as d:
        post = {"text": "see my cat.jpg", "caption": "cat.jpg", "photo": {"path": "a.jpg"}, "n": 1}
        r = gm.expect_ok(gm.run("data", "convert", "-", d / "o.jsonl", stdin=2 * lines([{"text": "b.jpg"}, post])))
        assert r.err.count("seems to be a picture") == 1 and 'standard input:2: "photo"' in r.err, r.err


def test_pictures_of_posts_from_a_pipe():
    """Named from the working directory: what a pipe names has no folder."""
    with gm.Folder() as d:
        posts = d.write("in/posts.jsonl", lines([{"text": "t", "image": "x.jpg"}]))
        for source in ("<(cat in/posts.jsonl)", "/dev/stdin < in/posts.jsonl", "- < in/posts.jsonl"):
            line = f'"$GMNER" data convert {source} out.jsonl'
            subprocess.run(["bash", "-c", line], cwd=d.path, check=True, stderr=subprocess.PIPE)
            with open(d / "out.jsonl", encoding="utf-8") as f:
                assert json.load(f)["image"] == "x.jpg", source
        assert converted(posts)[1][0]["image"].endswith("in/x.jpg")


def test_plain_text():
    """A post a line, whose id is the line's number; quotes, braces and tabs are text."""
    text = 'Ann in Oslo\n\n  {"text": 1}\tO\r\n[x]\n\u00e9t\u00e9'
    want = [("1", "Ann in Oslo"), ("3", '  {"text": 1}\tO'), ("4", "[x]"), ("5", "\u00e9t\u00e9")]
    with gm.Folder() as d:
        for source, stdin in ((d.write("in.txt", "\ufeff" + text), ""), ("-", text)):
            r, posts = converted(source, "--from", "text", stdin=stdin)
            assert r.code == 0 and [(p["id"], p["text"]) for p in posts] == want, (r.err, posts)
        posts = converted(d / "in.txt", "--from", "text", "--images", "pics")[1]
        assert posts[1]["image"].endswith("pics/3.jpg"), posts[1]
        r = gm.expect_ok(gm.run("data", "split", d / "in.txt", "--from", "text", "--out-dir", d / "parts"))
        assert os.listdir(d / "parts")[0].endswith(".jsonl"), r.err


def test_plain_text_is_hinted_at():
    with gm.Folder() as d:
        for text in ("Ann lives in Oslo\n", "Ann Lee\nin Oslo\n"):
            gm.expect(gm.run("data", "stats", d.write("in.txt", text)), 3, "--from text")
        gm.expect(gm.run("data", "convert", d / "in.txt", d / "out", "--to", "text"), 2, "--to")


def test_latin_1_is_named_once():
    """With file and line and how to convert it; the repair to U+FFFD stays."""
    with gm.Folder() as d:
        line = '{"text": "caf\u00e9 in Orl\u00e9ans"}\n'
        plain = d.write("posts.jsonl", ('{"text": "plain"}\n' + 2 * line).encode("latin-1"))
        r = gm.expect_ok(gm.run("data", "convert", plain, d / "out.jsonl"))
        assert r.err.count("Windows-1252") == 1 and f"{plain}:2: " in r.err and "iconv" in r.err, r.err
        with open(d / "out.jsonl", encoding="utf-8") as f:
            assert "caf\ufffd in Orl\ufffdans" in f.read()
        whole = d.write("tasks.json", '[{"data": {"text": "x"}, "annotations": []},\n'
                        ' {"data": {"text": "Orl\u00e9ans"}, "annotations": []}]'.encode("latin-1"))
        r = gm.run("data", "convert", whole, d / "out2.jsonl", "--from", "labelstudio")
        assert f"{whole}:2: not UTF-8" in r.err, r.err


def test_other_faults_are_not_latin_1():
    """A character cut in two, and one bad byte among good UTF-8."""
    with gm.Folder() as d:
        for text in (b"caf\xf0\x9f", b"caf\xc3\xa9 caf\xe9", b"a \xff b"):
            path = d.write("posts.jsonl", b'{"text": "' + text + b'"}\n')
            r = gm.expect_ok(gm.run("data", "convert", path, d / "out.jsonl"))
            assert "1252" not in r.err, r.err


gm.main(globals())
