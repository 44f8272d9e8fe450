//! Every way in which a conversation can be a little simpler, what removes most first.

use super::conversation::{Attempt, Command, Conversation, Cut, Said, octets, value};
use crate::axes::{Encoding, Mechanism, Protocol, Security};
use crate::runner::NOBODYS_PASSWORD;
use crate::scenario::{Piece, Spelling, Template, Value};

/// The conversations that are a step simpler than this one. `plaintext` says whether one may begin without TLS.
pub(super) fn simpler(conversation: &Conversation, plaintext: bool) -> Vec<Conversation> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Conversation)| {
        let mut simpler = conversation.clone();
        change(&mut simpler);
        if simpler != *conversation {
            found.push(simpler);
        }
    };
    with(&|simpler| simpler.company.clear());
    // Who keeps company may be who does it.
    for commands in &conversation.company {
        with(&|simpler| {
            simpler.commands.clone_from(commands);
            simpler.company.clear();
        });
    }
    with(&|simpler| simpler.cut = Cut::Whole);
    if plaintext {
        with(&|simpler| simpler.security = Security::Plaintext);
    }
    // What only goes on within TLS may begin there, as the client of a scenario begins.
    if conversation.security == Security::Plaintext
        && let [Command { said: Said::StartTls, pipelined: false }, ..] = conversation.commands.as_slice()
    {
        with(&|simpler| {
            simpler.security = Security::Starttls;
            simpler.commands.remove(0);
        });
    }
    with(&|simpler| simpler.certified = None);
    let count = conversation.commands.len();
    for size in [count / 2, 2, 1] {
        for at in (0..count).step_by(size.max(1)) {
            if size > 0 && size < count {
                with(&|simpler| drop(simpler.commands.drain(at..(at + size).min(count))));
            }
        }
    }
    for at in 0..count {
        with(&|simpler| {
            if let Some(command) = simpler.commands.get_mut(at) {
                command.pipelined = false;
            }
        });
    }
    for (at, command) in conversation.commands.iter().enumerate() {
        for said in simpler_said(&command.said, conversation.protocol) {
            with(&|simpler| {
                if let Some(command) = simpler.commands.get_mut(at) {
                    command.said = said.clone();
                }
            });
        }
    }
    found
}

fn simpler_said(said: &Said, protocol: Protocol) -> Vec<Said> {
    match said {
        Said::StartTls => Vec::new(),
        Said::Login(attempt) => {
            let simpler = simpler_attempts(attempt, protocol);
            simpler.into_iter().map(|attempt| Said::Login(Box::new(attempt))).collect()
        }
        Said::Lines(lines) => {
            let mut found = Vec::new();
            if lines.len() > 1 {
                found.push(Said::Lines(lines.get(..lines.len() - 1).unwrap_or_default().to_vec()));
            }
            for (at, line) in lines.iter().enumerate() {
                for text in simpler_texts(line, false) {
                    let mut lines = lines.clone();
                    if let Some(line) = lines.get_mut(at) {
                        *line = text;
                    }
                    found.push(Said::Lines(lines));
                }
            }
            found
        }
    }
}

fn simpler_attempts(attempt: &Attempt, protocol: Protocol) -> Vec<Attempt> {
    let mut found = Vec::new();
    let mut with = |change: &dyn Fn(&mut Attempt)| {
        let mut simpler = attempt.clone();
        change(&mut simpler);
        if simpler != *attempt {
            found.push(simpler);
        }
    };
    with(&|simpler| simpler.fault = None);
    with(&|simpler| simpler.authzid = None);
    if attempt.fault.is_none() && attempt.authzid.is_none() && attempt.mechanism != Mechanism::Login {
        with(&|simpler| {
            simpler.mechanism = Mechanism::Login;
            simpler.encoding = Encoding::default_for(protocol, Mechanism::Login);
        });
    }
    with(&|simpler| simpler.encoding = Encoding::default_for(protocol, simpler.mechanism));
    // The plainest names of the account, the plainest last, and then none: it must never go back and forth between them.
    let (user, login) = (value(&attempt.role, Value::User), value(&attempt.role, Value::Login));
    if attempt.name != user && !attempt.name.pieces().is_empty() {
        with(&|simpler| simpler.name = user.clone());
        if attempt.name != login {
            with(&|simpler| simpler.name = login.clone());
        }
    }
    let own = if attempt.mechanism.takes_token() { Value::Token } else { Value::Password };
    // A wrong password that is plainly wrong is simpler than one that is nearly right, and none is simplest of all.
    if attempt.password != value(&attempt.role, own) && !attempt.password.pieces().is_empty() {
        with(&|simpler| simpler.password = value(&simpler.role, own));
        with(&|simpler| simpler.password = octets(NOBODYS_PASSWORD));
    }
    for text in simpler_texts(&attempt.name, true) {
        with(&|simpler| simpler.name = text.clone());
    }
    for text in simpler_texts(&attempt.password, true) {
        with(&|simpler| simpler.password = text.clone());
    }
    if let Some(authzid) = &attempt.authzid {
        for text in simpler_texts(authzid, true) {
            with(&|simpler| simpler.authzid = Some(text.clone()));
        }
    }
    found
}

