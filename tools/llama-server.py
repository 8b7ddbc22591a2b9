#!/usr/bin/env python3
"""llama-server's command line for the llama.cpp server inside of the wheel `xllamacpp`, for tests.

    tools/llama-server.py -m FILE.gguf --host 127.0.0.1 --port N [-np SLOTS] [-c TOKENS] [-t THREADS]
                          [--mmproj FILE.gguf]

`tools/setup.sh tests` unpacks the wheel into .deps/llm. Serves until it gets SIGTERM or SIGINT, or
the process that started it has ended.
"""
import argparse
import os
import signal
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, ".deps", "llm"))

CONTEXT_A_SLOT = 2048  # tokens; the server divides the whole context among its slots


def read_args():
    p = argparse.ArgumentParser(prog="llama-server.py")
    p.add_argument("-m", "--model", required=True)
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=8080)
    p.add_argument("-np", "--parallel", type=int, default=1)
    p.add_argument("-c", "--ctx-size", type=int, default=0)
    p.add_argument("-t", "--threads", type=int, default=0)
    p.add_argument("--mmproj")
    return p.parse_args()


def main():
    args = read_args()
    try:
        import xllamacpp
    except ImportError as e:
        sys.exit("llama-server.py: %s; `tools/setup.sh tests` gets it" % e)
    p = xllamacpp.CommonParams()
    p.model.path = args.model
    p.hostnames = [args.host]
    p.port = args.port
    p.n_parallel = args.parallel
    p.n_ctx = args.ctx_size or CONTEXT_A_SLOT * args.parallel
    if args.threads:
        p.cpuparams.n_threads = args.threads
    if args.mmproj:
        p.mmproj.path = args.mmproj
    stop, parent = threading.Event(), os.getppid()
    for s in (signal.SIGTERM, signal.SIGINT):
        signal.signal(s, lambda *_: stop.set())
    server = xllamacpp.Server(p)
    print("listening on", server.listening_address, file=sys.stderr, flush=True)
    while not stop.wait(1):
        if os.getppid() != parent:
            break
    os._exit(0)  # the server's threads don't all end by themselves


if __name__ == "__main__":
    main()
