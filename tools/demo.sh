#!/bin/sh
# demo.sh [DIR] - the demo posts through the default recipe: shown on the terminal, and written to DIR
# (build/demo): posts.jsonl, index.html, and one annotated picture a post. Called by `make demo`.
# GMNER is the program (build/gmner); RECIPE another recipe than the default.
set -eu
cd "$(dirname "$0")/.."
gmner=${GMNER:-build/gmner}
dir=${1:-build/demo}

mkdir -p "$dir"
# Pictures of posts that the demo no longer has would stay for ever.
rm -f "$dir"/[0-9][0-9][0-9][0-9][0-9]-*.png
"$gmner" predict demo/posts.jsonl --recipe "${RECIPE:-embedded}" -o "$dir/posts.jsonl" --html "$dir/index.html"
"$gmner" view "$dir/posts.jsonl" --png "$dir"
"$gmner" view "$dir/posts.jsonl"
echo "Page:     $dir/index.html"
echo "Records:  $dir/posts.jsonl"
for picture in "$dir"/*.png; do
    echo "Picture:  $picture"
done
