#!/bin/bash
# What somebody on a new machine sees: a freshly bootstrapped Debian 12 (minbase, git, ca-certificates) in a folder, in it a
# clone of HEAD, there ./deploy/quickstart.sh --check, and then ./tests/run.sh. Says how long each took. As root.
#
#     tests/fresh.sh [--quickstart-only]
#
# The folder is a new one under /var/tmp, removed at the end.
# APT_MIRROR may name another mirror than the one that this machine uses.

set -eu
cd "$(dirname "$0")/.."

here=$PWD
root=$(mktemp -u /var/tmp/winner-view-fresh-XXXXXX)
command -v debootstrap >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends debootstrap; } >/dev/null

end() {
    for mount in dev/shm dev/pts dev proc sys; do umount -l "$root/$mount" 2>/dev/null || true; done
    rm -rf --one-file-system "$root"
}
trap end EXIT

timed() {
    local name=$1 begin=$SECONDS
    shift
    "$@" && echo "fresh.sh: $name: passed in $((SECONDS - begin)) s" && return
    echo "fresh.sh: $name: FAILED in $((SECONDS - begin)) s"
    return 1
}

# Of the environment only what says how to reach the outside.
passed=()
for name in NODE_EXTRA_CA_CERTS SSL_CERT_FILE http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || passed+=("$name=${!name}")
done

inside() {
    env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 "${passed[@]}" chroot "$root" /bin/bash -c "cd /srv/winner-view && $1" </dev/null
}

mirror=${APT_MIRROR:-$(sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p;s/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1)}
timed "bootstrap" debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 ||
    { tail -5 "$root.log"; exit 1; }
rm -f "$root.log"

# How this machine reaches its mirrors and registries is no part of a fresh Debian: it is copied in.
for file in /etc/resolv.conf /etc/hosts /etc/apt/sources.list /etc/apt/apt.conf.d /etc/apt/sources.list.d /etc/npmrc "$HOME/.npmrc" \
    /usr/local/share/ca-certificates /etc/ssl/certs; do
    [ ! -e "$file" ] || { mkdir -p "$root$(dirname "$file")"; cp -rL "$file" "$root$(dirname "$file")/" 2>/dev/null || true; }
done
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount --rbind /dev "$root/dev"

git clone -q --no-hardlinks "$here" "$root/srv/winner-view"
timed "deploy/quickstart.sh --check" inside "./deploy/quickstart.sh --check"
[ "${1:-}" = --quickstart-only ] || timed "tests/run.sh" inside "./tests/run.sh"
