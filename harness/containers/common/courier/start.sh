#!/bin/sh
# Runs Courier's daemons as Debian's start scripts do, but in the foreground and with the container's log for their log.
set -eu

# The shell is process 1, which no signal ends by itself.
trap 'exit 0' TERM INT

# listen PORT TLS NAME PROGRAM…: one listener, with the settings of /etc/courier/NAME and NAME-ssl in its environment.
listen() {
    port=$1 tls=$2 name=$3
    shift 3
    [ "$tls" = no ] || set -- /usr/bin/couriertls -server -tcpd -user=courier "$@"
    [ "$name" = pop3d ] || set -- -access=/etc/courier/imapaccess.dat "$port" "$@"
    [ "$name" = imapd ] || set -- "$port" "$@"
    env -i PORT_TLS="$tls" NAME="$name" /bin/sh -c '
        set -a
        prefix=/usr exec_prefix=/usr bindir=/usr/bin libexecdir=/usr/lib/courier
        . /etc/courier/$NAME
        . /etc/courier/$NAME-ssl
        if [ "$PORT_TLS" = yes ]; then
            IMAP_TLS=1 POP3_TLS=1 POP3_STARTTLS=NO POP3_TLS_REQUIRED=0
        else
            IMAP_STARTTLS=$IMAPDSTARTTLS
        fi
        # couriertls, as the user courier, can only write to a cache of sessions that exists.
        [ -f $TLS_CACHEFILE ] || install -o courier -g courier -m 600 /dev/null $TLS_CACHEFILE
        umask 022
        # A limit for each process that Debian sets for imapd.
        [ -z "${IMAP_ULIMITD:-}" ] || ulimit -v $IMAP_ULIMITD
        exec /usr/sbin/couriertcpd -address=0 -maxprocs=$MAXDAEMONS -maxperip=$MAXPERIP $TCPDOPTS "$@"
    ' sh "$@" &
}

mkdir -p /run/courier/authdaemon
chown -R courier:courier /run/courier
(
    set -a
    . /etc/courier/authdaemonrc
    exec /usr/lib/courier/courier-authlib/authdaemond
) &

libexec=/usr/lib/courier/courier
listen 143 no imapd $libexec/imaplogin /usr/bin/imapd Maildir
listen 993 yes imapd $libexec/imaplogin /usr/bin/imapd Maildir
listen 110 no pop3d $libexec/courierpop3login $libexec/courierpop3d Maildir
listen 995 yes pop3d $libexec/courierpop3login $libexec/courierpop3d Maildir
wait
