#!/bin/sh
# Run the tests in the environment that prepare.sh made. Words given are handed to pytest.
set -eu
cd "$(dirname "$0")/.."
# Bytecode is kept even where the surroundings forbid it: hundreds of tests start the program anew.
unset PYTHONDONTWRITEBYTECODE
# A home of its own: no test ever sees, or adopts, somebody's runs. Nothing is left behind, however deep it is nested.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TRIVET_HOME="$scratch/home"
.venv/bin/trivet doctor
.venv/bin/python -m pip list --disable-pip-version-check 2>/dev/null | tail -n +3 | awk '{ printf "%s %s  ", $1, $2 } END { print "" }'
.venv/bin/python -m pytest --basetemp="$scratch/pytest" "$@"
