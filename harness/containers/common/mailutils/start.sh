#!/bin/sh
# Runs imap4d and pop3d in the foreground.
set -eu

# The shell is process 1, which no signal ends by itself.
trap 'exit 0' TERM INT

/usr/sbin/imap4d &
/usr/sbin/pop3d &
wait
