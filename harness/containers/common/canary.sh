#!/bin/sh
# Prints the message that proves which mailbox a login opened: canary.sh MAILBOX
#
# The lines end in LF, as in a maildir; MAILBOX may hold any octets but line breaks.
set -eu

cat <<MESSAGE
Date: Tue, 14 Nov 2023 22:13:20 +0000
From: loginspec <canary@loginspec.example>
Subject: canary
Message-ID: <canary-$(printf %s "$1" | cksum | cut -d ' ' -f 1)@loginspec.example>
X-Loginspec-Mailbox: $1

You have opened the mailbox $1.
MESSAGE
