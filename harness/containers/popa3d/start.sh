#!/bin/sh
# One popa3d for each connection, up to 200 at once. It logs to syslog alone, which goes to the container's log.
set -eu

# Nobody is asked what the local host is called.
busybox syslogd -n -O - &
exec tcpsvd -l localhost -c 200 -b 200 0.0.0.0 110 /usr/sbin/popa3d
