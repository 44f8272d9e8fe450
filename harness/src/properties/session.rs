//! Whole conversations: our client with a hostile server, and with the reference server.

use std::sync::Arc;

use arbitrary::Unstructured;

use super::world::{PASSWORD, bundled, cuts, pieces, rest, sound, way};
use crate::axes::{Encoding, Mechanism, Security};
use crate::identity::{Access, resolve};
use crate::protocol::hearing::{MOST_SENT, hear};
use crate::protocol::{Action, Login, Outcome, Secured, Session};
use crate::reference::{Authority, Flaw, Flaws, Flow, Session as ServerSession, TlsFacts};
use crate::secret::Password;

/// A channel that is bound.
const EXPORTER: [u8; 32] = [7; 32];

/// A hostile server's octets come to the same however they are cut, to an end, and to no more than so many deviations.
///
/// The input: the way of logging in, the security, whether the server closes at the end, up to four cuts, the octets.
pub fn client_session(input: &[u8]) {
    let _ = hostile_server(&mut Unstructured::new(input));
}

fn hostile_server(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let (protocol, mechanism, encoding) = way(input)?;
    let security = *input.choose(&[Security::Plaintext, Security::Starttls])?;
    let closes = input.arbitrary()?;
    let cuts = cuts(input)?;
    let stream = rest(input);
    let session = || {
        let login = Login::new(protocol, mechanism, br"Domain1\User1", Password::new(PASSWORD));
        let mut session = Session::login(Login { encoding, security, ..login });
        if security == Security::Plaintext {
            session.secured(Secured { exporter: Some(EXPORTER), ..Secured::default() });
        }
        session
    };
    let whole = hear(session(), &[stream], closes);
    let cut = hear(session(), &pieces(stream, cuts), closes);
    assert!(whole == cut, "cuts make a difference: {whole:?} and {cut:?}");
    Ok(())
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
    let outcome = talk(Session::login(login), ServerSession::new(protocol, authority), cuts);
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

/// Lets the two talk in memory until the client has its outcome. Where neither has anything to say, the client's time is
/// up.
fn talk(mut client: Session, mut server: ServerSession, cuts: &[u8]) -> Outcome {
    let mut said = Vec::new();
    server.greeting(&mut said);
    let mut flow = Flow::Continue;
    let mut sent = 0;
    loop {
        match client.poll() {
            Action::Send(outgoing) => {
                sent += 1;
                assert!(sent <= MOST_SENT, "the client sends on and on");
                for piece in pieces(&outgoing.octets, cuts) {
                    if flow == Flow::Continue {
                        flow = server.receive(piece, &mut said);
                    }
                }
            }
            Action::Receive if said.is_empty() => match flow {
                Flow::Close => client.closed(),
                _ => client.timed_out(),
            },
            Action::Receive => {
                let said = std::mem::take(&mut said);
                for piece in pieces(&said, cuts) {
                    client.receive(piece);
                }
            }
            Action::StartTls => {
                said.clear();
                flow = Flow::Continue;
                server.secured(TlsFacts { exporter: Some(EXPORTER), certificate: None });
                client.secured(Secured { exporter: Some(EXPORTER), ..Secured::default() });
            }
            Action::Finished => return client.outcome(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axes::Protocol;

    #[test]
    fn the_two_meet() {
        let login = Login::new(Protocol::Imap, Mechanism::Login, "Same", Password::new("Secret-Same"));
        let outcome = talk(Session::login(login), ServerSession::new(Protocol::Imap, sound(0, false)), &[1, 2, 3]);
        assert_eq!(outcome.word(), "opened");
    }
}
