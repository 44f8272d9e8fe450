#!/bin/sh
# The accounts of target.toml. Each reads /var/mail/NAME.
set -eu

cd "$(dirname "$0")"
sh add-account.sh 2001 Same Same Secret-Same
sh add-account.sh 2002 Delegate Delegate Secret-Delegate
sh add-account.sh 2003 Principal Principal Secret-Principal
sh add-account.sh 2004 Twin Twin Secret-Twin
sh add-account.sh 2005 Jürgen Jürgen Secret-Jürgen
sh add-account.sh 2006 Comma,Equals= Comma,Equals= Secret-Comma,Equals=
sh add-account.sh 2007 Disabled Disabled Secret-Disabled never
