#!/bin/sh
# Dovecot behind, the service that checks passwords, and nginx. What they log goes to the container's log.
set -eu

/usr/sbin/dovecot -F &
python3 /srv/auth.py &
exec nginx
