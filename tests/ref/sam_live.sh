#!/bin/sh
# SAM beside transformers, random models in every layout, on photos:
#
#   sam_live.sh TEST_SAM_LIVE GMNER PHOTO_DIR WORK_DIR
#
# Exit: 0 equal (sam_reference.py says how far), 1 not, 77 (skipped, the reason on stderr) without the photos or
# PyTorch.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
[ -d "$3" ] || { echo "skipped: no $3 beside the checkout: research data that set-up cannot get" >&2; exit 77; }
"$root/tools/reference_env.sh" || exit $?
exec "$root/.deps/venv/bin/python" "$here/sam_reference.py" "$@"
