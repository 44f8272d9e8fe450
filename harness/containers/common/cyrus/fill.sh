#!/bin/sh
# Makes the accounts and their mailboxes, with a canary in each, while the image is built: fill.sh ACCOUNTS…
set -eu

folder=$(dirname "$0")
database=/var/lib/cyrus/sasldb2
accounts=$(mktemp)
grep -hv '^#' "$@" >"$accounts"
enter() { # name realm password
    printf %s "$3" | saslpasswd2 -p -c -f "$database" -u "$2" -- "$1"
    chown cyrus:mail "$database"
}

enter cyrus localhost Secret-build
while IFS='|' read -r name realm password _; do
    [ "$realm" = - ] || enter "${name%@*}" "$realm" "$password"
done <"$accounts"

/bin/sh "$folder/start.sh" &
server=$!
tries=0
until perl "$folder/imap.pl" login cyrus Secret-build; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || exit 1
    sleep 0.1
done

# All in one session: sessions that make mailboxes in the same second give them the same id, and with it the same
# messages (3.6.1 and 3.10.2, which Debian builds without libuuid).
grep -v '|-$' "$accounts" | cut -d '|' -f 1 | perl "$folder/imap.pl" create cyrus Secret-build
while IFS='|' read -r name realm password canary; do
    [ "$canary" != - ] || continue
    if [ "$realm" = - ]; then
        sh "$folder/../canary.sh" "$canary" | perl "$folder/imap.pl" append cyrus Secret-build "user/$name"
    else
        # The owner delivers and looks: nothing is recent or unseen for the first client.
        sh "$folder/../canary.sh" "$canary" | perl "$folder/imap.pl" append "$name" "$password" INBOX
    fi
done <"$accounts"

# The account stays, and may log in nowhere.
su -s /bin/sh cyrus -c '/usr/lib/cyrus/bin/cyr_deny disabled'
saslpasswd2 -d -f "$database" -u localhost cyrus
kill "$server"
wait "$server" || true
rm -rf /run/cyrus /dev/log "$accounts"
