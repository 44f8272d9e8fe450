//! Every flaw shows on the wire: some conversation goes otherwise than with the sound server.

use std::sync::Arc;

use super::fixture::{authority, replies};
use super::flaw::{Flaw, Flaws};
use super::flow::Flow;
use super::sasl::flaw_tests::shows;
use super::session::Session;
use crate::axes::Protocol;

/// A login with every printable octet in the name and in the password, escaped.
const EVERY_OCTET: &str = concat!(
    "a LOGIN \"",
    r##" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"##,
    "\" \"Secret-",
    r##" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"##,
    "\"\r\n"
);

/// A conversation in which each flaw shows; those of the mechanisms show in their own tests.
const fn imap(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::AcceptsAnyPassword | Flaw::WrongTag | Flaw::UntaggedFailure => "a LOGIN Same wrong\r\n",
        Flaw::ClosesOnWrongPassword | Flaw::SilentFailure | Flaw::SlowForKnownUsers => "a LOGIN Same wrong\r\n",
        Flaw::RevealsUnknownUsers => "a LOGIN Nobody wrong\r\n",
        Flaw::AcceptsEmptyPassword => "a LOGIN Same \"\"\r\n",
        Flaw::IgnoresNamedMailbox => "a LOGIN Domain1/Delegate/Principal Secret-Delegate\r\n",
        Flaw::IgnoresPermissions => "a LOGIN Domain1/User1/Alice Secret-User1\r\n",
        Flaw::AssumedMailboxOpensAnyway => "a LOGIN Domain1/User1 Secret-User1\r\n",
        Flaw::IgnoresDomain => "a LOGIN Domain2/Twin/Twin2 Secret-Twin\r\n",
        Flaw::FirstSeparatorOnly => "a LOGIN Domain1/User1/Mailbox1 Secret-User1\r\n",
        Flaw::LastSeparatorSplits => "a LOGIN \"Domain1\\\\Sales\\\\Sales\\\\West\" Secret-Sales\r\n",
        Flaw::BackslashOnly => "a LOGIN Domain1/User1/Mailbox1 Secret-User1\r\n",
        Flaw::CaseSensitive => "a LOGIN domain1/user1/mailbox1 Secret-User1\r\n",
        Flaw::OpensFirstOfAmbiguous => "a LOGIN Domain1/Ambiguous Secret-Ambiguous\r\n",
        Flaw::DisabledMayLogIn => "a LOGIN Domain1/Disabled Secret-Disabled\r\n",
        Flaw::OkBeforeBinding => "a LOGIN Domain1/User1 Secret-User1\r\n",
        // NUL Same NUL Secret-Same
        Flaw::PlainSwapsFields | Flaw::IgnoresInitialResponse => "a AUTHENTICATE PLAIN AFNhbWUAU2VjcmV0LVNhbWU=\r\n",
        // NUL User1@domain1.example/Mailbox1 NUL Secret-User1
        Flaw::PlainIgnoresCompositeBan => {
            "a AUTHENTICATE PLAIN AFVzZXIxQGRvbWFpbjEuZXhhbXBsZS9NYWlsYm94MQBTZWNyZXQtVXNlcjE=\r\n"
        }
        // Alice NUL Same NUL Secret-Same
        Flaw::IgnoresAuthorizationIdentity => "a AUTHENTICATE PLAIN QWxpY2UAU2FtZQBTZWNyZXQtU2FtZQ==\r\n",
        Flaw::KeepsQuotedEscapes => "a LOGIN \"Same\" \"Secret-\\\\\"\r\nb LOGIN \"Domain1\\\\Same\" Secret-Same\r\n",
        Flaw::DropsUnescapedBackslash | Flaw::KeepsUnescapedBackslash | Flaw::HangsOnUnescapedBackslash => {
            "a LOGIN \"Domain1\\Same\" Secret-Same\r\n"
        }
        Flaw::TruncatesLiteral | Flaw::RefusesLiterals => "a LOGIN {4+}\r\nSame Secret-Same\r\n",
        Flaw::AcceptsBackslashAtom => "a LOGIN Domain1\\Same Secret-Same\r\n",
        // The NUL is no part of a literal; a sound server refuses it.
        Flaw::TruncatesAtNul => "a LOGIN {6+}\r\nSame\0x Secret-Same\r\n",
        Flaw::DropsPercent => "a LOGIN \"S%ame\" Secret-Same\r\n",
        Flaw::TrimsNames => "a LOGIN \" Same\" Secret-Same\r\n",
        Flaw::NormalisesNames => "a LOGIN \"Domain1\u{ff3c}Same\u{ff3c}Same\" Secret-Same\r\n",
        Flaw::ComparesEightOctets => "a LOGIN Same Secret-SX\r\n",
        Flaw::RefusesAfterFailure => "a LOGIN Same wrong\r\nb LOGIN Same Secret-Same\r\n",
        Flaw::DropsPipelined => "a LOGIN Same Secret-Same\r\nb NOOP\r\n",
        Flaw::RefusesAdvertisedPlain => "a AUTHENTICATE PLAIN AFNhbWUAU2VjcmV0LVNhbWU=\r\n",
        Flaw::HiddenPlain => "a CAPABILITY\r\n",
        Flaw::UnescapesNameOnly => EVERY_OCTET,
        Flaw::RefusesLegalAtoms => "a LOGIN Same~ x\r\n",
        Flaw::RunsLiteralOctets => "a LOGIN {6+}\r\nb NOOP {3+}\r\nxyz\r\n",
        Flaw::LowerCasesTags => "A LOGIN Same wrong\r\n",
        Flaw::ClosesOnHighOctets => "a LOGIN {2+}\r\n\u{e9} x\r\n",
        // POP3's, what needs an answer to a challenge, and what needs TLS: see the tests of those.
        _ => "",
    }
}

