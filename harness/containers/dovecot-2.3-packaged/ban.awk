# Reads Dovecot's log, and denies an address after five failed logins, as fail2ban does with its action `hostsdeny`.
{ print }
/: (Password mismatch|unknown user)/ {
    # auth: passwd-file(name,address,<session>): Password mismatch
    split($0, fields, ",")
    address = fields[2]
    if (++failures[address] == 5) {
        print "ALL: " address >"/etc/hosts.deny"
        close("/etc/hosts.deny")
    }
}
