"""pymap with more than one account. Everything that reads or answers a command is pymap's own."""

from datetime import datetime, timezone
from secrets import compare_digest

from pymap.backend import backends
from pymap.backend.dict import Config, DictBackend, FilterSet, Login, MailboxSet
from pymap.main import main
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials.flag import Flag
from pymap.user import UserMetadata
from pysasl import SASLAuth
from pysasl.hashing import Cleartext

from accounts import ACCOUNTS


class Unhashed(Cleartext):
    """Passwords as they are, which CRAM-MD5 needs. pysasl's own compares those outside ASCII with an exception."""

    def copy(self, **_):
        return self

    def verify(self, secret, hash):
        return compare_digest(secret.encode(), hash.encode())


class OpenConfig(Config):
    """Every mechanism for which a password is enough, and before STARTTLS as well."""

    @property
    def tls_auth(self):
        return SASLAuth.named([b"PLAIN", b"LOGIN", b"CRAM-MD5"])

    @property
    def initial_auth(self):
        return self.tls_auth


class Accounts(DictBackend):
    @classmethod
    async def init(cls, args, **overrides):
        # No slow hash and no pause for an unknown user, so that thousands of logins run fast.
        config = OpenConfig.from_args(args, hash_context=Unhashed(), invalid_user_sleep=0.0, **overrides)
        login = Login(config)
        for account in ACCOUNTS:
            # An account without a password is one that nobody can log in to.
            password = None if account.disabled else account.password
            login.users_dict[account.user] = UserMetadata(config, account.user, password=password)
            mailboxes = MailboxSet()
            inbox = await mailboxes.get_mailbox("INBOX")
            arrived = datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
            seen = frozenset({Flag(b"\\Seen")})
            await inbox.append(AppendMessage(account.canary, arrived, seen), recent=False)
            config.set_cache[account.user] = (mailboxes, FilterSet())
        return cls(login, config), config


backends.add("loginspec", Accounts)
main()
