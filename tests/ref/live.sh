# What the live comparisons (*_live.sh) begin with: `. "$(dirname "$0")/live.sh"`. It sets $here, $root and $python.
#
#   skip REASON            ends the script with 77 and the reason on stderr
#   needs PATH [WHY]       skips where there is no such file or folder
#   reference [--peft …]   makes the reference environment, whose interpreter $python is, or skips
# shellcheck shell=sh disable=SC2034 # the variables are the scripts'
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=$root/.deps/venv/bin/python
skip() {
    echo "skipped: $*" >&2
    exit 77
}
needs() { [ -e "$1" ] || skip "no $1${2:+ $2}"; }
reference() { "$root/tools/reference_env.sh" "$@" || exit $?; }
