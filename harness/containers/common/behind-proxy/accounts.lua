-- What Dovecot asks for accounts. The name is compared octet by octet, so that all that a login name loses or gains on
-- its way is the proxy's doing. Lua, for Dovecot's own files hold no colon in a name.

-- The lines are NAME, PASSWORD, MAILBOX and perhaps `disabled`, with tabs between them.
local accounts = {}

function script_init()
  for line in io.lines("/srv/accounts") do
    local name, password, mailbox, flag = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t?(.*)$")
    accounts[name] = { password = password, mailbox = mailbox, disabled = flag == "disabled" }
  end
  return 0
end

function script_deinit()
end

function auth_passdb_lookup(request)
  local account = accounts[request.user]
  if not account then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "no such account"
  end
  if account.disabled then
    return dovecot.auth.PASSDB_RESULT_USER_DISABLED, "may not log in"
  end
  -- `user`: what Dovecot calls the account from here on, in paths too.
  return dovecot.auth.PASSDB_RESULT_OK, {
    password = account.password,
    user = "owner-of-" .. account.mailbox:gsub("[^%w]", "-"),
    userdb_uid = "vmail",
    userdb_gid = "vmail",
    userdb_home = "/srv/mail/" .. account.mailbox,
  }
end
