#!/bin/sh
# Starts Dovecot. CHANGE names one change to the server, DELAYS=none makes refusals immediate.
set -eu

accounts=/etc/dovecot/accounts

# Adds lines to the end of Dovecot's configuration.
configure() { printf '%s\n' "$@" >>/etc/dovecot/change.conf; }

# Lets filter.pl take the ports without TLS, and Dovecot others. Dovecot sees connections from another address than its
# own: from its own it would take passwords without TLS.
filter() {
    configure 'service imap-login {' 'inet_listener imap {' 'port = 10143' '}' '}'
    configure 'service pop3-login {' 'inet_listener pop3 {' 'port = 10110' '}' '}'
    perl /srv/filter.pl "$1" 143 10143 &
    perl /srv/filter.pl "$1" 110 10110 &
}

case ${DELAYS:-packaged} in
packaged) ;;
none)
    # Without a delay too, refusals are held back to be sent together, unless a passdb says otherwise. This one knows
    # no account.
    printf '%s\n' 'auth_failure_delay = 0' 'passdb {' 'driver = static' 'args = nodelay=y noauthenticate' '}' \
        >/etc/dovecot/delays.conf
    ;;
*)
    echo "unknown DELAYS: $DELAYS" >&2
    exit 2
    ;;
esac

case ${CHANGE:-none} in
none) ;;
scram-sha-256-removed) configure 'auth_mechanisms = plain login' ;;
starttls-removed) filter remove ;;
starttls-stripped) filter strip ;;
plaintext-passwords-allowed) configure 'disable_plaintext_auth = no' ;;
names-lower-cased) configure 'auth_username_format = %Lu' ;;
domain-dropped)
    configure 'auth_username_format = %n'
    sed -i 's/@example\.org:/:/' "$accounts"
    ;;
percent-translated) configure 'auth_username_translation = %@' ;;
master-user-separator-enabled) configure 'auth_master_user_separator = *' ;;
# A passdb for master users that holds every account: each may open the mailbox of each.
other-mailbox-granted)
    configure 'passdb {' 'driver = passwd-file' "args = username_format=%u $accounts" 'master = yes' '}'
    ;;
# A passdb that asks a process which does not run, in the place of the file of accounts.
auth-backend-down)
    printf '%s\n' 'uri = proxy:/run/dovecot/not-there:accounts' 'passdb_objects = passdb' \
        'key passdb {' 'key = passdb/%u' 'format = json' '}' >/etc/dovecot/no-backend.conf
    sed -i '/^passdb/,/^}/{s/driver = .*/driver = dict/;s#args = .*#args = /etc/dovecot/no-backend.conf#}' \
        /etc/dovecot/local.conf
    ;;
ban-after-five-failures)
    configure 'auth_verbose = yes' 'login_access_sockets = tcpwrap'
    # As in the packaged conf.d/10-tcpwrapper.conf.
    configure 'service tcpwrap {' 'unix_listener login/tcpwrap {' 'group = $default_login_user' 'mode = 0600' \
        'user = $default_login_user' '}' '}'
    dovecot -F 2>&1 | awk -f /srv/ban.awk
    exit
    ;;
*)
    echo "unknown CHANGE: $CHANGE" >&2
    exit 2
    ;;
esac
exec dovecot -F
