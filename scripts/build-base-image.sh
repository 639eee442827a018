#!/bin/sh
# Have a base image for the examples, and print its name: build-base-image.sh [docker|podman]
#   BASE          use this one
#   else          python:3.12-slim, when it is there or its registry can be reached
#   otherwise     trivet/base-python:VERSION, made from this machine's own Python (never publish it: it holds this machine's
#                 certificates)
set -eu
cd "$(dirname "$0")/.."
engine=${1:-docker}
wanted=python:3.12-slim

fail() { echo "build-base-image: $*" >&2; exit 1; }
call() {
    if [ "$engine" = podman ] && [ -n "${CONTAINER_HOST:-}" ]; then podman --url "$CONTAINER_HOST" "$@"; else "$engine" "$@"; fi
}
has() { call image inspect "$1" >/dev/null 2>&1; }

if [ -n "${BASE:-}" ]; then echo "$BASE"; exit 0; fi
if has "$wanted"; then echo "$wanted"; exit 0; fi

python=python3
[ ! -x .venv/bin/python ] || python=.venv/bin/python
made=trivet/base-python:$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$engine" = docker ] || made=localhost/$made
if has "$made"; then echo "$made"; exit 0; fi
if timeout 300 "$engine" pull -q "$wanted" >/dev/null 2>&1; then echo "$wanted"; exit 0; fi

[ "$(uname -s)" = Linux ] || fail "no registry can be reached, and only Linux can lend its Python to an image; set BASE"
echo "no registry can be reached: making $made from this machine's Python" >&2
if ! command -v busybox >/dev/null; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "busybox is needed for a shell; install busybox-static"
    apt-get -q update >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends busybox-static \
        >/dev/null || fail "apt-get could not install busybox-static"
fi
tar=$(mktemp)
trap 'rm -f "$tar"' EXIT
"$python" scripts/base_image.py >"$tar"
call import \
    --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' \
    --change 'ENV LD_LIBRARY_PATH=/usr/local/lib' \
    --change 'ENV PYTHONHOME=/usr/local' \
    --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
    --change 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
    --change 'ENV PIP_ROOT_USER_ACTION=ignore' \
    --change 'ENV PIP_DISABLE_PIP_VERSION_CHECK=1' \
    --change 'CMD ["python3"]' \
    "$tar" "$made" >/dev/null
echo "$made"
