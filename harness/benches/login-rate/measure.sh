#!/bin/sh
# Measures how many logins a second loginspec makes, next to other clients: measure.sh LOGINSPEC [OPTION…]
#
# LOGINSPEC is the program, as `cargo build --release` leaves it in target/release/; the options are those of measure.py
# (--help lists them). Everything happens inside of one container, on its own loopback.
set -eu

[ $# -gt 0 ] || {
    echo 'usage: measure.sh LOGINSPEC [OPTION…], for example: measure.sh target/release/loginspec --repeats 1' >&2
    exit 2
}
loginspec=$(realpath "$1")
shift
here=$(cd "$(dirname "$0")" && pwd)
image=loginspec-login-rate

docker build -q -t "$image" "$here" >/dev/null
# A port is not used again for a minute: more of them than the clients of a minute need.
exec docker run --rm --init \
    --sysctl net.ipv4.ip_local_port_range='1024 65535' \
    --tmpfs /run/login-rate --tmpfs /srv/mail \
    -v "$loginspec:/usr/local/bin/loginspec:ro" \
    "$image" "$@"
