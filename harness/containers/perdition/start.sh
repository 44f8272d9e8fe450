#!/bin/sh
# Dovecot behind, and one Perdition for each port. What they log goes to the container's log.
set -eu

busybox syslogd -n -O - &
/usr/sbin/dovecot -F &
# Whoever is greeted can log in.
until bash -c 'exec 3<>/dev/tcp/127.0.0.1/1143 4<>/dev/tcp/127.0.0.1/1110' 2>/dev/null; do
    sleep 0.05
done

# serve PROTOCOL PORT PORT-BEHIND MODE
serve() {
    LD_PRELOAD=/srv/no-sleep.so /usr/sbin/perdition --config_file /etc/perdition/perdition.conf --no_daemon \
        --pid_file "/run/perdition.$2" --protocol "$1" --listen_port "$2" \
        --outgoing_server "127.0.0.1:$3" --ssl_mode "$4" &
}
serve IMAP4 143 1143 tls_listen
serve IMAP4S 993 1143 ssl_listen
serve POP3 110 1110 tls_listen
serve POP3S 995 1110 ssl_listen
wait
