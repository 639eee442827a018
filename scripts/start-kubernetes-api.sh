#!/bin/bash
# A real Kubernetes API server (1.20, with etcd) on loopback, without nodes, for tests: prints the line that names its
# configuration,
#   export KUBECONFIG=…      so:  eval "$(scripts/start-kubernetes-api.sh)"
# On Debian 12, as root: etcd is fetched, and the server is compiled from Debian's own source with Debian's Go, once (some
# CPU-minutes, 120 MB to fetch, 2 GB while it compiles). Nothing is installed on the system. Safe to call again;
# `… build` only compiles, `… stop` ends what runs and removes its state, but keeps what was compiled.
#   TRIVET_KUBERNETES   where all of it lives (default /var/tmp/trivet-kubernetes-UID)
set -euo pipefail
home=${TRIVET_KUBERNETES:-/var/tmp/trivet-kubernetes-$(id -u)}
programs=$home/programs state=$home/state
version='1.20.5+really1.20.2-1.1+deb12u1'
upstream='kubernetes_1.20.5+really1.20.2.orig.tar.gz'

fail() { echo "start-kubernetes-api: $*" >&2; exit 1; }

stop() {
    for name in kube-apiserver etcd; do
        [ -f "$state/$name.pid" ] || continue
        pid=$(cat "$state/$name.pid")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null || true
    done
    rm -rf "$state"
}

# Sources of our own, so that the machine's stay as they are.
private_apt() {
    local lists=$home/apt mirror
    command -v apt-get >/dev/null || fail "there is no apt-get: this needs Debian 12"
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' | awk '$2 == "bookworm" { print $1; exit }')
    [ -n "$mirror" ] || fail "no package source of Debian 12 (bookworm) is configured here"
    mkdir -p "$lists"/{etc,state/lists/partial,cache/archives/partial}
    for kind in deb deb-src; do
        echo "$kind [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main"
    done >"$lists/etc/sources.list"
    cat >"$lists/apt.conf" <<CONF
Dir::Etc::sourcelist "$lists/etc/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "$lists/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$lists/cache";
APT::Sandbox::User "root";
CONF
    export APT_CONFIG=$lists/apt.conf
    apt-get -qq update
}

