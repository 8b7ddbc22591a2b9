#!/bin/sh
# make bench: gmner's speed beside PyTorch's on the same work, in the same run. See bench/run.py
# for the options (--quick, --threads N, --only LINE, ...). Where PyTorch can't be had, gmner's
# figures are still measured, and the peers' are said to be left out.
# bench/run.sh eval: gmner eval instead, beside the field's quadratic scan; see bench/eval_speed.py.
# bench/run.sh similar: gmner similar, beside sentence-transformers and NumPy; see bench/similar.py.
# bench/run.sh text: the stage read beside RapidOCR; see bench/text.py.
# bench/run.sh vision: CLIP and other vision models beside PyTorch on the same weights; see bench/vision.py.
# bench/run.sh serve: gmner serve beside gmner predict, and beside FastAPI with PyTorch; see bench/serve.py.
# bench/run.sh things: masks of things beside rembg; see bench/things.py.
# bench/run.sh uncertainty MODEL DEV: measures of uncertainty; see bench/uncertainty.py.
# BENCH_PEERS=no leaves the peers out wherever gmner can be measured without.
set -eu
cd "$(dirname "$0")/.."
peers() { [ "${BENCH_PEERS:-}" != no ] && tools/reference_env.sh "$@"; }
command -v python3 >/dev/null || { echo "bench: no python3, which drives the benchmarks" >&2; exit 1; }
if [ "${1:-}" = eval ]; then
    shift
    exec python3 bench/eval_speed.py "$@"
fi
if [ "${1:-}" = uncertainty ]; then
    shift
    cmake --build build --target gmner bench_emissions >/dev/null
    exec python3 bench/uncertainty.py "$@"
fi
if [ "${1:-}" = text ]; then
    shift
    if peers --ocr; then
        set -- --peer-python .deps/venv/bin/python "$@"
    fi
    cmake --build build --target gmner >/dev/null
    exec python3 bench/text.py "$@"
fi
if [ "${1:-}" = vision ]; then
    shift
    tools/reference_env.sh --bench || exit $?
    cmake --build build --target bench_vision >/dev/null
    exec python3 bench/vision.py --peer-python .deps/venv/bin/python "$@"
fi
if [ "${1:-}" = things ]; then
    shift
    tools/reference_env.sh --rembg || exit $?
    cmake --build build --target gmner >/dev/null
    exec python3 bench/things.py --peer-python .deps/venv/bin/python "$@"
fi
if [ "${1:-}" = serve ]; then
    shift
    command -v wrk >/dev/null || { echo "bench: no wrk, which makes the load (Debian: wrk)" >&2; exit 1; }
    if peers --serve; then
        set -- --peer-python .deps/venv/bin/python "$@"
    fi
    cmake --build build --target gmner >/dev/null
    exec python3 bench/serve.py "$@"
fi
similar=
if [ "${1:-}" = similar ]; then
    shift
    similar=yes
fi
if peers --bench --peft; then
    set -- --peer-python .deps/venv/bin/python "$@"
fi
if [ -n "$similar" ]; then
    cmake --build build --target gmner bench_similar >/dev/null
    exec python3 bench/similar.py "$@"
fi
cmake --build build --target bench_products >/dev/null
exec python3 bench/run.py "$@"
