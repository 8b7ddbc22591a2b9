#!/usr/bin/env python3
"""Measures gmner beside its peers and prints one line a task: ours, the peer's, the ratio.

Both sides do the same work with the same threads. In each round every program runs once, one
after the other, so that a machine that slows down slows all of them; a figure is the median over
the rounds, and a ratio above 1 says that gmner is faster. Everything measured goes to
build/bench/results.json.

Tasks
  train-*    training on posts of train.txt, 32 a batch: word pieces a second, [CLS] and [SEP]
             counted, padding not. The peer batches posts of like length. train-frozen keeps the
             word embeddings as they are; -bf16 and -f32 train them too.
  lora-*     training adapters (LoRA, rank 16, every linear layer) of all-mpnet-base-v2, the peer by peft with
             frozen weights in bf16: word pieces a second, word pieces a second of processor time (for
             machines that do other work, too), and the process's most memory in MB (less is better).
  predict-*  tagging a file, from its reading to the last line written: posts a second, less the
             time to start (of gmner: the start task; the peers take the time themselves).
  share-*    the limit: GFLOP/s of the linear layers' products in the whole of gmner's training or
             prediction, beside what oneDNN reaches with products of these shapes alone
             (bench_products.c). The ratio is the share of that rate.
  vocabulary a step of training with 250,000 words beside one with the encoder's 30,522.
  start      from the start of the process to the entities of one post: seconds.
  images-*   NanoDet over the pictures of a file of posts, from reading the file to the last line
             written: pictures a second, less the time to start. The peer runs the same model file
             through OpenVINO's Python API, PIL decodes; `tuned` is as fast as that API allows.

Only the standard library is used here; --peer-python names an interpreter with PyTorch.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import vocabulary

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, "build", "bench")
POSTS_A_BATCH = 32
LORA_RANK = 16
TOKENS_A_POST = 22.4  # word pieces of Twitter-GMNER's dev posts, [CLS] and [SEP] counted
TEXT = "RT @ HistoryPixs : Angelina Jolie when she was only 16 years old ."


class Missing(Exception):
    """This side can't be measured here; says why."""


def read_conll(path):
    """[[line, ...]] : the lines of each post, its IMGID line first."""
    with open(path, encoding="utf-8", errors="replace") as f:
        return [p.split("\n") for p in f.read().replace("\r", "").strip("\n").split("\n\n")]


def synthetic_posts(encoder, n):
    """Posts of vocabulary words with the lengths of Twitter-GMNER (16 words, 8 to 25 for 90%)."""
    with open(f"{encoder}/tokenizer.json", encoding="utf-8") as f:
        words = [w for w in json.load(f)["model"]["vocab"] if w.isascii() and w.isalpha()]
    rng = random.Random(1)
    posts = []
    for i in range(n):
        length = max(1, min(39, round(rng.gauss(16, 5))))
        posts.append([f"IMGID:{i}"] + [rng.choice(words) + "\tO" for _ in range(length)])
    return posts


def write_posts(args, name, source, n):
    """The posts called `name` that both sides read, the first n of a CoNLL file; their path and count in args."""
    os.makedirs(WORK, exist_ok=True)
    posts = read_conll(source)[:n] if os.path.exists(source) else synthetic_posts(args.encoder, n)
    if not os.path.exists(source):
        print(f"bench: no {source or 'file given'}: made-up posts of tweets' lengths instead", file=sys.stderr)
    path = os.path.join(WORK, name)
    with open(f"{path}.txt", "w", encoding="utf-8") as f:
        f.write("\n\n".join("\n".join(p) for p in posts) + "\n\n")
    with open(f"{path}.jsonl", "w", encoding="utf-8") as f:  # without labels: to be tagged
        for post in posts:
            tokens = [line.rsplit("\t", 1)[0] for line in post[1:]]
            f.write(json.dumps({"id": post[0][6:], "tokens": tokens}) + "\n")
    setattr(args, f"{name}_file", path)
    setattr(args, f"{name}_count", len(posts))


