#!/bin/sh
# Build the images of the examples: build-example-images.sh [docker|podman]   (default: what answers, Docker first)
# Their base is python:3.12-slim where a registry can be reached, else made here (see build-base-image.sh); BASE=… names another.
set -eu
cd "$(dirname "$0")/.."
fail() { echo "build-example-images: $*" >&2; exit 1; }

engine=${1:-}
if [ -z "$engine" ]; then
    if docker info >/dev/null 2>&1; then engine=docker
    elif podman info >/dev/null 2>&1; then engine=podman
    else fail "no container engine (install docker.io or podman)"; fi
fi

base=$(scripts/build-base-image.sh "$engine")
said=$(mktemp)
trap 'rm -f "$said"' EXIT
build() { # image directory
    echo "building $1 from $base"
    case $engine in
    docker)
        # The builder that Docker's own client falls back to where buildx is not installed, with a warning we need not see.
        kit=1
        docker buildx version >/dev/null 2>&1 || kit=0
        DOCKER_BUILDKIT=$kit docker build --quiet --build-arg "BASE=$base" --tag "$1" "$2" >"$said" 2>&1
        ;;
    podman)
        if [ -n "${CONTAINER_HOST:-}" ]; then
            podman --url "$CONTAINER_HOST" build --quiet --build-arg "BASE=$base" --tag "$1" "$2" >"$said" 2>&1
        else
            podman build --quiet --build-arg "BASE=$base" --tag "$1" "$2" >"$said" 2>&1
        fi
        ;;
    *) fail "there is no container engine '$engine'; docker or podman" ;;
    esac || { cat "$said" >&2; fail "$1 could not be built"; }
}

build dicom-tools:latest examples/kaapana/dicom-tools
build org/trivet/examples/count_nuclei:1.0.0 examples/cytomine/count-nuclei
