"""The scores of a Unigram vocabulary as the `tokenizers` library reads them:

    scores_reference.py OUT.json

OUT.json is an object: "scores" has pairs of a number's text and its value (float.hex), where the
library was given the text in a tokenizer.json. The library writes every score in the shortest form
that is read back exactly, so Python's reader gives the value that it holds.
"""
import json
import random
import sys

import tokenizers

SEED = 20150909
ODD = ["0", "-0", "-0.0", "0e5", "7", "-12", "1E3", "1e+2", "-2.5e-3", "18446744073709551615", "18446744073709551616",
       "18446744073709551619.5", "-123456789012345678901234567890", "123456789012345678901234.56789e-20",
       "-0.12345678901234567890123456789", "1.7976931348623157e308", "-2.2250738585072014e-308", "4.9e-324",
       "1234567890123456789e-330", "1e-400", "-3.25e-2147483649", "0.1e-307", "99999999999999999999.9e10"]


def numbers():
    rng = random.Random(SEED)
    scores = [repr(-rng.uniform(0.5, 20)) for _ in range(120)]
    scores += ["%s%d.%de%d" % (rng.choice(["", "-"]), rng.randrange(10 ** rng.randint(1, 22)),
                               rng.randrange(10 ** rng.randint(1, 22)), rng.randint(-300, 260)) for _ in range(60)]
    return scores + ODD


def main():
    texts = numbers()
    vocab = ",".join('["t%d",%s]' % (i, text) for i, text in enumerate(texts))
    tok = tokenizers.Tokenizer.from_str(
        '{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":null,'
        '"post_processor":null,"decoder":null,"model":{"type":"Unigram","unk_id":0,"vocab":[%s],"byte_fallback":false}}'
        % vocab)
    held = [score for _, score in json.loads(tok.to_str())["model"]["vocab"]]
    pairs = [[text, float(x).hex()] for text, x in zip(texts, held, strict=True)]
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        head = {"written_by": "tests/ref/scores_reference.py", "tokenizers": tokenizers.__version__,
                "python": "%d.%d" % sys.version_info[:2], "seed": SEED}
        rows = ",\n".join(json.dumps(p) for p in pairs)
        print('{%s,\n"scores":[\n%s]}' % (json.dumps(head)[1:-1], rows), file=f)
    print(sum(float(t) != float.fromhex(x) for t, x in pairs), "of", len(pairs), "differ from the nearest double")


main()
