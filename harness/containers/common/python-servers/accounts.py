"""The accounts of target.toml, for servers that are Python themselves: user, mailbox, whether it may log in."""

from typing import NamedTuple


class Account(NamedTuple):
    user: str
    mailbox: str
    disabled: bool = False

    @property
    def password(self) -> str:
        return "Secret-" + self.user

    @property
    def canary(self) -> bytes:
        """The message that proves which mailbox a login opened, with lines that end in CR LF."""
        return (
            "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
            "From: loginspec <canary@loginspec.example>\r\n"
            "Subject: canary\r\n"
            f"X-Loginspec-Mailbox: {self.mailbox}\r\n"
            "\r\n"
            f"You have opened the mailbox {self.mailbox}.\r\n"
        ).encode()


ACCOUNTS = [
    Account("Same", "Same"),
    Account("User1", "Mailbox1"),
    Account("Alice", "Bob"),
    Account("Bob", "Alice"),
    Account("Delegate", "Delegate"),
    Account("Principal", "Principal"),
    Account("Twin", "Twin"),
    Account("First Last", "First Last"),
    Account("Sales", "Sales\\West"),
    # Twisted's IMAP server sends no header with octets above x7f.
    Account("Jürgen", "Juergen"),
    Account("Disabled", "Disabled", disabled=True),
    Account("".join(map(chr, range(0x20, 0x7F))), "Printable"),
    Account("Comma,Equals=", "Comma,Equals="),
    Account("anonymous", "Anonymous"),
]