/// Likewise in POP3; nothing where the flaw is IMAP's only.
const fn pop3(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::AcceptsAnyPassword | Flaw::ClosesOnWrongPassword | Flaw::SilentFailure => "USER Same\r\nPASS wrong\r\n",
        Flaw::SlowForKnownUsers => "USER Same\r\nPASS wrong\r\n",
        Flaw::RevealsUnknownUsers => "USER Nobody\r\nPASS wrong\r\n",
        Flaw::AcceptsEmptyPassword => "USER Same\r\nPASS \r\n",
        Flaw::IgnoresNamedMailbox => "USER Domain1\\Delegate\\Principal\r\nPASS Secret-Delegate\r\n",
        Flaw::IgnoresPermissions => "USER Domain1\\User1\\Alice\r\nPASS Secret-User1\r\n",
        Flaw::AssumedMailboxOpensAnyway => "USER Domain1\\User1\r\nPASS Secret-User1\r\n",
        Flaw::IgnoresDomain => "USER Domain2\\Twin\\Twin2\r\nPASS Secret-Twin\r\n",
        Flaw::FirstSeparatorOnly => "USER Domain1\\User1\\Mailbox1\r\nPASS Secret-User1\r\n",
        Flaw::LastSeparatorSplits => "USER Domain1\\Sales\\Sales\\West\r\nPASS Secret-Sales\r\n",
        Flaw::BackslashOnly => "USER Domain1/User1/Mailbox1\r\nPASS Secret-User1\r\n",
        Flaw::CaseSensitive => "USER domain1\\user1\\mailbox1\r\nPASS Secret-User1\r\n",
        Flaw::OpensFirstOfAmbiguous => "USER Domain1\\Ambiguous\r\nPASS Secret-Ambiguous\r\n",
        Flaw::DisabledMayLogIn => "USER Domain1\\Disabled\r\nPASS Secret-Disabled\r\n",
        Flaw::OkBeforeBinding => "USER Domain1\\User1\r\nPASS Secret-User1\r\n",
        Flaw::PlainSwapsFields | Flaw::IgnoresInitialResponse => "AUTH PLAIN AFNhbWUAU2VjcmV0LVNhbWU=\r\n",
        Flaw::PlainIgnoresCompositeBan => "AUTH PLAIN AFVzZXIxQGRvbWFpbjEuZXhhbXBsZS9NYWlsYm94MQBTZWNyZXQtVXNlcjE=\r\n",
        Flaw::IgnoresAuthorizationIdentity => "AUTH PLAIN QWxpY2UAU2FtZQBTZWNyZXQtU2FtZQ==\r\n",
        Flaw::TruncatesAtNul => "USER Same\0x\r\nPASS Secret-Same\r\n",
        Flaw::DropsPercent => "USER S%ame\r\nPASS Secret-Same\r\n",
        Flaw::TrimsNames => "USER  Same\r\nPASS Secret-Same\r\n",
        Flaw::NormalisesNames => "USER Domain1\u{ff3c}Same\u{ff3c}Same\r\nPASS Secret-Same\r\n",
        Flaw::ComparesEightOctets => "USER Same\r\nPASS Secret-SX\r\n",
        Flaw::RefusesAfterFailure => "USER Same\r\nPASS wrong\r\nUSER Same\r\nPASS Secret-Same\r\n",
        Flaw::DropsPipelined => "USER Same\r\nPASS Secret-Same\r\n",
        Flaw::RefusesAdvertisedPlain => "AUTH PLAIN AFNhbWUAU2VjcmV0LVNhbWU=\r\n",
        Flaw::HiddenPlain => "CAPA\r\n",
        Flaw::KeepsUserAfterFailure => "USER Same\r\nPASS wrong\r\nPASS Secret-Same\r\n",
        Flaw::FirstUserCounts => "USER Same\r\nUSER Nobody\r\nPASS Secret-Same\r\n",
        Flaw::UserStopsAtSpace | Flaw::PassStopsAtSpace => "USER First Last\r\nPASS Secret-First Last\r\n",
        _ => "",
    }
}

