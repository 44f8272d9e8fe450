//! Whole conversations: our client with a hostile server, and with the reference server.

use std::sync::Arc;

use arbitrary::Unstructured;

use super::talk::{EXPORTER, talk};
use super::world::{PASSWORD, bundled, cuts, pieces, rest, sound, way};
use crate::axes::{Encoding, Mechanism, Protocol, Security, Way};
use crate::identity::{Access, resolve};
use crate::protocol::hearing::{MOST_SENT, hear};
use crate::protocol::{
    DialogueStep, Expected, Login, Outcome, Outgoing, Secured, Session, Word, WordPattern, canary_message,
};
use crate::reference::{Authority, Flaw, Flaws, Session as ServerSession};
use crate::scenario::describe;
use crate::secret::Password;

/// What a client wants of a server, and what protects the connection meanwhile.
pub(super) const WANTED: &[(Wanted, Security)] = &[
    (Wanted::Login, Security::Plaintext),
    (Wanted::Login, Security::Starttls),
    (Wanted::Survey, Security::Plaintext),
    (Wanted::Survey, Security::Starttls),
    (Wanted::Delivery, Security::Plaintext),
    (Wanted::Delivery, Security::Starttls),
    (Wanted::Dialogue, Security::Plaintext),
    (Wanted::Dialogue, Security::Starttls),
];

/// Who wants it.
pub(super) const NAME: &[u8] = br"Domain1\User1\Mailbox1";

#[derive(Clone, Copy)]
pub(super) enum Wanted {
    Login,
    Survey,
    Delivery,
    Dialogue,
}

/// A hostile server's octets come to the same however they are cut, to an end, and to no more than so many deviations,
/// whether the client logs in, asks what there is, delivers a canary or follows a script.
///
/// The input: the way of logging in, what is wanted and the security, whether the server closes at the end, up to four
/// cuts, the octets.
pub fn client_session(input: &[u8]) {
    let _ = hostile_server(&mut Unstructured::new(input));
}

fn hostile_server(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let way = way(input)?;
    let wanted = *input.choose(WANTED)?;
    let closes = input.arbitrary()?;
    let cuts = cuts(input)?;
    let stream = rest(input);
    let whole = hear(client(way, wanted), &[stream], closes);
    let cut = hear(client(way, wanted), &pieces(stream, cuts), closes);
    assert!(whole == cut, "cuts make a difference: {whole:?} and {cut:?}");
    let (_, _, outcome) = whole;
    assert!(!outcome.word().is_empty() && !describe(&outcome).is_empty(), "nothing is said of {outcome:?}");
    Ok(())
}

/// A client that wants something.
pub(super) fn client((protocol, mechanism, encoding): Way, (wanted, security): (Wanted, Security)) -> Session {
    let login = Login::new(protocol, mechanism, NAME, Password::new(PASSWORD));
    let login = Login { encoding, security, ..login };
    let mut session = match wanted {
        Wanted::Login => Session::login(login),
        Wanted::Survey => Session::survey(protocol, security),
        Wanted::Delivery => Session::delivery(login, canary()),
        Wanted::Dialogue => Session::dialogue(protocol, security, script(protocol)),
    };
    if security == Security::Plaintext {
        session.secured(Secured { exporter: Some(EXPORTER), ..Secured::default() });
    }
    session
}

fn canary() -> Vec<u8> {
    canary_message(b"Mailbox1", "Mon, 1 Jan 2024 00:00:00 +0000", "1").unwrap_or_default()
}

/// A script with every kind of step and of word.
fn script(protocol: Protocol) -> Vec<DialogueStep> {
    let line = |words: &[WordPattern]| Expected::Line { words: words.to_vec() };
    let words = |words: &[&str]| WordPattern::words(words.iter().map(|word| word.as_bytes()));
    let starts = |octets: &[u8]| WordPattern::OneOf(vec![Word { octets: octets.to_vec(), is_prefix: true }]);
    let (greeting, ok, asks, begins) = match protocol {
        Protocol::Imap => (words(&["*"]), words(&["a"]), "a NOOP\r\n", "a STARTTLS\r\n"),
        Protocol::Pop3 => (words(&["+OK"]), words(&["+OK"]), "CAPA\r\n", "STLS\r\n"),
    };
    let unless = WordPattern::NoneOf(vec![Word::new("STARTTLS"), Word::new("STLS")]);
    vec![
        DialogueStep::Expect(vec![line(&[greeting]), Expected::Closed]),
        DialogueStep::Send(Outgoing::plain(asks)),
        DialogueStep::PassOver { without: vec![Word::new("BYE")] },
        DialogueStep::Expect(vec![line(&[ok.clone(), WordPattern::Gap, starts(b"done")]), line(&[ok.clone(), unless])]),
        DialogueStep::Send(Outgoing::plain(begins)),
        DialogueStep::Expect(vec![line(&[ok])]),
        DialogueStep::StartTls { or_fails: true },
        DialogueStep::Expect(vec![Expected::Closed]),
    ]
}

