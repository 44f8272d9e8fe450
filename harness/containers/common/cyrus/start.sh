#!/bin/sh
# Cyrus logs to syslog only, and the container's log is evidence.
set -eu

install -d -o cyrus -g mail /run/cyrus
busybox syslogd -n -O - &
until [ -S /dev/log ]; do sleep 0.01; done
# Its queue of 32 is short for a run's connections.
exec /usr/lib/cyrus/bin/master -D -l 256
