#!/usr/bin/env python3
"""Measures vision models beside PyTorch on the same weights, pictures and threads, in turn.

Use: bench/run.sh vision [KIND...] [--photos DIR] [--n 32] [--rounds 3] [--threads 1] [--peer-python P]

From a picture's file to the model's result: decoding, resizing, the model. CPU seconds a picture, of all threads
together (on a machine that does other work, wall times say little), without loading and the first picture; the
median of the rounds with least and most. Each ratio is the faster of PyTorch's two precisions over gmner's line.
The models have the published shapes and random weights: tests/ref/vision_models.py makes them, once, in
build/bench/vision. Before anything is timed, f32 results of both sides are compared.
"""
import argparse
import array
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, "build", "bench", "vision")
ASKED = ["a man in a dark suit", "the logo of a football club", "women singing on a stage"]

# kind: (what it is, the model's file in its folder for bench_vision, pictures in PyTorch's batch, how far f32
# results may be apart)
MODELS = {
    "clip": ("CLIP ViT-B/32", "vision_model.onnx", 16, 1e-3),
    "owlvit": ("OWL-ViT B/32, 768 x 768, three phrases", "", 1, 1e-3),
    "sam": ("SAM ViT-B, 1024 x 1024, one box", "vision_encoder.onnx", 1, 2e-2),
}


def run(command, threads):
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": str(threads), "GMNER_HOME": ROOT})
    if done.returncode:
        raise SystemExit("bench: %s failed: %s" % (command[0], done.stderr.strip()[-2000:]))
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None


def pictures(args):
    folder = args.photos if os.path.isdir(args.photos) else os.path.join(ROOT, ".deps", "photos")
    names = sorted(n for n in os.listdir(folder) if n.endswith((".jpg", ".png")))
    names = names[::max(1, len(names) // args.n)]
    paths = [os.path.abspath(os.path.join(folder, names[i % len(names)])) for i in range(args.n)]
    return write("pictures", paths)


def write(name, lines):
    path = os.path.join(WORK, name)
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(line + "\n" for line in lines)
    return path


def side(args, kind, who, precision, listed, asked):
    """The command of one side and the file of its results."""
    folder, out = os.path.join(WORK, kind), os.path.join(WORK, f"{kind}-{who}-{precision}")
    _, file, batch, _ = MODELS[kind]
    if who == "gmner":
        return [args.bench, kind, os.path.join(folder, file), listed, str(args.threads), precision, out, asked], out
    return [args.peer_python, "-W", "ignore", os.path.join(ROOT, "bench", "peer_vision.py"), kind, folder, listed,
            str(args.threads), precision, str(batch), out, asked], out


def floats(path):
    with open(path, "rb") as f:
        return array.array("f", f.read())


def measure(args, kind, listed, asked):
    folder = os.path.join(WORK, kind)
    if not os.path.exists(os.path.join(folder, "made")):
        run([args.peer_python, os.path.join(ROOT, "tests", "ref", "vision_models.py"), kind, folder, "full"], 2)
    sides = [(who, precision) for who in ("gmner", "torch") for precision in ("f32", "bf16")]
    seen = {s: [] for s in sides}
    for n in range(args.rounds):
        for who, precision in sides:
            command, out = side(args, kind, who, precision, listed, asked)
            seen[who, precision].append(run(command, args.threads))
        if n == 0:
            a, b = (floats(side(args, kind, who, "f32", listed, asked)[1]) for who in ("gmner", "torch"))
            worst = max(abs(x - y) for x, y in zip(a, b))
            if len(a) != len(b) or worst > MODELS[kind][3]:
                raise SystemExit(f"bench: {kind}: results differ by {worst:g} ({len(a)} and {len(b)} numbers)")
    return {s: {k: sorted(r[k] / r["pictures"] for r in rs) for k in ("cpu_s", "wall_s")} for s, rs in seen.items()}, worst


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("kinds", nargs="*", metavar="KIND", help="of " + ", ".join(MODELS))
    p.add_argument("--bench", default=os.path.join(ROOT, "build", "tests", "bench_vision"))
    p.add_argument("--photos", default=os.path.join(ROOT, "..", "shared", "data", "tweets-with-images", "images"))
    p.add_argument("--n", type=int, default=32)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--peer-python", default=sys.executable)
    args = p.parse_args()
    os.makedirs(WORK, exist_ok=True)
    listed, asked = pictures(args), write("asked", ASKED)
    print(f"{args.n} pictures, {args.rounds} rounds, {args.threads} thread(s); CPU seconds a picture, median (least to most)")
    for kind in args.kinds or MODELS:
        found, worst = measure(args, kind, listed, asked)
        median = {s: statistics.median(f["cpu_s"]) for s, f in found.items()}
        peer = min(median["torch", "f32"], median["torch", "bf16"])
        print(f"{MODELS[kind][0]}; f32 results at most {worst:.1e} apart")
        for (who, precision), f in found.items():
            ratio = f", {peer / median[who, precision]:.2f} times PyTorch's better one, " \
                    f"{median['torch', precision] / median[who, precision]:.2f} times its {precision}"
            print(f"  {who:5} {precision:4} {median[who, precision]:.4f} ({f['cpu_s'][0]:.4f} to {f['cpu_s'][-1]:.4f}), "
                  f"wall {statistics.median(f['wall_s']):.4f}{ratio if who == 'gmner' else ''}", flush=True)


if __name__ == "__main__":
    main()
