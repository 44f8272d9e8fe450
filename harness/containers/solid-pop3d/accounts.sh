#!/bin/sh
# The accounts of target.toml. In lower case, for so the server asks the system for them.
set -eu

cd "$(dirname "$0")"

# add UID NAME MAILBOX PASSWORD [never]
add() {
    sh add-account.sh "$@"
    # The file by which users name their mailbox themselves, by a path without spaces, and their secret for APOP,
    # which is kept with every bit of it turned over.
    ln -s "/var/mail/$3" "/home/$1/mailbox"
    secret=$(perl -e 'print unpack("H*", ~$ARGV[0])' "$4")
    printf 'MailDrop mailbox mailbox\nAPOPSecret %s\n' "$secret" >"/home/$1/.spop3d"
    chown "$1:$1" "/home/$1/.spop3d"
    chmod 600 "/home/$1/.spop3d"
}

add 2001 same Same Secret-Same
add 2002 user1 Mailbox1 Secret-User1
add 2003 alice Bob Secret-Alice
add 2004 bob Alice Secret-Bob
add 2005 delegate Delegate Secret-Delegate
add 2006 principal Principal Secret-Principal
add 2007 twin Twin Secret-Twin
add 2008 'first last' 'First Last' 'Secret-First Last'
add 2009 sales 'Sales\West' Secret-Sales
add 2010 jürgen Jürgen Secret-Jürgen
add 2011 longestusername-0020 LongestMailboxName-abcdefghijklmnopqrstuvwxyz-0123456789-000064X \
    Secret-LongestUserName-0020
add 2012 disabled Disabled Secret-Disabled never
add 2013 comma,equals= Comma,Equals= Secret-Comma,Equals=
add 2014 anonymous Anonymous Secret-anonymous
