#!/bin/sh
# SAM beside transformers, random models in every layout, on photos:
#
#   sam_live.sh TEST_SAM_LIVE GMNER PHOTO_DIR WORK_DIR
#
# Exit: 0 equal (sam_reference.py says how far), 1 not, 77 (skipped, the reason on stderr) without the photos or
# PyTorch.
. "$(dirname "$0")/live.sh"
needs "$3" "beside the checkout: research data that set-up cannot get"
reference
exec "$python" "$here/sam_reference.py" "$@"
