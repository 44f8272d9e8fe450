#!/bin/sh
# Makes the userdb and the mailboxes of the file `accounts`: make-mailboxes.sh ACCOUNTS CANARY
set -eu

tab=$(printf '\t')
userdb=/etc/courier/userdb
umask 077
: >$userdb

grep -v '^#' "$1" | while IFS=$tab read -r user domain mailbox more; do
    # The folder is only called like the account, for a mailbox may be called `Sales\West`; its canary names it.
    home="/srv/mail/$user@$domain"
    mkdir -p "$home"
    # An account without a mailbox has a home, but no Maildir in it.
    if [ -n "$mailbox" ]; then
        mkdir "$home/Maildir" "$home/Maildir/cur" "$home/Maildir/new" "$home/Maildir/tmp"
        # In cur/, not in new/: the first client to look must not find it otherwise than the second.
        sh "$2" "$mailbox" >"$home/Maildir/cur/1700000000.canary.loginspec:2,S"
    fi

    fields="uid=900|gid=900|home=$home|shell=/bin/false${more:+|$more}"
    fields="$fields|systempw=$(printf '%s\n' "Secret-$user" | userdbpw -md5)"
    # For CRAM-MD5, CRAM-SHA1 and CRAM-SHA256.
    for hash in md5 sha1 sha256; do
        fields="$fields|hmac-${hash}pw=$(printf '%s\n' "Secret-$user" | userdbpw -hmac-$hash)"
    done
    # A userdb's key is the whole login name, whatever is in it.
    printf '%s\t%s\n' "$user@$domain" "$fields" >>$userdb
    if [ "$domain" = domain1.example ]; then
        printf '%s\t%s\n' "$user" "$fields" "$user@Domain1" "$fields" >>$userdb
    fi
done
# A mailbox without an account.
mkdir -p /srv/mail/orphan/Maildir/cur /srv/mail/orphan/Maildir/new /srv/mail/orphan/Maildir/tmp
sh "$2" Orphan >/srv/mail/orphan/Maildir/cur/1700000000.canary.loginspec:2,S

chown -R vmail:vmail /srv/mail
makeuserdb
chown courier:courier $userdb*
