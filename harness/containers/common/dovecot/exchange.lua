-- Reads login names as Exchange 5.5 did (scenarios/dialects/exchange-5.5.toml): DOMAIN\USER\MAILBOX, with / for \ too.
-- Who leaves out the mailbox has it assumed to be called like the user; who leaves out the domain has it assumed to be
-- Domain1. An assumption that is wrong is refused, never corrected.

local home = "domain1"
local accounts, mailboxes = {}, {}

local function mailbox(name)
  mailboxes[name:lower()] = mailboxes[name:lower()] or { name = name }
  return mailboxes[name:lower()]
end

function script_init()
  mailbox("Orphan")
  for line in io.lines("/etc/dovecot/directory") do
    local domain, user, own, more = line:match("^([^#:][^:]*):([^:]*):([^:]*):(.*)$")
    if domain then
      local account = { password = "Secret-" .. user, disabled = more == "disabled", may_open = {} }
      if own ~= "" then
        account.may_open[mailbox(own)] = true
        mailbox(own).elsewhere = more == "elsewhere"
      end
      local other = more:match("^may%-open=(.*)$")
      if other then account.may_open[mailbox(other)] = true end
      accounts[domain:lower() .. "\\" .. user:lower()] = account
    end
  end
  -- An alias that two mailboxes share.
  mailboxes["ambiguous"] = { ambiguous = true }
  return 0
end

function script_deinit() end

-- Domain, user and mailbox; nothing for the forms of which no article says what they mean.
local function read(name)
  local domain, first, user, second, rest = name:match("^([^\\/@]+)([\\/])([^\\/@]+)([\\/])(.+)$")
  if domain then
    -- A mailbox's name may hold a separator where the two before it are alike.
    if rest:find("@", 1, true) or (first ~= second and rest:find("[\\/]")) then return nil end
    return domain, user, rest
  end
  domain, user = name:match("^([^\\/@]+)[\\/]([^\\/@]+)$")
  if domain then return domain, user, user end
  if name:match("^[^\\/@]+$") then return home, name, name end
end

function auth_passdb_lookup(request)
  local domain, user, named = read(request.user:lower())
  -- A domain has its DNS name besides.
  local account = domain and accounts[domain:gsub("%.example$", "") .. "\\" .. user]
  if not account then return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "no such account" end

  local fields = { password = account.password }
  local opens = mailboxes[named]
  local function refuse(reason)
    -- Only who knows the password learns this.
    fields.nologin = "y"
    fields.reason = reason
  end
  if account.disabled then
    refuse(nil)
  elseif opens and opens.ambiguous then
    refuse("Ambiguous Alias")
  elseif opens and opens.elsewhere or not opens and not next(account.may_open) then
    refuse("The requested mailbox is not available on this server.")
  elseif not opens or not account.may_open[opens] then
    refuse(nil)
  else
    fields.user = opens.name
  end
  return dovecot.auth.PASSDB_RESULT_OK, fields
end

-- Whoever has logged in is called like the mailbox; ANONYMOUS logs in as `anonymous`, which is one, without a passdb.
function auth_userdb_lookup(request)
  local opens = mailboxes[request.user:lower()]
  if not opens or not opens.name then return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, "no such mailbox" end
  return dovecot.auth.USERDB_RESULT_OK, { home = "/srv/mail/" .. opens.name, uid = "vmail", gid = "vmail" }
end
