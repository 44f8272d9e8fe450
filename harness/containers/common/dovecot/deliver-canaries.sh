#!/bin/sh
# Gives every mailbox one message that names it: deliver-canaries.sh DIRECTORY CANARY.SH
set -eu

{
    grep -v '^#' "$1" | cut -d : -f 3
    # Owned by nobody, and may-open's other one.
    printf '%s\n' Orphan Ambiguous-2
} | while IFS= read -r mailbox; do
    [ -n "$mailbox" ] || continue
    folder=/srv/mail/$mailbox
    mkdir -p "$folder/cur" "$folder/new" "$folder/tmp"
    # To cur/, not new/: the first client to look must not find it otherwise than the second.
    sh "$2" "$mailbox" >"$folder/cur/1700000000.canary.loginspec:2,S"
done
chown -R vmail:vmail /srv/mail
