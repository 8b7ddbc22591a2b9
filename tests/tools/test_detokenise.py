"""tools/detokenise.py: how posts are typed again, and that gold entities keep their place."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "..", "..", "tools", "detokenise.py")
SHARED = os.path.join(HERE, "..", "..", "..", "shared", "data", "twitter-gmner", "train.txt")
sys.path.insert(0, os.path.dirname(SCRIPT))
import detokenise  # noqa: E402


def text_of(words, tags=None, numeric_id=True):
    words = words.split(" ")
    return detokenise.detokenise(words, tags or ["O"] * len(words), numeric_id)[0]


class Rules(unittest.TestCase):
    CASES = [
        ("RT @ Little _ Interest : don ' t # stop , ok ?", "RT @Little_Interest: don't #stop, ok?"),
        ("LeBron James ' s \" big \" ( 2nd ) game !", "LeBron James's \"big\" (2nd) game!"),
        ("Cowboys ' Elliott said ' no way ' today", "Cowboys' Elliott said 'no way' today"),
        ("July 20 , 1969 : $ 130 , 000 , 000 at 10 : 30 , 3 . 5 %", "July 20, 1969: $130,000,000 at 10:30, 3.5%"),
        ("the U . S . and U . N . now . . .", "the U.S. and U.N. now..."),
        ("see http://t. co/abc and https : //t . co/x !", "see http://t.co/abc and https://t.co/x!"),
        ("you &amp ; me &gt ; &gt ; all", "you &amp; me &gt; &gt; all"),
        ("so ❤ ️ 😂 😂 cute", "so ❤️😂😂 cute"),
        ("a tour - Via @ x - y", "a tour - Via @x - y"),
    ]

    def test_cases(self):
        for words, text in self.CASES:
            self.assertEqual(text_of(words), text)

    def test_hyphens_of_the_other_source(self):
        self.assertEqual(text_of("a 3 - 1 play - off , ex - coach - The end", numeric_id=False),
                         "a 3-1 play-off, ex-coach - The end")
        tags = ["B-OTHER", "I-OTHER", "I-OTHER", "O", "B-PER"]
        self.assertEqual(text_of("Spider - Man - Stan", tags, numeric_id=False), "Spider-Man - Stan")

    def test_entities(self):
        words = ["🎉", "Beyoncé", "Knowles", "'", "s", "U", ".", "S", ".", "tour", "X"]
        tags = ["O", "B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC", "I-LOC", "I-LOC", "O", "I-ORG"]
        text, spans = detokenise.detokenise(words, tags, True)
        self.assertEqual(text, "🎉 Beyoncé Knowles's U.S. tour X")
        self.assertEqual(detokenise.entities_of(tags, spans, text), [
            {"text": "Beyoncé Knowles", "type": "PER", "start": 2, "end": 17},
            {"text": "U.S.", "type": "LOC", "start": 20, "end": 24},
            {"text": "X", "type": "ORG", "start": 30, "end": 31}])


class Program(unittest.TestCase):
    def run_on(self, content, *options):
        with tempfile.NamedTemporaryFile("wb", suffix=".txt") as f:
            f.write(content)
            f.flush()
            return subprocess.run([sys.executable, "-B", SCRIPT, f.name, *options], capture_output=True, text=True,
                                  encoding="utf-8")

    def test_output(self):
        done = self.run_on(b"IMGID:7\nHi\tO\n!\tO\n\n\nIMGID:O_8\r\nParis B-LOC\r\n", "--words")
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()], [
            {"id": "7", "text": "Hi!", "entities": [], "words": ["Hi", "!"]},
            {"id": "O_8", "text": "Paris", "entities": [{"text": "Paris", "type": "LOC", "start": 0, "end": 5}],
             "words": ["Paris"]}])

    def test_bad_line(self):
        done = self.run_on(b"IMGID:7\nHi O\nalone\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(":3: expected a token and a tag", done.stderr)


class Shared(unittest.TestCase):
    @unittest.skipUnless(os.path.exists(SHARED), "the shared data is not here")
    def test_tokens_are_only_joined(self):
        n = 0
        for post_id, words, tags in detokenise.read_conll(SHARED):
            text, spans = detokenise.detokenise(words, tags, (post_id or "").isdigit())
            self.assertEqual([text[a:b] for a, b in spans], words)
            self.assertNotIn("  ", text)
            n += 1
        self.assertEqual(n, 7000)


if __name__ == "__main__":
    unittest.main()
