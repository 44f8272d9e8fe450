#!/bin/sh
# Runs imap4d and pop3d in the foreground.
set -eu

# The shell is process 1, which no signal ends by itself.
trap 'exit 0' TERM INT

# A process that runs in circles would keep a core from all others for ever: after 30 s of processor time it is killed.
ulimit -t 30

/usr/sbin/imap4d &
/usr/sbin/pop3d &
wait
