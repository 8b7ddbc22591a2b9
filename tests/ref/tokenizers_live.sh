#!/bin/sh
# The live comparison with the `tokenizers` library: trains larger vocabularies of every kind, one
# with sentencepiece's whole nmt_nfkc map, lets the library encode an adversarial corpus and, where
# they are at hand, the shared tweets, and starts COMPARE (test_tokenizer) on the results:
#
#   tokenizers_live.sh WORK_DIR COMPARE
#
# Exit: COMPARE's; 77 (skipped, the reason on stderr) without the reference environment.
. "$(dirname "$0")/live.sh"
work=$1
compare=$2
shift 2
reference
"$python" -c 'import sentencepiece' 2>/dev/null ||
    skip "the reference environment has no sentencepiece"
mkdir -p "$work"
for file in tweets-with-images/posts.jsonl twitter-gmner/dev.txt; do
    [ -f "$root/../shared/data/$file" ] && set -- "$@" "$root/../shared/data/$file"
done
"$python" "$here/tokenizers_reference.py" live "$work" "$@"
exec "$compare" "$work"/*.jsonl