def write_images(args):
    """Posts with the pictures that both sides look at; their path in args."""
    if os.path.exists(args.tweets):
        folder = os.path.dirname(args.tweets)
        with open(args.tweets, encoding="utf-8") as f:
            names = [json.loads(line)["image"] for line in f][:args.n_images]
    else:
        print(f"bench: no {args.tweets}: the demo's photos instead", file=sys.stderr)
        folder = os.path.join(ROOT, ".deps", "photos")
        names = [("china.jpg", "grace_hopper.jpg")[i % 2] for i in range(args.n_images)]
    args.images_file = os.path.join(WORK, "images-in")
    with open(f"{args.images_file}.jsonl", "w", encoding="utf-8") as f:
        for i, name in enumerate(names):
            image = os.path.abspath(os.path.join(folder, name))
            f.write(json.dumps({"id": str(i), "text": TEXT, "image": image}) + "\n")


def run(command, args):
    """(stdout, seconds) of a command on our threads; Missing with its last words if it fails."""
    env = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Missing(f"{os.path.basename(command[0])} failed ({done.returncode}): {words}")
    return done.stdout, seconds


def gmner(args, *rest):
    if not os.access(args.gmner, os.X_OK):
        raise Missing(f"no {args.gmner}")
    return run([args.gmner, *rest, "--threads", str(args.threads)], args)


def peer(args, script, *rest):
    if not args.peer_python:
        raise Missing("no PyTorch here")
    path = os.path.join(ROOT, "bench", script)
    return run([args.peer_python, "-W", "ignore", path, "--model", args.encoder,
                "--threads", str(args.threads), *rest], args)


# -- our side -------------------------------------------------------------------------------------

def our_train(args, precision, frozen=False, encoder=None):
    """tokens_per_s of the second epoch, when caches are warm, as after the peer's first steps."""
    out = os.path.join(WORK, "model")
    config = os.path.join(WORK, "train.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"epochs: 2\nbatch_posts: {POSTS_A_BATCH}\n"
                f"freeze_embeddings: {'true' if frozen else 'false'}\n")
    gmner(args, "train", "--task", "ner", "--train", f"{args.train_file}.txt", "--config", config,
          "--encoder", encoder or args.encoder, "-o", out, "--precision", precision, "--overwrite")
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as f:
        return json.loads(f.read().splitlines()[-1])["tokens_per_s"]


def our_train_frozen(args, precision):
    return our_train(args, precision, frozen=True)


def measured(command, args):
    """(processor seconds, most memory in MB) of a command."""
    env = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            log.seek(0)
            words = log.read().decode(errors="replace").strip().splitlines() or ["no message"]
            raise Missing(f"{os.path.basename(command[0])} failed ({child.returncode}): {words[-1]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def our_lora(args, precision, epochs):
    """(tokens a second of the last epoch, processor seconds, most memory in MB) of a run."""
    out, config = os.path.join(WORK, "lora"), os.path.join(WORK, "lora.yaml")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"epochs: {epochs}\nbatch_posts: {POSTS_A_BATCH}\nlora_rank: {LORA_RANK}\n")
    cpu_s, peak_mb = measured([args.gmner, "train", "--train", f"{args.lora_file}.txt", "--config", config, "--encoder",
                               args.large, "-o", out, "--precision", precision, "--overwrite", "--threads",
                               str(args.threads)], args)
    with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as f:
        return json.loads(f.read().splitlines()[-1])["tokens_per_s"], cpu_s, peak_mb


def our_lora_train(args, precision):
    return our_lora(args, precision, 2)[0]


def our_lora_cpu(args, precision):
    """Of the second epoch: what two take longer than one."""
    one, two = our_lora(args, precision, 1)[1], our_lora(args, precision, 2)[1]
    return TOKENS_A_POST * args.lora_count / (two - one)


def our_lora_memory(args, precision):
    return our_lora(args, precision, 1)[2]