/// The texts that are a step simpler. Values go over into each other never: a text says less, not something else.
fn simpler_texts(text: &Template, may_be_empty: bool) -> Vec<Template> {
    let pieces = text.pieces();
    let mut found = Vec::new();
    if pieces.len() > 1 || may_be_empty {
        for at in 0..pieces.len() {
            // A bare password is no name, and no password is simpler than the one that nobody has.
            let mut rest = pieces.to_vec();
            rest.remove(at);
            found.push(Template::of_pieces(rest));
        }
    }
    for (at, piece) in pieces.iter().enumerate() {
        for simpler in simpler_pieces(piece) {
            let mut pieces = pieces.to_vec();
            if let Some(piece) = pieces.get_mut(at) {
                *piece = simpler;
            }
            found.push(Template::of_pieces(pieces));
        }
    }
    found
}

fn simpler_pieces(piece: &Piece) -> Vec<Piece> {
    match piece {
        Piece::Octets(octets) if octets.as_slice() == NOBODYS_PASSWORD => Vec::new(),
        Piece::Octets(octets) => {
            let mut found = Vec::new();
            let length = octets.len();
            let mut size = length / 2;
            while size > 0 {
                for at in (0..length).step_by(size) {
                    let mut rest = octets.clone();
                    rest.drain(at..(at + size).min(length));
                    if !rest.is_empty() {
                        found.push(Piece::Octets(rest));
                    }
                }
                size /= 2;
            }
            found
        }
        Piece::Value { role, value, spelling } if !matches!(spelling, Spelling::AsItIs | Spelling::Escaped) => {
            vec![Piece::Value { role: role.clone(), value: *value, spelling: Spelling::AsItIs }]
        }
        Piece::Base64(inner) => simpler_texts(inner, true).into_iter().map(Piece::Base64).collect(),
        _ => Vec::new(),
    }
}

/// How much there is to a conversation: what shrinks has less of it.
pub(super) fn steps(conversation: &Conversation) -> usize {
    let of = |commands: &[Command]| {
        commands
            .iter()
            .map(|command| match &command.said {
                Said::Lines(lines) => lines.len(),
                Said::Login(_) | Said::StartTls => 1,
            })
            .sum::<usize>()
    };
    of(&conversation.commands) + conversation.company.iter().map(|commands| of(commands)).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::ground;
    use super::super::maker::Maker;
    use super::*;
    use crate::reference::Flaws;

    async fn made() -> Vec<Conversation> {
        let maker = Maker::new(3, vec![ground(Flaws::NONE).await]);
        (0..400).map(|index| maker.make(index).unwrap()).collect()
    }

    #[tokio::test]
    async fn whatever_is_taken_it_comes_to_an_end() {
        let mut rng = fastrand::Rng::with_seed(5);
        for mut conversation in made().await {
            let mut taken = 0;
            while let Some(simpler) = rng.choice(simpler(&conversation, true)) {
                conversation = simpler;
                taken += 1;
                assert!(taken < 2000, "{conversation:?}");
            }
            assert!(conversation.commands.len() <= 1 && conversation.company.is_empty(), "{conversation:?}");
        }
    }

    #[tokio::test]
    async fn what_goes_on_within_tls_may_begin_there() {
        let starts = |conversation: &Conversation| {
            conversation.security == Security::Plaintext
                && matches!(conversation.commands.as_slice(), [first, _] if *first == Command::new(Said::StartTls))
        };
        let conversation = made().await.into_iter().find(starts).unwrap();
        let begins = simpler(&conversation, true).into_iter().find(|simpler| simpler.security == Security::Starttls);
        assert_eq!(begins.unwrap().commands, conversation.commands[1..]);
    }
}
