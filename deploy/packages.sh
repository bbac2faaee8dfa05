#!/bin/bash
# The Debian packages winner-view needs, by purpose: the one place that lists them.
#
#     deploy/packages.sh build unit       installs what is missing of these lists and nothing else
#
# When nothing is missing it needs neither root nor a network. deploy/quickstart.sh and tests/run.sh source it and call
# packages_install.

packages_for() {
    case $1 in
    build)
        echo build-essential cmake ninja-build pkg-config \
            libmicrohttpd-dev libcurl4-openssl-dev libjansson-dev libssl-dev zlib1g-dev libsqlite3-dev \
            uthash-dev libprotobuf-c-dev protobuf-c-compiler libexpat1-dev
        ;;
    runtime)
        # What the program needs where it runs: the container's.
        echo ca-certificates libmicrohttpd12 libcurl4 libjansson4 libssl3 zlib1g libsqlite3-0 libprotobuf-c1 libexpat1
        ;;
    package)
        # cpack is cmake's; dpkg-dev has dpkg-shlibdeps
        echo dpkg-dev file binutils gzip
        ;;
    root)
        echo debootstrap util-linux # tests/root; each root installs what it needs
        ;;
    unit)
        echo libcmocka-dev
        ;;
    fuzz)
        echo clang libclang-rt-dev llvm # libFuzzer and the sanitizers; llvm names the functions of a stack
        ;;
    protocol)
        echo spin build-essential python3 # spin makes a C program of the model
        ;;
    emulators)
        # A Java, a Node and an npm from elsewhere do as well as Debian's, which might not even install beside them.
        command -v java >/dev/null || echo default-jre-headless
        command -v node >/dev/null || echo nodejs
        command -v npm >/dev/null || echo npm
        echo python3
        ;;
    quickstart)
        echo python3 curl
        ;;
    sample-shop-on-kinesis)
        echo python3 python3-boto3
        ;;
    integration)
        # prometheus for its promtool, which checks /metrics; its service is not started
        # man-db reads our man page, systemd has systemd-analyze, which reads our unit; neither needs to run
        # zsh and fish complete our options
        echo python3 python3-boto3 python3-pytest python3-pytest-xdist python3-hypothesis python3-jsonschema python3-yaml python3-cryptography prometheus man-db systemd binutils zsh fish
        ;;
    operators-page)
        # Which the commands of deploy/README.md use. An aws from elsewhere does as well.
        command -v aws >/dev/null || echo awscli
        echo jq curl sqlite3
        ;;
    browser)
        echo chromium # driven headless by playwright-core, which tests/support/npm.py installs
        ;;
    proxies)
        echo nginx-light haproxy # tests/support/reverse_proxies.py; their services are not started
        ;;
    bench)
        echo python3 nginx-light wrk
        ;;
    *)
        echo "packages.sh: no list named '$1'" >&2
        return 1
        ;;
    esac
}

# Prints those of the named packages that are not installed.
packages_missing() {
    local package
    for package in "$@"; do
        dpkg -s "$package" 2>/dev/null | grep -q '^Status: .* installed$' || echo "$package"
    done
}

# A package that brings a service (nginx) must not start it: we run instances of our own. Debian's way to say so is a
# policy-rc.d that answers 101; an administrator's own one is left alone.
packages_apt_install() {
    local as_root=() policy=/usr/sbin/policy-rc.d ours='' status=0
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq || return 1
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null || return 1
        "${as_root[@]}" chmod 755 "$policy" && ours=yes
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null || status=1
    [ -z "$ours" ] || "${as_root[@]}" rm -f "$policy"
    return $status
}

# packages_install LIST...: returns 1, saying which packages are missing, when they cannot be installed.
packages_install() {
    local list wanted=() missing=()
    for list in "$@"; do
        # shellcheck disable=SC2207 # package names hold no spaces
        wanted+=($(packages_for "$list")) || return 1
    done
    # shellcheck disable=SC2207
    missing=($(packages_missing "${wanted[@]}" | sort -u))
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "installing ${missing[*]}" >&2
    packages_apt_install "${missing[@]}" || {
        echo "packages.sh: cannot install: ${missing[*]}" >&2
        return 1
    }
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    packages_install "$@"
fi
