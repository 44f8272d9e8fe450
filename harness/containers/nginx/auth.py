"""What nginx asks (auth_http) whether a login is good, and where it leads.

The name is compared as nginx hands it on, octet by octet, and not changed: nginx logs in behind with the name that it
read itself. A refusal has no `Auth-Wait`, which takes a second at least: without one nginx closes the connection.
"""

import hashlib
import hmac
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_to_bytes

PORTS = {"imap": "1143", "pop3": "1110"}


def read_accounts():
    accounts = {}
    with open("/srv/accounts", "rb") as lines:
        for line in lines:
            name, password, _mailbox, *flags = line.rstrip(b"\n").split(b"\t")
            if not flags:
                accounts[name] = password
    return accounts


ACCOUNTS = read_accounts()


def proof(method, salt, password):
    """What a client that knows the password would have sent."""
    if method == "apop":
        return hashlib.md5(salt + password).hexdigest().encode()
    if method == "cram-md5":
        return hmac.new(password, salt, "md5").hexdigest().encode()
    return password


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        password = ACCOUNTS.get(self.octets("Auth-User"))
        method = self.headers.get("Auth-Method")
        self.send_response(200)
        if password is not None and proof(method, self.octets("Auth-Salt"), password) == self.octets("Auth-Pass"):
            self.send_header("Auth-Status", "OK")
            self.send_header("Auth-Server", "127.0.0.1")
            self.send_header("Auth-Port", PORTS[self.headers["Auth-Protocol"]])
            # nginx logs in behind with a password, whatever it was shown.
            self.send_header("Auth-Pass", password.decode("latin-1"))
        else:
            self.send_header("Auth-Status", "Invalid login or password")
        self.end_headers()

    def octets(self, name):
        """A header's value: some octets are percent-encoded, and those above x7f are sent as they are."""
        return unquote_to_bytes(self.headers.get(name, "").encode("latin-1"))

    def log_message(self, *_):
        """Nothing: nginx tells of every login itself."""


class Server(ThreadingHTTPServer):
    request_queue_size = 256


Server(("127.0.0.1", 8080), Handler).serve_forever()
