#!/bin/sh
# Vocabularies without tokenizer.json beside the classes of transformers that read them, on made-up texts and, where
# they are at hand, the shared tweets; then COMPARE (test_tokenizer) on the results:
#
#   layouts_live.sh WORK_DIR COMPARE
#
# Exit: COMPARE's; 77 (skipped, the reason on stderr) without the reference environment.
. "$(dirname "$0")/live.sh"
work=$1
compare=$2
shift 2
reference
mkdir -p "$work"
tweets=$root/../shared/data/tweets-with-images/posts.jsonl
[ -f "$tweets" ] && set -- "$@" "$tweets"
"$python" "$here/layouts_reference.py" "$work" "$@"
exec "$compare" "$work"/*.jsonl
