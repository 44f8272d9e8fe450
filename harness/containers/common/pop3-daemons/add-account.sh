#!/bin/sh
# Adds a system account with a mailbox file that holds the canary: add-account.sh UID NAME MAILBOX PASSWORD [never]
#
# By hand, for useradd refuses capitals, commas and umlauts; the servers ask the system for any name. The hash is a
# quick one: thousands of logins are to run fast. With `never` the account has expired and may not log in.
set -eu

uid=$1 name=$2 mailbox=$3 password=$4 expires=${5:+1}
home=/home/$uid
hash=$(perl -e 'print crypt($ARGV[0], "\$1\$loginspc\$")' "$password")
printf '%s:x:%d:%d::%s:/bin/false\n' "$name" "$uid" "$uid" "$home" >>/etc/passwd
printf '%s:%s:19675:0:99999:7::%s:\n' "$name" "$hash" "$expires" >>/etc/shadow
mkdir -m 700 "$home"

{
    printf 'From canary@loginspec.example Tue Nov 14 22:13:20 2023\n'
    sh "$(dirname "$0")/canary.sh" "$mailbox"
    printf '\n'
} >"/var/mail/$mailbox"
chown -R "$uid:$uid" "$home" "/var/mail/$mailbox"
chmod 600 "/var/mail/$mailbox"
