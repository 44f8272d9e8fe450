# From the directory to a passwd-file: name:password:uid:gid::home::extra fields.
#
# Lower-case names: auth_username_format lower-cases what the client sends before it looks here. A name with its domain
# is another key to Dovecot, so each account is listed with its domain, and those of Domain1 without it, too.
BEGIN { FS = ":" }
/^#/ { next }
{
    extra = ""
    if ($4 == "disabled") extra = "nologin=y"
    if ($4 == "elsewhere") extra = "nologin=y host=elsewhere.loginspec.example"
    # Without a mailbox: to log in, and nothing to open.
    home = $3 == "" ? "::::" : ":vmail:vmail::/srv/mail/" $3
    entry = ":{PLAIN}Secret-" $2 home "::" extra
    if ($1 == "Domain1") print tolower($2) entry
    print tolower($2 "@" $1) entry
}
