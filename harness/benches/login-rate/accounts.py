"""The accounts: what Dovecot is told of them, their mailboxes with a canary in each, and what each client is given."""

import os
import shutil

RUN = "/run/login-rate"
MAIL = "/srv/mail"
PORTS = {"imap": 143, "pop3": 110}

CANARY = """\
Date: Tue, 14 Nov 2023 22:13:20 +0000
From: loginspec <canary@loginspec.example>
Subject: canary
Message-ID: <canary-{user}@loginspec.example>
X-Loginspec-Mailbox: {user}

You have opened the mailbox {user}.
"""


def users(count):
    """user0001, user0002 and so on; each mailbox is called like its user."""
    return [f"user{number:04}" for number in range(1, count + 1)]


def password(user):
    """The right password."""
    return f"right-{user}"


def spelt(user, number):
    """The user's name in one of sixteen spellings, which are all the same to Dovecot."""
    return "".join(letter.upper() if number >> at & 1 else letter for at, letter in enumerate(user[:4])) + user[4:]


def credentials(outcome, logins, accounts):
    """So many pairs of a user and a password, over all accounts in turn; no wrong password comes twice."""
    everybody = users(accounts)
    for number in range(logins):
        user = everybody[number % accounts]
        yield user, password(user) if outcome == "good" else f"wrong{number // accounts + 1}-{user}"


def make(accounts):
    """Writes Dovecot's passwd-file and a mailbox with one message for everybody."""
    os.makedirs(RUN, exist_ok=True)
    with open(f"{RUN}/accounts", "w", encoding="ascii") as file:
        file.writelines(f"{user}:{{PLAIN}}{password(user)}\n" for user in users(accounts))
    for user in users(accounts):
        for folder in ["cur", "new", "tmp"]:
            os.makedirs(f"{MAIL}/{user}/{folder}")
        # To cur/, not new/: the first client to look must not find it otherwise than the second.
        with open(f"{MAIL}/{user}/cur/1700000000.canary.loginspec:2,S", "w", encoding="ascii") as file:
            file.write(CANARY.format(user=user))
    for folder, _, files in os.walk(MAIL):
        shutil.chown(folder, "vmail", "vmail")
        for name in files:
            shutil.chown(f"{folder}/{name}", "vmail", "vmail")


def write_pairs(path, pairs, before=""):
    """`user:password` lines, as hydra and medusa read them; medusa wants the host before."""
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{before}{user}:{secret}\n" for user, secret in pairs)


def write_target(path, accounts):
    """loginspec's target file: where Dovecot is, and everybody in a role called like the user."""
    with open(path, "w", encoding="ascii") as file:
        file.write('name    = "bench"\ndialect = "dovecot"\n')
        for protocol, port in PORTS.items():
            file.write(f'[{protocol}]\naddress  = "127.0.0.1:{port}"\nsecurity = "plaintext"\n')
        file.write("[limits]\nno-lockout = true\n")
        for user in users(accounts):
            file.write(f'[[account]]\nrole = "{user}"\nuser = "{user}"\nmailbox = "{user}"\n')
            file.write(f'password = {{ text = "{password(user)}" }}\n')


def write_scenario(path, protocol, outcome, logins, accounts):
    """loginspec's scenario file: the same logins as `credentials` gives, each with the outcome that it must have."""
    rounds, rest = divmod(logins, accounts)
    # A round is a case over many accounts; the last may be over fewer of them.
    groups = [users(accounts)] * rounds + ([users(accounts)[:rest]] if rest else [])
    with open(path, "w", encoding="ascii") as file:
        file.write(f'title = "{outcome} logins over {protocol}"\ncites = ["RFC 9051 6.2.3", "RFC 1939 7"]\n')
        file.write(f'[matrix]\nprotocol = ["{protocol}"]\nmechanism = ["login"]\n')
        for number, group in enumerate(groups, 1):
            roles = ", ".join(f'"{user}"' for user in group)
            file.write(f"[[case]]\nid = \"round-{number}\"\naccount = [{roles}]\nlogin = '{{user}}'\n")
            if outcome == "good":
                file.write("expect = { opens = '{mailbox}' }\n")
            else:
                file.write(f"password = 'wrong{number}-{{user}}'\nexpect = 'rejected'\n")
