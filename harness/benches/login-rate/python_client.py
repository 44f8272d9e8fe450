"""A bare client on imaplib and poplib: a thread pool, a connection for each login. It is what somebody writes who takes
a script instead of a tool.

    python_client.py PROTOCOL OUTCOME JOBS PAIRS [canary]

With `canary` a good login counts only if the mailbox holds the message that names it, as with loginspec: the same
commands, and so as many round trips.
"""

import imaplib
import poplib
import sys
import threading

import accounts

FIELD = b"X-Loginspec-Mailbox:"


def imap_login(user, secret, with_canary):
    """Whether this login did what it should: None where it was refused, else the mailbox, as far as it is known."""
    client = imaplib.IMAP4("127.0.0.1", accounts.PORTS["imap"])
    try:
        client.login(user, secret)
    except imaplib.IMAP4.error:
        client.logout()
        return None
    mailbox = user
    if with_canary:
        client.select("INBOX", readonly=True)
        header = client.fetch("1:1", "(BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)])")[1][0][1]
        mailbox = header.partition(FIELD)[2].strip().decode()
    client.logout()
    return mailbox


def pop3_login(user, secret, with_canary):
    """The same over POP3."""
    client = poplib.POP3("127.0.0.1", accounts.PORTS["pop3"])
    try:
        client.user(user)
        client.pass_(secret)
    except poplib.error_proto:
        client.quit()
        return None
    mailbox = user
    if with_canary:
        client.stat()
        lines = client.top(1, 0)[1]
        mailbox = next(line for line in lines if line.startswith(FIELD)).partition(b":")[2].strip().decode()
    client.quit()
    return mailbox


def main():
    """Logs in as everybody, and fails where one login comes to something else than it should."""
    protocol, outcome, jobs, path, *rest = sys.argv[1:]
    log_in = {"imap": imap_login, "pop3": pop3_login}[protocol]
    with open(path, encoding="ascii") as file:
        pairs = [line.rstrip("\n").split(":") for line in file]
    lock, wrong = threading.Lock(), []

    def work():
        while True:
            with lock:
                if not pairs:
                    return
                user, secret = pairs.pop()
            if log_in(user, secret, "canary" in rest) != (user if outcome == "good" else None):
                wrong.append(user)

    threads = [threading.Thread(target=work) for _ in range(int(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
