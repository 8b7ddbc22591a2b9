#!/bin/sh
# make bench-llm: what the client adds to a server's own time. The stage expand (text) and the stage
# look (a picture a post) against the scripted server with 200 ms and 64 slots, and beside it the
# usual script: one request at a time, the whole result file written again after each post.
# Usage: bench/llm.sh [BUILD_DIR]
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
export GMNER_HOME="$PWD"
cmake --build "$build" --target bench_llm scripted_server >/dev/null
tmp=$(mktemp -d)
trap 'exec 9>&-; rm -rf "$tmp"' EXIT

# serve LATENCY_MS: a server that lives until descriptor 9 is closed; its URL in $url
serve() {
    rm -f "$tmp/in" && mkfifo "$tmp/in" && : >"$tmp/port"
    "$build/tests/scripted_server" --latency-ms "$1" --slots 64 <"$tmp/in" >"$tmp/port" &
    exec 9>"$tmp/in"
    until [ -s "$tmp/port" ]; do sleep 0.05; done
    url=http://127.0.0.1:$(cat "$tmp/port")/v1
}

serve 200
echo "expand, 5000 posts, 64 in flight (ideal: 5000 / 64 x 0.2 s = 15.625 s)"
"$build/tests/bench_llm" "$url" 5000 64
if [ -f .deps/photos/grace_hopper.jpg ]; then
    echo "look, 640 posts with a photo of 512 x 600, 64 in flight (ideal: 2 s)"
    "$build/tests/bench_llm" "$url" 640 64 .deps/photos/grace_hopper.jpg
fi
exec 9>&-
serve 0
echo "the usual script, server without latency; 0.2 s a post come on top (100 s, 200 s, 400 s)"
for n in 500 1000 2000; do python3 bench/peer_llm.py "$url" "$n" "$tmp/out.json"; done