def our_tagger(args, precision):
    return ["--recipe", "tag", "--precision", precision] + (
        ["--tagger", args.tagger] if args.tagger else [])


def our_start(args, precision):
    out, seconds = gmner(args, "predict", "--text", TEXT, *our_tagger(args, precision))
    json.loads(out.splitlines()[0])
    return seconds


def our_predict(args, precision):
    out = os.path.join(WORK, "out.jsonl")
    start_s = our_start(args, precision)
    _, seconds = gmner(args, "predict", f"{args.posts_file}.jsonl", "-o", out,
                       *our_tagger(args, precision))
    with open(out, encoding="utf-8") as f:
        n = sum("entities" in json.loads(line) for line in f)
    if n != args.posts_count:
        raise Missing(f"{n} of {args.posts_count} posts came back tagged")
    return n / (seconds - start_s)


# -- the limit ------------------------------------------------------------------------------------

def encoder_config(args):
    with open(f"{args.encoder}/config.json", encoding="utf-8") as f:
        c = json.load(f)
    return c["num_hidden_layers"], c["hidden_size"], c["intermediate_size"]


def gflop_a_token(args):
    """Of the linear layers' products, forward; backward costs twice that."""
    layers, hidden, inner = encoder_config(args)
    return 2e-9 * layers * (4 * hidden * hidden + 2 * hidden * inner)


def our_train_rate(args, precision):
    return 3 * gflop_a_token(args) * our_train(args, precision)


def our_predict_rate(args, precision):
    return gflop_a_token(args) * TOKENS_A_POST * our_predict(args, precision)


def products_rate(part):
    def measure(args, precision):
        program = os.path.join(os.path.dirname(args.gmner), "tests", "bench_products")
        if not os.access(program, os.X_OK):
            raise Missing(f"no {program}: cmake --build build --target bench_products")
        _, hidden, inner = encoder_config(args)
        rows = round(POSTS_A_BATCH * TOKENS_A_POST)
        out, _ = run([program, str(rows), str(hidden), str(inner), precision, str(args.threads)], args)
        return json.loads(out)[part]
    return measure


def our_wide_train(args, precision):
    return our_train(args, precision,
                     encoder=vocabulary.widen(args.encoder, os.path.join(WORK, "wide"), 250_000))


def our_images(args, precision):
    look = os.path.join(WORK, "look.yaml")
    with open(look, "w", encoding="utf-8") as f:
        f.write("name: look\ndescription: The detector alone.\nstages:\n"
                "  - stage: look\n    backend: detector\n")
    out = os.path.join(WORK, "images.jsonl")
    with open(f"{args.images_file}.jsonl", encoding="utf-8") as f:
        lines = f.readlines()
    with open(f"{args.images_file}-one.jsonl", "w", encoding="utf-8") as f:
        f.write(lines[0])
    rest = ["--recipe", look, "--precision", precision, "-o", out]
    _, start_s = gmner(args, "predict", f"{args.images_file}-one.jsonl", *rest)
    _, seconds = gmner(args, "predict", f"{args.images_file}.jsonl", *rest)
    with open(out, encoding="utf-8") as f:
        n = sum("objects" in json.loads(line) for line in f)
    if n != len(lines):
        raise Missing(f"{n} of {len(lines)} pictures were looked at")
    return (n - 1) / (seconds - start_s)


# -- the peers' -----------------------------------------------------------------------------------

def torch_train(args, precision, *options):
    out, _ = peer(args, "peer_train.py", "--train", f"{args.train_file}.txt", "--precision",
                  precision, "--batch", str(POSTS_A_BATCH), "--bucket",
                  "--steps", str(args.steps), "--windows", "1", *options)
    return json.loads(out)["tokens_per_s"]


def torch_train_frozen(args, precision):
    return torch_train(args, precision, "--freeze-embeddings")