# shellcheck disable=SC2030,SC2031
build() (
    [ ! -x "$programs/kube-apiserver" ] || exit 0
    work=$home/build
    rm -rf "$work"
    mkdir -p "$work"/{debs,go,etcd,source,tmp} "$programs"
    private_apt
    cd "$work/debs"
    apt-get -qq download etcd-server golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev
    apt-get -qq source --download-only "kubernetes=$version"
    for package in golang-*.deb; do dpkg -x "$package" "$work/go"; done
    dpkg -x etcd-server_*.deb "$work/etcd"
    tar xzf "$upstream" -C "$work/source" --strip-components=1
    cd "$work/source"
    # The bundled reflect2 fails at run time with Go 1.18 and later.
    rm -rf vendor/github.com/modern-go/reflect2
    cp -r "$work/go/usr/share/gocode/src/github.com/modern-go/reflect2" vendor/github.com/modern-go/reflect2
    # Its makefiles copy what was built by rsync, which not every machine has.
    mkdir "$work/shims"
    printf '#!/bin/sh\nexec cp -p "$2" "$3"\n' >"$work/shims/rsync"
    chmod +x "$work/shims/rsync"
    cat >"$work/version" <<'VERSION'
KUBE_GIT_COMMIT=faecb196815e248d3ecfb03c680a4507229c2a56
KUBE_GIT_TREE_STATE=clean
KUBE_GIT_VERSION=v1.20.2
KUBE_GIT_MAJOR=1
KUBE_GIT_MINOR=20
VERSION
    mkdir -p .go/src/k8s.io
    ln -s ../../.. .go/src/k8s.io/kubernetes
    export GOROOT=$work/go/usr/lib/go-1.19 GOPATH=$PWD/.go GOCACHE=$work/cache GOTOOLCHAIN=local GOPROXY=off
    export GOFLAGS=-tags=providerless,dockerless GOLDFLAGS='-s -w' CGO_ENABLED=0 HOME=$work/tmp TMPDIR=$work/tmp
    export PATH=$work/shims:$GOROOT/bin:$PATH KUBE_GIT_VERSION_FILE=$work/version
    nice -n 10 make WHAT=cmd/kube-apiserver >"$home/build.log" 2>&1 || { tail -n 20 "$home/build.log" >&2; exit 1; }
    cp "$work/etcd/usr/bin/etcd" "$programs/etcd"
    cp _output/local/bin/linux/*/kube-apiserver "$programs/.kube-apiserver"
    mv "$programs/.kube-apiserver" "$programs/kube-apiserver"
    chmod -R u+w "$work"
    rm -rf "$work" "$home/apt"
)

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

certificate() { # name subject [names it serves]
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" \
        -keyout "$state/$1.key" -out "$state/$1.csr" 2>/dev/null
    printf 'keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n%s\n' "${3:-}" >"$state/$1.ext"
    openssl x509 -req -in "$state/$1.csr" -CA "$state/ca.crt" -CAkey "$state/ca.key" -CAcreateserial -days 30 \
        -extfile "$state/$1.ext" -out "$state/$1.crt" 2>/dev/null
}

ask() { curl -sf --cacert "$state/ca.crt" --cert "$state/admin.crt" --key "$state/admin.key" "$@"; }

start() {
    local api etcd
    mkdir -p "$state"
    chmod 700 "$home" "$state"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=trivet-tests \
        -keyout "$state/ca.key" -out "$state/ca.crt" 2>/dev/null
    openssl genrsa -out "$state/accounts.key" 2048 2>/dev/null
    certificate server /CN=kube-apiserver subjectAltName=IP:127.0.0.1,IP:10.96.0.1
    certificate admin /O=system:masters/CN=admin
    api=$(free_port) etcd=$(free_port)
    setsid "$programs/etcd" --data-dir "$state/etcd" --unsafe-no-fsync --listen-client-urls "http://127.0.0.1:$etcd" \
        --advertise-client-urls "http://127.0.0.1:$etcd" --listen-peer-urls http://127.0.0.1:0 \
        >"$state/etcd.log" 2>&1 </dev/null &
    echo $! >"$state/etcd.pid"
    setsid "$programs/kube-apiserver" --etcd-servers "http://127.0.0.1:$etcd" --bind-address 127.0.0.1 --secure-port "$api" \
        --service-cluster-ip-range 10.96.0.0/24 --client-ca-file "$state/ca.crt" --authorization-mode RBAC \
        --tls-cert-file "$state/server.crt" --tls-private-key-file "$state/server.key" \
        --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$state/accounts.key" \
        --service-account-signing-key-file "$state/accounts.key" >"$state/kube-apiserver.log" 2>&1 </dev/null &
    echo $! >"$state/kube-apiserver.pid"
    for try in $(seq 300); do
        ask -o /dev/null "https://127.0.0.1:$api/readyz" && break
        for name in etcd kube-apiserver; do
            kill -0 "$(cat "$state/$name.pid")" 2>/dev/null || { tail -n 5 "$state/$name.log" >&2; stop; fail "$name ended"; }
        done
        [ "$try" -lt 300 ] || { tail -n 5 "$state/kube-apiserver.log" >&2; stop; fail "the server is not ready after 60 s"; }
        sleep 0.2
    done
    cat >"$state/kubeconfig" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: tests, cluster: {server: "https://127.0.0.1:$api", certificate-authority: $state/ca.crt}}]
users: [{name: admin, user: {client-certificate: $state/admin.crt, client-key: $state/admin.key}}]
contexts: [{name: tests, context: {cluster: tests, user: admin}}]
current-context: tests
CONFIG
}

case "${1:-}" in
    stop) stop; exit 0 ;;
    build) build; exit 0 ;;
    "") ;;
    *) fail "unknown word $1: build, stop, or nothing" ;;
esac
mkdir -p "$home"
build
if ! { [ -f "$state/kubeconfig" ] && kill -0 "$(cat "$state/kube-apiserver.pid")" 2>/dev/null; }; then
    stop
    start
fi
echo "export KUBECONFIG=$state/kubeconfig"
