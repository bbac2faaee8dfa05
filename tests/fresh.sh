#!/bin/bash
# What a stranger sees: a freshly bootstrapped Debian 12 (minbase, git, ca-certificates) in a folder, in it a clone of HEAD,
# and there the two commands of README.md, as they are written in its first block of code. Reports how long each took. As root.
#
#     tests/fresh.sh            the first command is stopped when it has come up
#     tests/fresh.sh --all      and then tests/run.sh --all
#
# The folder is a new one under /var/tmp, removed at the end.
# APT_MIRROR may name another mirror than the one that this machine uses.

set -eu
cd "$(dirname "$0")/.."

here=$PWD
root=$(mktemp -u /var/tmp/winner-view-fresh-XXXXXX)
command -v debootstrap >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends debootstrap; } >/dev/null

end() {
    [ -z "${serving:-}" ] || kill "$serving" 2>/dev/null || true
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

# Only the variables that are needed to reach the network.
passed=()
for name in NODE_EXTRA_CA_CERTS SSL_CERT_FILE http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || passed+=("$name=${!name}")
done

# Replaces the shell that calls it, so that a signal to that process reaches the command.
inside() {
    exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 "${passed[@]}" \
        chroot "$root" /bin/bash -c "cd /srv/winner-view && exec $1" </dev/null
}

ends_well() {
    (inside "$1")
}

# For a command that stays in the foreground: waits until it reports that it runs, then stops it as Ctrl-C does.
comes_up() {
    local status
    inside "$1" >"$root/srv/output" &
    serving=$!
    until grep -qs 'is running' "$root/srv/output"; do
        kill -0 "$serving" 2>/dev/null || return 1
        sleep 1
    done
    kill -TERM "$serving"
    wait "$serving" && status=0 || status=$?
    serving=''
    return $status
}

# The commands in the first block of code of README.md, without their comments.
commands() {
    awk '/^```/ { if (inside++) exit; next } inside { sub(/ *#.*/, ""); print }' README.md
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
{ read -r first; read -r second; } < <(commands)
timed "$first" comes_up "$first"
timed "$second" ends_well "$second"
[ "${1:-}" != --all ] || timed "./tests/run.sh --all" ends_well "./tests/run.sh --all"