/// What the server answers to a login and to a look at the canary.
fn answers(protocol: Protocol, flaws: Flaws, login: &str) -> (String, Flow) {
    let look = match protocol {
        Protocol::Imap => "y EXAMINE INBOX\r\nz FETCH 1 BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)]\r\n",
        Protocol::Pop3 => "STAT\r\nTOP 1 0\r\n",
    };
    let (out, flow) = replies(protocol, flaws, format!("{login}{look}").as_bytes());
    (String::from_utf8_lossy(&out).into_owned(), flow)
}

#[test]
fn every_flaw_shows_in_each_of_its_protocols() {
    for &flaw in Flaw::ALL.iter().filter(|&&flaw| !shows(flaw) && !super::tls_tests::FLAWS.contains(&flaw)) {
        for &protocol in Protocol::ALL {
            let login = match protocol {
                Protocol::Imap => imap(flaw),
                Protocol::Pop3 => pop3(flaw),
            };
            let exists = flaw.protocols().contains(&protocol);
            assert_eq!(exists, !login.is_empty(), "{protocol} {}", flaw.name());
            // The one that shows in no octet has a test of its own.
            if exists && flaw != Flaw::SlowForKnownUsers {
                let sound = answers(protocol, Flaws::NONE, login);
                let flawed = answers(protocol, flaw.into(), login);
                assert_ne!(sound, flawed, "{protocol} {}", flaw.name());
            }
        }
    }
}

#[test]
fn flaws_show_as_they_are_described() {
    let canary = |flaw: Flaw| {
        let (out, _) = answers(Protocol::Imap, flaw.into(), imap(flaw));
        let (_, after) = out.split_once("X-Loginspec-Mailbox: ")?;
        after.split_once("\r\n").map(|(mailbox, _)| mailbox.to_string())
    };
    for (flaw, mailbox) in [
        (Flaw::AcceptsAnyPassword, "Same"),
        (Flaw::AcceptsEmptyPassword, "Same"),
        (Flaw::IgnoresNamedMailbox, "Delegate"),
        (Flaw::IgnoresPermissions, "Alice"),
        (Flaw::AssumedMailboxOpensAnyway, "Mailbox1"),
        (Flaw::OpensFirstOfAmbiguous, "Ambiguous-1"),
        (Flaw::DisabledMayLogIn, "Disabled"),
        (Flaw::PlainIgnoresCompositeBan, "Mailbox1"),
        (Flaw::IgnoresAuthorizationIdentity, "Same"),
        (Flaw::KeepsUnescapedBackslash, "Same"),
        (Flaw::AcceptsBackslashAtom, "Same"),
    ] {
        assert_eq!(canary(flaw).as_deref(), Some(mailbox), "{}", flaw.name());
    }
    let (out, flow) =
        answers(Protocol::Imap, Flaw::HangsOnUnescapedBackslash.into(), imap(Flaw::HangsOnUnescapedBackslash));
    assert_eq!((out.as_str(), flow), ("", Flow::Hang));
    let (out, _) = answers(Protocol::Imap, Flaw::OkBeforeBinding.into(), imap(Flaw::OkBeforeBinding));
    assert!(out.starts_with("a OK ") && out.contains("\r\ny BAD "), "{out}");
}

#[test]
fn a_password_that_is_verified_takes_time_with_one_flaw_only() {
    let takes_time = |flaws: Flaws, login: &str, protocol: Protocol| {
        let mut session = Session::new(protocol, Arc::new(authority(flaws)));
        let mut out = Vec::new();
        session.receive(login.as_bytes(), &mut out);
        let takes_time = session.takes_time();
        assert!(!session.takes_time(), "it takes time once");
        takes_time
    };
    for &protocol in Protocol::ALL {
        for (user, password, expected) in [("Same", "wrong", true), ("Nobody", "wrong", false)] {
            let login = match protocol {
                Protocol::Imap => format!("a LOGIN {user} {password}\r\n"),
                Protocol::Pop3 => format!("USER {user}\r\nPASS {password}\r\n"),
            };
            assert_eq!(takes_time(Flaw::SlowForKnownUsers.into(), &login, protocol), expected, "{login}");
            assert!(!takes_time(Flaws::NONE, &login, protocol), "{login}");
        }
    }
}
