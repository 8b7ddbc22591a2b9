#!/usr/bin/env python3
"""Prediction in PyTorch, ONNX Runtime or OpenVINO: the same tagger (random head) over a file.

Prints one JSON line. A run reads the file, tokenizes, runs posts of like length in batches,
decodes with Viterbi and writes one JSON line a post, as gmner does; imports, loading of the model
and a first run over some posts are not timed. `encoder_posts_per_s` is the encoder's part alone.
ONNX Runtime runs f32 (its CPU provider has no bf16 kernels for this graph) or dynamic int8; OpenVINO
takes its precision as a hint.
"""
import argparse
import json
import os
import tempfile
import time
import warnings

import torch

import peer_model as pm

MAX_PIECES = 256


class EncoderOnly(torch.nn.Module):
    """ids, mask -> last hidden state, in operators that export to ONNX whatever transformers does
    about masks: plain attention from the encoder's own weights."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.n_heads = encoder.config.num_attention_heads
        self.is_mpnet = encoder.config.model_type == "mpnet"
        if self.is_mpnet:  # its numbers of distances, for as many pieces as a post of the benchmark may have
            x = torch.zeros(1, MAX_PIECES, 1)
            self.register_buffer("distances", encoder.encoder.compute_position_bias(x).detach())

    def forward(self, ids, mask):
        emb, n = self.encoder.embeddings, ids.shape[1]
        first = 2 if self.is_mpnet else 0
        x = emb.word_embeddings(ids) + emb.position_embeddings.weight[first:n + first]
        x = emb.LayerNorm(x if self.is_mpnet else x + emb.token_type_embeddings.weight[0])
        bias = (1.0 - mask.to(x.dtype))[:, None, None, :] * -10000.0
        if self.is_mpnet:
            bias = bias + self.distances[:, :, :n, :n]
        for layer in self.encoder.encoder.layer:
            x = self._layer(layer, x, bias)
        return x

    def _layer(self, layer, x, bias):
        attention = layer.attention.attn if self.is_mpnet else layer.attention.self
        q_of, k_of, v_of, out, norm = ((attention.q, attention.k, attention.v, attention.o, layer.attention.LayerNorm)
                                       if self.is_mpnet else
                                       (attention.query, attention.key, attention.value,
                                        layer.attention.output.dense, layer.attention.output.LayerNorm))

        def heads(linear):
            y = linear(x)
            return y.view(y.shape[0], y.shape[1], self.n_heads, -1).transpose(1, 2)

        q, k, v = heads(q_of), heads(k_of), heads(v_of)
        weights = torch.softmax(q @ k.transpose(2, 3) * q.shape[-1] ** -0.5 + bias, -1)
        context = (weights @ v).transpose(1, 2).reshape(x.shape)
        x = norm(out(context) + x)
        y = torch.nn.functional.gelu(layer.intermediate.dense(x))
        return layer.output.LayerNorm(layer.output.dense(y) + x)


def export_onnx(model, path):
    """The encoder as ONNX, checked against PyTorch on one padded batch."""
    encoder = EncoderOnly(model.encoder).eval()
    ids, mask = torch.randint(1, 1000, (2, 9)), torch.ones(2, 9, dtype=torch.int64)
    mask[1, 5:] = 0
    axes = {0: "batch", 1: "pieces"}
    warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter that needs no more packages
    torch.onnx.export(encoder, (ids, mask), path, input_names=["ids", "mask"],
                      output_names=["hidden"], opset_version=17, dynamo=False,
                      dynamic_axes={"ids": axes, "mask": axes, "hidden": axes})
    want = model.encoder(ids, attention_mask=mask).last_hidden_state
    off = (encoder(ids, mask) - want)[mask.bool()].abs().max().item()
    if off > 1e-4:
        raise SystemExit(f"peer_predict: exported encoder differs from transformers by {off}")


def torch_backend(model, args):
    def run(batch):
        return model.encoder(batch["ids"], attention_mask=batch["mask"]).last_hidden_state
    return run


def onnxruntime_backend(model, args):
    import onnxruntime
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "encoder.onnx")
        export_onnx(model, path)
        if args.precision == "int8":  # activations by batch, weights by output channel
            from onnxruntime.quantization import quantize_dynamic
            plain, path = path, os.path.join(folder, "int8.onnx")
            quantize_dynamic(plain, path, per_channel=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])

    def run(batch):
        return torch.from_numpy(session.run(None, {"ids": batch["ids"].numpy(),
                                                   "mask": batch["mask"].numpy()})[0])
    return run


def openvino_backend(model, args):
    import openvino
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "encoder.onnx")
        export_onnx(model, path)
        compiled = openvino.Core().compile_model(path, "CPU", {
            "INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": {"f32": "f32", "bf16": "bf16"}[args.precision]})
    request = compiled.create_infer_request()

    def run(batch):
        request.infer({"ids": batch["ids"].numpy(), "mask": batch["mask"].numpy()})
        return torch.from_numpy(request.get_output_tensor(0).data.astype("float32"))
    return run


BACKENDS = {"torch": torch_backend, "onnxruntime": onnxruntime_backend,
            "openvino": openvino_backend}
PRECISIONS = {"torch": ("f32", "bf16"), "onnxruntime": ("f32", "int8"), "openvino": ("f32", "bf16")}


def tag(model, encode, encoded, args):
    """Label paths in order, and the seconds spent in the encoder."""
    paths, encoder_s = [None] * len(encoded), 0.0
    for index in pm.by_length(encoded, args.batch):
        batch = pm.collate([encoded[i] for i in index])
        with pm.autocast(args.precision if args.backend == "torch" else "f32"):
            start = time.perf_counter()
            hidden = encode(batch)
            encoder_s += time.perf_counter() - start
            emit = model.emissions_from(hidden, batch)
        for i, path in zip(index, model.crf.viterbi(emit, batch["words"])):
            paths[i] = path
    return paths, encoder_s


def run_file(model, encode, tokenizer, args, limit, out):
    """One whole run; (posts, tokens, seconds, seconds in the encoder, CPU seconds)."""
    start, cpu = time.perf_counter(), time.process_time()
    posts = pm.read_conll(args.posts)[:limit]
    encoded = pm.encode_posts(tokenizer, posts)
    paths, encoder_s = tag(model, encode, encoded, args)
    for (words, _), path in zip(posts, paths):
        entities = [{"start": s, "end": e, "type": t} for s, e, t in sorted(pm.spans(path))]
        out.write(json.dumps({"tokens": words, "entities": entities}) + "\n")
    seconds = time.perf_counter() - start
    return len(posts), sum(len(e.ids) for e in encoded), seconds, encoder_s, time.process_time() - cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="Hugging Face directory of the encoder")
    parser.add_argument("--posts", required=True, help="CoNLL file with IMGID lines")
    parser.add_argument("--backend", choices=list(BACKENDS), default="torch")
    parser.add_argument("--precision", choices=["f32", "bf16", "int8"], default="bf16")
    parser.add_argument("--batch", type=int, default=32, help="posts a batch")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=int, help="only the first posts")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.precision not in PRECISIONS[args.backend]:
        parser.error(f"--backend {args.backend} takes {' and '.join(PRECISIONS[args.backend])}")

    pm.setup(args)
    tokenizer = pm.load_tokenizer(args.model)
    model = pm.Tagger(args.model).eval()
    encode = BACKENDS[args.backend](model, args)
    with torch.inference_mode(), open(os.devnull, "w") as out:
        run_file(model, encode, tokenizer, args, 64, out)
        runs = [run_file(model, encode, tokenizer, args, args.limit, out)
                for _ in range(args.runs)]
    pm.report({"name": "predict", "backend": args.backend,
               "posts_per_s": pm.median([n / s for n, _, s, _, _ in runs]),
               "tokens_per_s": pm.median([t / s for _, t, s, _, _ in runs]),
               "encoder_posts_per_s": pm.median([n / e for n, _, _, e, _ in runs]),
               "encoder_tokens_per_s": pm.median([t / e for _, t, _, e, _ in runs]),
               "posts_per_cpu_s": pm.median([n / c for n, _, _, _, c in runs]),
               "batch": args.batch, **pm.about(args)})


if __name__ == "__main__":
    main()
