#!/usr/bin/env python3
"""The usual way to serve a tagger: FastAPI on uvicorn (uvloop, httptools) with the PyTorch tagger of peer_predict.py
(random head), and a queue that makes batches of the requests that wait, as gmner serve does.

    peer_serve.py --model DIR --port N [--threads T] [--precision f32|bf16]

POST /v1/predict {"id", "tokens"} -> {"id", "tokens", "entities"}. Says "ready" when it listens."""
import argparse
import asyncio
import contextlib

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

import peer_model as pm

BATCH = 32


class Post(BaseModel):
    id: str
    tokens: list[str]


def tag(model, tokenizer, posts, precision):
    encoded = pm.encode_posts(tokenizer, [(p.tokens, [0] * len(p.tokens)) for p in posts])
    paths = pm.predict(model, encoded, BATCH, precision)
    return [{"id": p.id, "tokens": p.tokens,
             "entities": [{"start": s, "end": e, "type": t} for s, e, t in sorted(pm.spans(path))]}
            for p, path in zip(posts, paths)]


async def work(queue, model, tokenizer, precision):
    """Batches of what waits, in a thread, so that requests are read meanwhile."""
    while True:
        batch = [await queue.get()]
        while len(batch) < BATCH and not queue.empty():
            batch.append(queue.get_nowait())
        records = await asyncio.to_thread(tag, model, tokenizer, [p for p, _ in batch], precision)
        for (_, future), record in zip(batch, records):
            if not future.done():
                future.set_result(record)


def app_of(args):
    queue = asyncio.Queue()
    model, tokenizer = pm.Tagger(args.model).eval(), pm.load_tokenizer(args.model)

    @contextlib.asynccontextmanager
    async def life(_):
        task = asyncio.create_task(work(queue, model, tokenizer, args.precision))
        print("ready", flush=True)
        yield
        task.cancel()

    app = FastAPI(lifespan=life)

    @app.post("/v1/predict")
    async def predict(post: Post):
        future = asyncio.get_running_loop().create_future()
        await queue.put((post, future))
        return await future

    return app


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    uvicorn.run(app_of(args), host="127.0.0.1", port=args.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
