#!/bin/sh
# Makes the users of the file `accounts` and their mailboxes: make-users.sh ACCOUNTS CANARY
set -eu

# What sessions would add to a message: with it, no session has a reason to rewrite the spool file.
state='X-UIDL: 00000000000000000000000000000001.1700000000.1
X-IMAPbase:           1700000000                    2
X-UID: 1
Status: OR'

# deliver USER UID: the user's spool file, with the canary in it.
deliver() {
    {
        echo 'From canary@loginspec.example Tue Nov 14 22:13:20 2023'
        sh "$canary" "$1" | sed '/^$/,$d'
        printf '%s\n' "$state"
        sh "$canary" "$1" | sed -n '/^$/,$p'
        echo
    } >"/var/mail/$1"
    chown "$2:mail" "/var/mail/$1"
    chmod 600 "/var/mail/$1"
}

canary=$2
umask 077
: >/etc/mailutils.passwords
uid=2000
grep -v '^#' "$1" | {
    while read -r user; do
        uid=$((uid + 1))
        password="Secret-$user"
        hash=$(printf '%s\n' "$password" | openssl passwd -6 -stdin)
        # For CRAM-MD5 and the other mechanisms for which a hash does not do, and for APOP.
        secret=$password
        case $user in
            Disabled) hash="!$hash" secret= ;;
        esac
        # Not by useradd, which takes no space in a name.
        printf '%s:x:%s:%s::/home/%s:/bin/false\n' "$user" $uid $uid "$user" >>/etc/passwd
        printf '%s:%s:19000:0:99999:7:::\n' "$user" "$hash" >>/etc/shadow
        printf '%s:x:%s:\n' "$user" $uid >>/etc/group
        mkdir "/home/$user"
        chown $uid:$uid "/home/$user"
        if [ -n "$secret" ]; then
            printf '%s\t%s\n' "$user" "$secret" >>/etc/mailutils.passwords
            popauth --add --user "$user" --password "$secret" --file /etc/apop.db
        fi
        deliver "$user" $uid
    done
}
# A mailbox without an account.
deliver Orphan nobody
