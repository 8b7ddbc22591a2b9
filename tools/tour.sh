#!/bin/sh
# tour.sh - makes the pictures of docs/tour.md anew: the demo posts through `gmner predict`, and the page of
# `gmner serve` in headless Chromium. Needs what `tools/setup.sh tests` gets. GMNER is the program (build/gmner).
set -eu
cd "$(dirname "$0")/.."
gmner=${GMNER:-build/gmner}
dir=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$dir"' EXIT
server=

"$gmner" predict demo/posts.jsonl -o "$dir/posts.jsonl"
"$gmner" serve --recipe embedded,tag --listen 127.0.0.1:0 --data "$dir/kept" --browse "$dir/posts.jsonl" 2>"$dir/log" &
server=$!
until grep -q "listening on" "$dir/log"; do sleep 0.2; done
url=$(sed -n 's/.*listening on //p' "$dir/log")
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
GMNER_HOME=$PWD GM_BROWSER=$browser HOME=$dir node tests/e2e/page_steps.mjs tour_pictures "$url" docs/pictures
ls -l docs/pictures
