"""Accounts and mailboxes for Twisted's IMAP and POP3 servers. What reads and answers commands is Twisted's own."""

import sys
from email import message_from_bytes
from io import BytesIO

from twisted.cred import checkers, credentials, error, portal
from twisted.internet import defer, protocol, reactor, ssl
from twisted.mail import imap4, pop3
from twisted.python import log
from zope.interface import implementer

from accounts import ACCOUNTS

BY_USER = {account.user.encode(): account for account in ACCOUNTS}


@implementer(checkers.ICredentialsChecker)
class Checker:
    credentialInterfaces = (credentials.IUsernamePassword, credentials.IUsernameHashedPassword)

    def requestAvatarId(self, shown):
        account = BY_USER.get(shown.username)
        if account is None or account.disabled or not shown.checkPassword(account.password.encode()):
            return defer.fail(error.UnauthorizedLogin())
        return defer.succeed(shown.username)


@implementer(imap4.IMessage, imap4.IMessageFile)
class Message:
    def __init__(self, octets):
        self.octets = octets
        self.parsed = message_from_bytes(octets)

    def getUID(self):
        return 1

    def getFlags(self):
        return ["\\Seen"]

    def getInternalDate(self):
        return "14-Nov-2023 22:13:20 +0000"

    def getHeaders(self, negate, *names):
        wanted = {name.decode().lower() if isinstance(name, bytes) else name.lower() for name in names}
        return {name.lower(): value for name, value in self.parsed.items() if (name.lower() in wanted) != negate}

    def getBodyFile(self):
        return BytesIO(self.octets.partition(b"\r\n\r\n")[2])

    def getSize(self):
        return len(self.octets)

    def isMultipart(self):
        return False

    def getSubPart(self, part):
        raise IndexError(part)

    def open(self):
        return BytesIO(self.octets)


@implementer(imap4.IMailbox)
class Inbox:
    """One message, which cannot be changed."""

    def __init__(self, account):
        self.message = Message(account.canary)
        self.uid_validity = 1700000000 + ACCOUNTS.index(account)

    def getUIDValidity(self):
        return self.uid_validity

    def getUIDNext(self):
        return 2

    def getUID(self, message):
        return 1

    def getMessageCount(self):
        return 1

    def getRecentCount(self):
        return 0

    def getUnseenCount(self):
        return 0

    def isWriteable(self):
        return False

    def getFlags(self):
        return ["\\Seen"]

    def getHierarchicalDelimiter(self):
        return "/"

    def requestStatus(self, names):
        return imap4.statusRequestHelper(self, names)

    def addListener(self, listener):
        pass

    def removeListener(self, listener):
        pass

    def fetch(self, messages, uid):
        messages.last = 1
        return [(1, self.message)] if 1 in messages else []

    def store(self, messages, flags, mode, uid):
        raise imap4.ReadOnlyMailbox("INBOX")

    def addMessage(self, message, flags=(), date=None):
        raise imap4.ReadOnlyMailbox("INBOX")

    def expunge(self):
        raise imap4.ReadOnlyMailbox("INBOX")

    def destroy(self):
        raise imap4.ReadOnlyMailbox("INBOX")


class Maildrop(pop3.Mailbox):
    def __init__(self, account):
        self.account = account

    def listMessages(self, index=None):
        return len(self.account.canary) if index is not None else [len(self.account.canary)]

    def getMessage(self, index):
        # The server makes CR LF of each LF.
        return BytesIO(self.account.canary.replace(b"\r\n", b"\n"))

    def getUidl(self, index):
        return b"canary-%d" % ACCOUNTS.index(self.account)


@implementer(portal.IRealm)
class Realm:
    def requestAvatar(self, user, mind, *interfaces):
        account = BY_USER[user]
        if pop3.IMailbox in interfaces:
            return pop3.IMailbox, Maildrop(account), lambda: None
        avatar = imap4.MemoryAccount(user)
        avatar.addMailbox("INBOX", Inbox(account))
        return imap4.IAccount, avatar, lambda: None


PORTAL = portal.Portal(Realm(), [Checker()])
with open("/srv/tls/server.pem") as certificate, open("/srv/tls/server.key") as key:
    TLS = ssl.PrivateCertificate.loadPEM(certificate.read() + key.read()).options()


class IMAP4(imap4.IMAP4Server):
    portal = PORTAL

    def capabilities(self):
        # Passwords in the clear are allowed.
        return {name: value for name, value in super().capabilities().items() if name != b"LOGINDISABLED"}


class IMAP4Factory(protocol.Factory):
    def buildProtocol(self, address):
        challengers = {
            b"PLAIN": imap4.PLAINCredentials,
            b"LOGIN": imap4.LOGINCredentials,
            b"CRAM-MD5": credentials.CramMD5Credentials,
        }
        server = IMAP4(challengers, TLS)
        server.factory = self
        return server


class POP3(pop3.POP3):
    portal = PORTAL


@implementer(pop3.IServerFactory)
class POP3Factory(protocol.Factory):
    protocol = POP3
    # The only mechanism that its AUTH can do.
    challengers = {b"CRAM-MD5": credentials.CramMD5Credentials}

    def cap_IMPLEMENTATION(self):
        return "Twisted"

    def cap_EXPIRE(self):
        raise NotImplementedError

    def cap_LOGIN_DELAY(self):
        raise NotImplementedError

    def perUserExpiration(self):
        return False

    def perUserLoginDelay(self):
        return False


log.startLogging(sys.stderr)
BACKLOG = 256
reactor.listenTCP(143, IMAP4Factory(), BACKLOG)
reactor.listenTCP(110, POP3Factory(), BACKLOG)
reactor.listenSSL(993, IMAP4Factory(), TLS, BACKLOG)
reactor.listenSSL(995, POP3Factory(), TLS, BACKLOG)
reactor.run()