/// Client and reference server come to what dialect and directory say, however their octets are cut: a login that is not
/// right opens nothing, one that is opens the mailbox that is meant. A server with a flaw may do otherwise; the
/// conversation ends all the same.
///
/// The input: dialect, way, security, role, whether the password is right, a flaw or none, cuts; the rest is the login
/// name, or where there is none the role's own user name.
pub fn session_pair(input: &[u8]) {
    let _ = pair(&mut Unstructured::new(input));
}

fn pair(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let number: u8 = input.arbitrary()?;
    let (protocol, mechanism, encoding) = way(input)?;
    let security = *input.choose(&[Security::Plaintext, Security::Starttls])?;
    let directory = &bundled().1;
    let account = input.choose(&directory.accounts)?;
    let is_right = input.arbitrary::<bool>()?;
    let flaw = input.arbitrary::<bool>()?.then(|| input.choose(Flaw::ALL)).transpose()?.copied();
    let cuts = cuts(input)?;
    let typed = rest(input);
    let name = if typed.is_empty() { account.user.as_slice() } else { typed };

    let sound = sound(number, security == Security::Starttls);
    let authority = match flaw {
        None => Arc::clone(&sound),
        Some(flaw) => Arc::new(
            Authority::new(sound.dialect().clone(), directory.clone(), Flaws::from(flaw))
                .with_tls(security == Security::Starttls, false),
        ),
    };
    let right = account.token.as_ref().filter(|_| mechanism.takes_token()).unwrap_or(&account.password);
    let password = if is_right { right.clone() } else { Password::new("Wrong-for-everybody") };
    let login = Login { encoding, security, ..Login::new(protocol, mechanism, name, password.clone()) };
    let server = ServerSession::new(protocol, authority);
    let outcome = talk(Session::login(login), server, security, cuts, MOST_SENT).outcome;
    if flaw.is_some() {
        return Ok(());
    }
    let access = Access { protocol, mechanism };
    let resolution = resolve(sound.dialect(), directory, name, access).1;
    let knows =
        resolution.credentials.is_some_and(|credentials| credentials.password == password && !credentials.disabled);
    let at = || format!("{} {access:?} {encoding:?} as {}: {outcome:?}", sound.dialect().name, name.escape_ascii());
    if let Outcome::Opened { mailbox, .. } = &outcome
        && !matches!(mechanism, Mechanism::Anonymous | Mechanism::Xoauth2 | Mechanism::Oauthbearer)
    {
        assert!(knows, "in without the password: {}", at());
        assert_eq!(mailbox.as_deref(), resolution.opens.ok(), "another mailbox: {}", at());
    }
    // SASLprep and the charset of DIGEST-MD5 may make another name of one that is not plain; NTLM has no place for some.
    let is_plain = name.iter().all(u8::is_ascii_graphic) && mechanism != Mechanism::Ntlm && !mechanism.takes_token();
    let is_default = encoding == Encoding::default_for(protocol, mechanism);
    let is_meant = sound.offers(access) && mechanism.fits_security(Security::Plaintext);
    if let Ok(mailbox) = resolution.opens
        && knows
        && is_plain
        && is_default
        && is_meant
        && name.len() <= 64
        && mechanism != Mechanism::Anonymous
    {
        assert!(
            matches!(&outcome, Outcome::Opened { mailbox: Some(opened), .. } if opened == mailbox),
            "should have opened {}: {}",
            mailbox.escape_ascii(),
            at()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_meet() {
        let login = Login::new(Protocol::Imap, Mechanism::Login, "Same", Password::new("Secret-Same"));
        let server = ServerSession::new(Protocol::Imap, sound(0, false));
        let talked = talk(Session::login(login), server, Security::Plaintext, &[1, 2, 3], MOST_SENT);
        assert_eq!(talked.outcome.word(), "opened");
    }
}
