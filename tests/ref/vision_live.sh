#!/bin/sh
# Vision models beside transformers, on small random ones:
#
#   vision_live.sh BENCH_VISION GMNER WORK_DIR [KIND...]
#
# Exit: 0 equal, 1 not, 77 (skipped, the reason on stderr) without PyTorch.
. "$(dirname "$0")/live.sh"
reference --bench
exec "$python" -W ignore "$here/vision_reference.py" "$@"
