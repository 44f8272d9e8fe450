#!/bin/sh
# Makes the Debian base images that the servers' Dockerfiles start from, on a machine that cannot pull them.
#
#   make-base-images.sh [SUITE…]        (default: bookworm trixie)
#
# For each suite the image is called debian:SUITE-slim, as in the public registry. One that is there already is left
# alone; one that can be pulled is pulled; any other is made with debootstrap, which needs root and a Debian mirror
# (set DEBIAN_MIRROR to use one other than debootstrap's default).
set -eu

say() { printf '%s\n' "$*"; }
die() {
    printf 'make-base-images.sh: %s\n' "$*" >&2
    exit 1
}

work=''
clean_up() {
    [ -z "$work" ] || rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

find_debootstrap() {
    # debootstrap unpacks device nodes and files of other owners, which only root can make.
    [ "$(id -u)" -eq 0 ] || die "cannot make the image for $suite: debootstrap needs root; run this script as root"
    command -v debootstrap >/dev/null && return
    command -v apt-get >/dev/null || die 'debootstrap is missing and there is no apt-get to install it with; install it'
    say 'installing debootstrap'
    apt-get update -qq || die 'cannot refresh the package lists; install debootstrap by hand'
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        debootstrap debian-archive-keyring >/dev/null ||
        die 'cannot install debootstrap; install it by hand'
}

# A debootstrap older than the suite lacks its script. All Debian suites since sid share one, so that will do.
suite_script() {
    for script in "/usr/share/debootstrap/scripts/$suite" /usr/share/debootstrap/scripts/sid; do
        if [ -e "$script" ]; then
            say "$script"
            return
        fi
    done
    die "debootstrap has no script for $suite, nor for sid; install a newer debootstrap"
}

# What sets the public -slim images apart: no documentation, no translations, no package caches.
slim_down() {
    root=$1
    cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
END
    cat >"$root/etc/apt/apt.conf.d/slim" <<'END'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
END
    find "$root/usr/share/doc" -type f ! -name copyright -delete
    find "$root/usr/share/doc" -type l -delete
    rm -rf "$root"/usr/share/info/* "$root"/usr/share/locale/* "$root"/usr/share/man/*
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/bootstrap.log
}

make_image() {
    find_debootstrap
    script=$(suite_script)
    work=$(mktemp -d "${TMPDIR:-/tmp}/base-image.XXXXXX")
    root=$work/root
    mkdir -p "$root/usr/local/share/ca-certificates"
    say "making $image with debootstrap; this takes a minute or so"
    if ! debootstrap --variant=minbase "$suite" "$root" "${DEBIAN_MIRROR:-}" "$script" >"$work/log" 2>&1; then
        tail -n 20 "$work/log" >&2
        [ ! -e "$root/debootstrap/debootstrap.log" ] || tail -n 20 "$root/debootstrap/debootstrap.log" >&2
        die "debootstrap failed for $suite (its last lines are above); is a Debian mirror reachable?"
    fi
    slim_down "$root"
    # A machine that reaches the world by way of authorities of its own trusts them in what it builds, too: they count
    # once ca-certificates is installed.
    for authority in /usr/local/share/ca-certificates/*.crt; do
        [ ! -e "$authority" ] || cp "$authority" "$root/usr/local/share/ca-certificates/"
    done
    tar --numeric-owner -C "$root" -c . | docker import --change 'CMD ["bash"]' - "$image" >/dev/null ||
        die "docker did not import $image; is there room on its disk?"
    clean_up
    work=''
    say "made $image"
}

docker version >/dev/null 2>&1 ||
    die 'no Docker daemon answers; start one, or set DOCKER_HOST to where one listens'

[ $# -gt 0 ] || set -- bookworm trixie
for suite in "$@"; do
    case $suite in
        *[!a-z]* | '') die "'$suite' is no Debian suite; give names like bookworm or trixie" ;;
    esac
    image=debian:$suite-slim
    if docker image inspect "$image" >/dev/null 2>&1; then
        say "$image is there"
    elif docker pull -q "$image" >/dev/null 2>&1; then
        say "pulled $image"
    else
        make_image
    fi
done
