#!/bin/sh
# Gives each mailbox in /srv/accounts its canary, in cur: the first client to look finds it as the second does.
set -eu

tab=$(printf '\t')
while IFS=$tab read -r _ _ mailbox _; do
    folder=/srv/mail/$mailbox
    mkdir -p "$folder/cur" "$folder/new" "$folder/tmp"
    sh "$(dirname "$0")/canary.sh" "$mailbox" >"$folder/cur/1700000000.canary.loginspec:2,S"
done </srv/accounts
chown -R vmail:vmail /srv/mail
