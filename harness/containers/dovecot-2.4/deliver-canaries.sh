#!/bin/sh
# Gives every mailbox one message that names it: the proof of which mailbox a login opened.
set -eu

for mailbox in Same Mailbox1 Alice Bob; do
    folder=/srv/mail/$mailbox
    mkdir -p "$folder/cur" "$folder/new" "$folder/tmp"
    # Delivered to cur/, not new/: the first client to look must not find it otherwise than the second.
    cat >"$folder/cur/1700000000.canary.loginspec:2," <<END
Date: Tue, 14 Nov 2023 22:13:20 +0000
From: loginspec <canary@loginspec.example>
Subject: canary
Message-ID: <canary-$mailbox@loginspec.example>
X-Loginspec-Mailbox: $mailbox

You have opened the mailbox $mailbox.
END
done
chown -R vmail:vmail /srv/mail
