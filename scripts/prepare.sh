#!/bin/sh
# Make the private Python environments of this checkout: prepare.sh GROUP...
#
# GROUP is a dependency group of pyproject.toml (demo, test, lint, docs, dev). `.venv` gets Trivet itself, editable, with
# the groups, in the versions of requirements.lock; for demo, test and dev the tasks of examples/fractal get
# `.venv-tiny-tasks`, an environment of their own, and for test and dev public packages of Fractal tasks get
# `.venv-fractal-core`. Nothing is done for what is there already. PYTHON names the interpreter to use (3.11 or later).
set -eu
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or later is needed, and was not found (looked for: ${PYTHON:-} python3 python3.11 … python3.14)." \
        "Install it (Debian 12: apt-get install python3 python3-venv), or name it: make demo PYTHON=/path/to/python3"
}

make_environment() { # directory
    # An environment that was copied, moved or half made does not start its own pip.
    if ! "$1/bin/pip" --version >/dev/null 2>&1; then
        python=$(find_python)
        "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
            fail "$("$python" --version) can't make environments: its module venv is missing." \
                "Install it (Debian: apt-get install python3-venv) and try again."
        echo "making $1 with $("$python" --version)"
        rm -rf "$1"
        "$python" -m venv "$1"
    fi
    # The pip that Python brings may be older than dependency groups.
    "$1/bin/pip" install --help | grep -q -e --group ||
        "$1/bin/python" -m pip install -qq --upgrade 'pip>=25.1' || no_download
}

install() { # directory what pip-arguments...
    directory=$1 what=$2 stamp=$1/.has-$2
    shift 2
    newest=$(ls -t "$stamp" pyproject.toml requirements.lock examples/fractal/tiny-tasks/pyproject.toml \
        compat/*/pyproject.toml 2>/dev/null | head -n 1)
    if [ "$newest" != "$stamp" ]; then
        echo "installing into $directory: $what"
        "$directory/bin/python" -m pip install -qq "$@" || no_download
        touch "$stamp"
    fi
}

install_public_tasks() { # directory requirements
    if ! [ "$1/.has-tasks" -nt "$2" ]; then
        echo "installing into $1: $2"
        # uv takes seconds where pip takes a minute, but does not know pip's configuration.
        .venv/bin/uv pip install --quiet --compile-bytecode --python "$1/bin/python" --requirement "$2" ||
            "$1/bin/python" -m pip install -qq --requirement "$2" || no_download
        touch "$1/.has-tasks"
    fi
}

no_download() {
    fail "pip could not install what is needed; its reason is above." \
        "A package index must be reachable: PyPI, or the one that \`pip config list\` names."
}

make_environment .venv
# Versions only: with the hashes pip would refuse to install what it builds here, Trivet itself.
versions=.venv/versions.txt
sed -n 's/^\([A-Za-z0-9].*==.*\) \\$/\1/p' requirements.lock >"$versions"
for group in "$@"; do
    install .venv "$group" --constraint "$versions" --editable . --group "$group"
    case $group in
    demo)
        make_environment .venv-tiny-tasks
        install .venv-tiny-tasks tiny-tasks --editable examples/fractal/tiny-tasks
        ;;
    test | dev)
        install .venv task-api --no-deps --editable compat/task-api
        install .venv fractal-task-tools --no-deps --editable compat/fractal-task-tools
        make_environment .venv-tiny-tasks
        # The tests have the plates read by ngio, a public reader.
        install .venv-tiny-tasks ngio --editable 'examples/fractal/tiny-tasks[ngio]'
        make_environment .venv-fractal-core
        install_public_tasks .venv-fractal-core examples/fractal/nuclei-plate/requirements.txt
        ;;
    esac
done
