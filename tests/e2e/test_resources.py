"""What the program takes: memory that depends on neither the number of posts nor the longest one, and
no vision runtime for text alone. Peaks are the kernel's (getrusage), bounds are generous."""
import glob
import json
import math
import os
import struct
import subprocess
import tempfile

import gm
import tiny_model

MB = 1 << 20
# Above twice the weights: libraries, code made at run time, and the activations of a batch
# (4,096 word pieces of 384 numbers and a feed-forward layer of 1,536).
WORKSPACE = 96 * MB
DEFAULT = os.path.join(gm.HOME, "models", "ner-default")
PHOTO = os.path.join(gm.HOME, ".deps", "photos", "grace_hopper.jpg")
_dir = tempfile.TemporaryDirectory(prefix="gm-e2e-resources-")


def peak(*args):
    """Bytes that the program had in memory at its largest."""
    if gm.is_sanitized():
        raise gm.Skip("AddressSanitizer keeps what is freed")
    with tempfile.TemporaryFile() as err:
        p = subprocess.Popen([gm.PROGRAM, *map(str, args)], stdout=subprocess.DEVNULL, stderr=err)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        assert p.returncode == 0, err.read()[-2000:]
    return usage.ru_maxrss * 1024


def posts(d, n, words="Grace Hopper visits the Navy Yard in New York with Bill Gates today"):
    return d.write(f"{n}.jsonl", "".join(
        json.dumps({"id": str(i), "tokens": words.split()}) + "\n" for i in range(n)))


def weights(folder):
    """Bytes of a model's weights as f32, those included that it maps from its base."""
    with open(os.path.join(folder, "gmner.json"), encoding="utf-8") as f:
        base = json.load(f).get("base", {}).get("model")
    paths = [os.path.join(folder, "model.safetensors")]
    if base:
        paths.append(os.path.join(gm.HOME, ".deps", "models", base, "model.safetensors"))
    sizes = {}
    for path in paths:
        if not os.path.exists(path):
            raise gm.Skip(f"no {path}")
        with open(path, "rb") as f:
            header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        for name, tensor in header.items():
            if name != "__metadata__":
                sizes.setdefault(name, math.prod(tensor["shape"]) * 4)
    return sum(sizes.values())


def test_prediction_takes_less_than_twice_the_weights():
    most = 2 * weights(DEFAULT) + WORKSPACE
    with gm.Folder() as d:
        for precision in ("auto", "f32"):
            got = peak("predict", posts(d, 600), "--recipe", "tag", "--precision", precision,
                       "-o", d / "out.jsonl")
            print(f"{precision}: {got // MB} MB, bound {most // MB} MB")
            assert got < most, (precision, got, most)


def tiny_tagger():
    """The directory of a tagger on a tiny encoder; made once."""
    path = os.path.join(_dir.name, "model")
    if not os.path.isdir(path):
        encoder, data = os.path.join(_dir.name, "encoder"), os.path.join(_dir.name, "train.txt")
        tiny_model.write(encoder)
        with open(data, "w", encoding="utf-8") as f:
            f.write("IMGID:1\nAnna\tB-PER\nlives\tO\nin\tO\nParis\tB-LOC\n\n" * 20)
        gm.expect_ok(gm.run("train", "--train", data, "--encoder", encoder, "-o", path,
                            "--epochs", "1", "--precision", "f32"))
    return path


def test_prediction_is_flat():
    """Forty times the posts: 200 bytes a post that stay would be 8 MB more."""
    with gm.Folder() as d:
        few, many = (peak("predict", posts(d, n, "Anna lives in Paris"), "--recipe", "tag",
                          "--tagger", tiny_tagger(), "-o", d / "out.jsonl") for n in (1000, 40000))
    print(f"1,000 posts {few / MB:.1f} MB, 40,000 posts {many / MB:.1f} MB")
    assert many < few + 8 * MB, (few, many)


def test_training_is_bounded_by_batch_tokens():
    """One post of 20,000 words takes what the same words take as posts of ten. Without the bound it
    would take more: the last run shows that the measure sees it."""
    row = "Anna\tB-PER\n" + "visits\tO\n" * 9
    short, long = f"IMGID:1\n{row}\n" * 2000, f"IMGID:1\n{row * 2000}\n"
    got = {}
    tiny_tagger()
    with gm.Folder() as d:
        for name, text, tokens in (("short", short, 256), ("long", long, 256),
                                   ("unbounded", long, 1 << 20)):
            data = d.write("train.txt", text)
            got[name] = peak("train", "--train", data, "--dev", data, "--encoder",
                             os.path.join(_dir.name, "encoder"), "-o", d / name, "--epochs", "1",
                             "--batch-posts", 4096, "--batch-tokens", tokens, "--precision", "f32")
    print({k: f"{v / MB:.1f} MB" for k, v in got.items()})
    assert got["long"] < got["short"] + 12 * MB, got
    assert got["unbounded"] > got["long"] + 12 * MB, got


def libraries(d, *args):
    """The names of the shared libraries that a run of the program opened, by the dynamic linker."""
    log = d / "ld"
    gm.expect_ok(gm.run("predict", *args, env={"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": log}))
    names = set()
    for path in glob.glob(log + ".*"):
        with open(path, encoding="utf-8", errors="replace") as f:
            names |= {line.split("file=")[1].split()[0] for line in f if "file=" in line}
        os.unlink(path)
    return {os.path.basename(n) for n in names}


def test_text_loads_no_vision_runtime():
    text = ("--text", "Grace Hopper visits Paris")
    if not os.path.exists(PHOTO):
        raise gm.Skip(f"no {PHOTO}")
    weights(DEFAULT)
    with gm.Folder() as d:
        alone, pictured = libraries(d, *text), libraries(d, *text, "--image", PHOTO)
    assert any("libdnnl" in n for n in alone), alone
    assert any("openvino" in n for n in pictured), pictured
    for word in ("openvino", "libtbb"):
        assert not any(word in n for n in alone), alone


gm.main(globals())
