"""Forms of input that users have: other encodings, other files than JSON Lines."""
import gm


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