def torch_lora(key):
    def measure(args, precision):
        out, _ = peer(args, "peer_train.py", "--model", args.large, "--train", f"{args.lora_file}.txt", "--precision",
                      precision, "--batch", str(POSTS_A_BATCH), "--bucket", "--lora", str(LORA_RANK), "--base-bf16",
                      "--warmup", "2", "--steps", "3", "--windows", "1")
        return json.loads(out)[key]
    return measure


def torch_start(args, precision):
    return peer(args, "peer_start.py", "--text", TEXT, "--precision", precision)[1]


def predict_peer(backend, its_precision=None):
    def measure(args, precision):
        out, _ = peer(args, "peer_predict.py", "--posts", f"{args.posts_file}.txt", "--precision",
                      its_precision or precision, "--batch", str(POSTS_A_BATCH), "--backend", backend, "--runs", "1")
        return json.loads(out)["posts_per_s"]
    return measure


def images_peer(mode):
    def measure(args, precision):
        model = os.path.join(os.path.dirname(args.encoder), "nanodet", "nanodet.onnx")
        out, _ = peer(args, "peer_images.py", "--model", model, "--mode", mode, "--precision",
                      precision, "--posts", f"{args.images_file}.jsonl")
        return json.loads(out)["images_per_s"]
    return measure


# name, unit, precision, ours, {peer: measure}; a task in seconds or MB is better when smaller
TASKS = [
    ("train-bf16", "tokens/s", "bf16", our_train, {"torch": torch_train}),
    ("train-frozen", "tokens/s", "bf16", our_train_frozen, {"torch": torch_train_frozen}),
    ("train-f32", "tokens/s", "f32", our_train, {"torch": torch_train}),
    ("lora-train", "tokens/s", "bf16", our_lora_train, {"peft": torch_lora("tokens_per_s")}),
    ("lora-cpu", "tokens/s", "bf16", our_lora_cpu, {"peft": torch_lora("tokens_per_cpu_s")}),
    ("lora-memory", "MB", "bf16", our_lora_memory, {"peft": torch_lora("peak_mb")}),
    ("predict-bf16", "posts/s", "bf16", our_predict,
     {"torch": predict_peer("torch"), "openvino": predict_peer("openvino"),
      "onnxruntime f32": predict_peer("onnxruntime", "f32")}),
    ("predict-f32", "posts/s", "f32", our_predict,
     {"torch": predict_peer("torch"), "onnxruntime": predict_peer("onnxruntime")}),
    ("predict-int8", "posts/s", "int8", our_predict, {"onnxruntime": predict_peer("onnxruntime")}),
    ("share-train", "GFLOP/s", "bf16", our_train_rate, {"onednn": products_rate("step")}),
    ("share-predict", "GFLOP/s", "bf16", our_predict_rate, {"onednn": products_rate("forward")}),
    ("vocabulary", "tokens/s", "bf16", our_wide_train, {"30,522": our_train}),
    ("start", "s", "f32", our_start, {"torch": torch_start}),
    ("images-bf16", "images/s", "bf16", our_images,
     {"openvino": images_peer("plain"), "tuned": images_peer("tuned")}),
    ("images-f32", "images/s", "f32", our_images, {"openvino": images_peer("plain")}),
]


def measure_task(task, args):
    """Runs the task's programs in turn, --rounds times; {program: [figure, ...] or the reason}."""
    name, _, precision, ours, peers = task
    programs = {"ours": ours, **peers}
    figures = {p: [] for p in programs}
    for r in range(args.rounds):
        for program, measure in programs.items():
            if isinstance(figures[program], str):
                continue
            progress(f"{name} {program} {r + 1}/{args.rounds}")
            try:
                figures[program].append(measure(args, precision))
            except Missing as e:
                figures[program] = str(e)
    return figures


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def result_line(task, program, figures):
    """{name, unit, ours, peer, ratio, ...}: ours beside one peer."""
    name, unit, _, _, _ = task
    line = {"name": name, "unit": unit, "peer_name": program}
    for side, key in (("ours", "ours"), ("peer", program)):
        runs = figures[key]
        line[side] = None if isinstance(runs, str) else statistics.median(runs)
        line[f"{side}_runs"] = [] if isinstance(runs, str) else runs
        if isinstance(runs, str):
            line[f"{side}_missing"] = runs
    ratio = None
    if line["ours"] and line["peer"]:
        ratio = line["peer"] / line["ours"] if unit in ("s", "MB") else line["ours"] / line["peer"]
    return {**line, "ratio": ratio}


