#!/bin/sh
# Dovecot behind, the service that checks passwords, and nginx. What they log goes to the container's log.
set -eu

/usr/sbin/dovecot -F &
python3 /srv/auth.py &
# Whoever is greeted can log in.
until python3 -c 'import socket; [socket.create_connection(("127.0.0.1", port)) for port in (1143, 1110, 8080)]' \
    2>/dev/null; do
    sleep 0.05
done
exec nginx
