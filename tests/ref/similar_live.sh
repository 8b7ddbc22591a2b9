#!/bin/sh
# gmner similar beside transformers, Pillow and NumPy with whole matrices, on made-up posts:
#
#   similar_live.sh GMNER MINILM_DIR WORK_DIR
#
# Exit: 0 equal, 1 not, 77 (skipped, the reason on stderr) without PyTorch or the model.
. "$(dirname "$0")/live.sh"
needs "$2/model.safetensors"
reference
exec "$python" "$here/similar_reference.py" "$@"
