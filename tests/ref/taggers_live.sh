#!/bin/sh
# Taggers of others (AutoModelForTokenClassification, random weights, every family) beside transformers:
#
#   taggers_live.sh GMNER BENCH_EMISSIONS WORK_DIR
#
# Exit: 0 equal, 1 not, 77 (skipped, the reason on stderr) without PyTorch.
. "$(dirname "$0")/live.sh"
reference
exec "$python" "$here/taggers_reference.py" "$@"