def print_line(line):
    def figure(value):
        return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:,.0f}"
    progress("")
    print(f"{line['name']:13} {line['unit']:9} gmner {figure(line['ours']):>8}   "
          f"{line['peer_name']:15} {figure(line['peer']):>8}   "
          f"ratio {'-' if line['ratio'] is None else format(line['ratio'], '.2f')}", flush=True)
    for side, who in (("ours", "gmner"), ("peer", line["peer_name"])):
        if f"{side}_missing" in line:
            print(f"  {who} left out: {line[f'{side}_missing']}", flush=True)


def machine():
    """The CPU's name and the commit, for the results file."""
    cpu = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            cpu = next((x.split(":", 1)[1].strip() for x in f if x.startswith("model name")), "")
    except OSError:
        pass
    git = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                         capture_output=True, text=True, check=False)
    return {"cpu": cpu, "cores": os.cpu_count(), "commit": git.stdout.strip()}


def parse_args():
    data = os.path.join(ROOT, "..", "shared", "data", "twitter-gmner")
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke test")
    parser.add_argument("--only", action="append", metavar="TASK", help="this task (repeatable)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--gmner", default=os.path.join(ROOT, "build", "gmner"))
    parser.add_argument("--tagger", help="model directory (default: the shipped tagger)")
    parser.add_argument("--encoder", default=os.path.join(
        os.environ.get("GMNER_MODELS", os.path.join(ROOT, ".deps", "models")), "minilm"))
    parser.add_argument("--large", help="encoder of the lora tasks (default: mpnet beside --encoder)")
    parser.add_argument("--train", default=os.path.join(data, "train.txt"))
    parser.add_argument("--posts", default=os.path.join(data, "dev.txt"))
    parser.add_argument("--tweets", default=os.path.join(data, "..", "tweets-with-images",
                                                         "posts.jsonl"))
    parser.add_argument("--peer-python", help="interpreter with PyTorch (bench/run.sh gives it)")
    args = parser.parse_args()
    known = [t[0] for t in TASKS]
    for name in args.only or []:
        if name not in known:
            parser.error(f"no task {name!r}; there are {', '.join(known)}")
    if args.rounds < 1 or args.threads < 1:
        parser.error("--rounds and --threads are at least 1")
    args.n_train, args.n_posts, args.steps = (64, 32, 2) if args.quick else (640, 1500, 17)
    args.n_lora = 32 if args.quick else 192
    args.large = args.large or os.path.join(os.path.dirname(args.encoder), "mpnet")
    args.n_images = 4 if args.quick else 400
    if args.quick:
        args.rounds = 1
    return args


def main():
    args = parse_args()
    for name, source, n in (("train", args.train, args.n_train), ("lora", args.train, args.n_lora),
                            ("posts", args.posts, args.n_posts)):
        write_posts(args, name, source, n)
    write_images(args)
    lines = []
    for task in TASKS:
        if args.only and task[0] not in args.only:
            continue
        figures = measure_task(task, args)
        for program in task[4]:
            lines.append(result_line(task, program, figures))
            print_line(lines[-1])
    path = os.path.join(WORK, "results.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({**machine(), "threads": args.threads, "rounds": args.rounds,
                   "quick": args.quick, "lines": lines}, f, indent=1)
        f.write("\n")
    print(f"{path}: medians of {args.rounds} rounds, {args.threads} threads")


if __name__ == "__main__":
    main()
