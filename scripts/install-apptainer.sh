#!/bin/sh
# Have Apptainer, for tests: from the system's own packages where they have it, else, on Debian as root, from Debian
# unstable: its package as files, with a C library of its own beside it, since it is made for a newer one than a stable
# Debian has. Nothing else of unstable gets on this machine. Safe to call again; exit code 1 says that it can't be had.
set -u
fail() { echo "install-apptainer: $*" >&2; exit 1; }

# A root without all of root's rights (in a container or a small VM) can't give them to others, and where no systemd runs,
# nobody makes control groups: with its defaults Apptainer then starts nothing.
fit() {
    config=/etc/apptainer/apptainer.conf
    [ "$(id -u)" = 0 ] && [ -f $config ] || return 0
    [ -d /run/systemd/system ] || sed -i 's/^systemd cgroups *=.*/systemd cgroups = no/' $config
    resource=24 # the right that root lacks there: CAP_SYS_RESOURCE
    rights=0x$(sed -n 's/^CapPrm:[[:space:]]*//p' /proc/self/status)
    [ $((rights >> resource & 1)) = 1 ] ||
        sed -i 's/^root default capabilities *=.*/root default capabilities = no/' $config
    for file in /etc/subuid /etc/subgid; do grep -q '^root:' $file 2>/dev/null || echo 'root:1000000:65536' >>$file; done
    # Who is not root mounts images through FUSE.
    [ ! -e /dev/fuse ] || chmod 666 /dev/fuse
}

if command -v apptainer >/dev/null 2>&1 && apptainer --version; then fit; exit 0; fi
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || fail "only root on Debian or Ubuntu can install it here"
export DEBIAN_FRONTEND=noninteractive
quiet="-q -o DPkg::Lock::Timeout=300"
apt-get -q update >/dev/null 2>&1
# shellcheck disable=SC2086
apt-get $quiet install -y --no-install-recommends apptainer >/dev/null 2>&1
if command -v apptainer >/dev/null 2>&1 && apptainer --version; then fit; exit 0; fi

[ "$(dpkg --print-architecture)" = amd64 ] || fail "no package for $(dpkg --print-architecture)"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f $keys ] || fail "no keys of Debian's archive ($keys)"
mirror=$(sed -n 's/^URIs: *\([^ ]*\/debian\)\/*$/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
[ -n "$mirror" ] || mirror=$(sed -n 's/^deb \(\[[^]]*\] \)*\([^ ]*\/debian\)\/* .*/\2/p' /etc/apt/sources.list 2>/dev/null | head -n 1)
[ -n "$mirror" ] || fail "no mirror of Debian among apt's sources"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$work/files"
for suite in trixie sid; do echo "deb [signed-by=$keys] $mirror $suite main"; done >"$work/sources.list"
apart="-o Dir::Etc::SourceList=$work/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$work/lists
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root -o Acquire::Languages=none"
# shellcheck disable=SC2086
{
    apt-get -q $apart update >"$work/log" 2>&1 || fail "Debian unstable can't be read: $(tail -n 1 "$work/log")"
    (cd "$work/files" && apt-get -q $apart download apptainer libc6/trixie >"$work/log" 2>&1) ||
        fail "the packages can't be had: $(tail -n 1 "$work/log")"
    apt-get $quiet install -y --no-install-recommends patchelf squashfs-tools squashfuse fuse3 uidmap libseccomp2 \
        libsqlite3-0 fuse2fs fuse-overlayfs >"$work/log" 2>&1 || fail "apt-get: $(tail -n 1 "$work/log")"
}
dpkg -x "$work"/files/libc6_*.deb "$work/libc" && dpkg -x "$work"/files/apptainer_*.deb "$work/app" || fail "dpkg"

library=/opt/apptainer-libc
mkdir -p $library
find "$work/libc" -name '*.so*' -path '*x86_64-linux-gnu/*' -exec cp -a {} $library/ \;
[ -e $library/ld-linux-x86-64.so.2 ] || cp -aL "$work/libc/usr/lib64/ld-linux-x86-64.so.2" $library/ || fail "no loader"
cp -a "$work/app/etc/apptainer" /etc/
cp -a "$work"/app/usr/bin/. /usr/bin/
cp -a "$work/app/usr/lib/x86_64-linux-gnu/apptainer" /usr/lib/x86_64-linux-gnu/
[ ! -d "$work/app/usr/libexec" ] || cp -a "$work"/app/usr/libexec/. /usr/libexec/
[ ! -d "$work/app/var" ] || cp -a "$work"/app/var/. /var/
find /usr/bin/apptainer /usr/lib/x86_64-linux-gnu/apptainer -type f -perm /111 | while read -r program; do
    patchelf --print-interpreter "$program" >/dev/null 2>&1 || continue # a script, or linked statically
    patchelf --set-interpreter $library/ld-linux-x86-64.so.2 \
        --set-rpath $library:/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu "$program" || fail "$program"
done
fit
apptainer --version || fail "what was installed does not run"
