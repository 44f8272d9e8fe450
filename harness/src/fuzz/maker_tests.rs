//! The same seed makes the same conversations, of every kind, and each can be written down.

use std::sync::Arc;

use super::super::conversation::{Attempt, Command, Said};
use super::super::fixture::ground;
use super::super::speaker::{Circumstances, Speaker};
use super::*;
use crate::axes::{Mechanism, Protocol};
use crate::protocol::Fresh;
use crate::reference::Flaws;
use crate::scenario::Template;

/// A campaign in which every seventh conversation reached something new.
fn learned(ground: &Arc<Ground>, seed: u64) -> (Maker, Vec<Conversation>) {
    let mut maker = Maker::new(seed, vec![Arc::clone(ground)]);
    let mut made = Vec::new();
    for index in 0..WINDOW + 1500 {
        let conversation = maker.make(index).unwrap();
        if index % 7 == 0 {
            maker.learn(index, conversation.clone());
        }
        made.push(conversation);
    }
    (maker, made)
}

#[tokio::test]
async fn the_same_seed_makes_the_same_conversations() {
    let ground = ground(Flaws::NONE).await;
    let (maker, made) = learned(&ground, 7);
    assert_eq!(learned(&ground, 7).1, made);
    assert_ne!(learned(&ground, 8).1, made);
    // A campaign that goes on makes what it would have made without the break.
    let mut again = Maker::new(7, vec![Arc::clone(&ground)]);
    again.learn_again(&maker.pool());
    for (index, conversation) in made.iter().enumerate().rev().take(700) {
        assert_eq!(again.make(index as u64).as_ref(), Some(conversation), "{index}");
    }
}

#[tokio::test]
async fn what_is_made_is_of_every_kind_and_can_be_written_down() {
    let ground = ground(Flaws::NONE).await;
    let (_, made) = learned(&ground, 1);
    let is_any = |holds: &dyn Fn(&Conversation) -> bool| made.iter().any(holds);
    assert!(is_any(&|conversation| !conversation.company.is_empty()));
    assert!(is_any(&|conversation| conversation.commands.iter().any(|command| command.pipelined)));
    assert!(is_any(&|conversation| conversation.commands.iter().any(|command| command.said == Said::StartTls)));
    for &mechanism in Mechanism::ALL {
        let says = |command: &Command| matches!(&command.said, Said::Login(attempt) if attempt.mechanism == mechanism);
        assert!(is_any(&|conversation| conversation.commands.iter().any(says)), "{mechanism}");
    }
    let roles: Vec<String> = ground.target.directory.roles().map(str::to_string).collect();
    for line in made.iter().flat_map(|conversation| &conversation.commands).filter_map(|command| match &command.said {
        Said::Lines(lines) => Some(lines),
        _ => None,
    }) {
        for text in line {
            // What is read again is the same, but for octets that meet.
            let again = Template::parse(&text.notation(), &roles).unwrap();
            assert_eq!(again.notation(), text.notation());
        }
    }
}

/// An attempt says the same whether it is spelt by the client's own commands or as lines.
#[tokio::test]
async fn lines_say_what_the_attempt_says() {
    let ground = ground(Flaws::NONE).await;
    let (_, made) = learned(&ground, 2);
    let mut compared = 0;
    for conversation in &made {
        let protocol = conversation.protocol;
        let circumstances = Circumstances {
            target: &ground.target,
            protocol,
            secured: None,
            greeting: b"",
            offers_plus: false,
            fresh: Fresh::default(),
        };
        let attempts = conversation.commands.iter().filter_map(|command| match &command.said {
            Said::Login(attempt) => Some(attempt.as_ref()),
            _ => None,
        });
        for attempt in attempts.filter(|attempt| (protocol, attempt.mechanism) == (Protocol::Imap, Mechanism::Login)) {
            let plain = |attempt: &Attempt| Attempt { fault: None, ..attempt.clone() };
            let lines = plain(attempt).lines(protocol).unwrap();
            let spoken = |said: &Said| {
                let mut speaker = Speaker::new(said, Some("A1"), &circumstances)?;
                let mut octets = speaker.first().octets;
                while let super::super::speaker::Next::Say(more) = speaker.next(b"") {
                    octets.extend_from_slice(&more.octets);
                }
                Some(octets)
            };
            let own = spoken(&Said::Login(Box::new(plain(attempt))));
            let is_spelt_once = attempt.name.pieces().iter().chain(attempt.password.pieces()).all(|piece| {
                use crate::scenario::{Piece, Spelling};
                !matches!(piece, Piece::Value { spelling, .. } if *spelling != Spelling::AsItIs)
            });
            // A value has one spelling, so that one in capitals cannot be escaped as well.
            if let (Some(own), true) = (own, is_spelt_once) {
                assert_eq!(spoken(&lines[0].said).unwrap().escape_ascii().to_string(), own.escape_ascii().to_string());
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
}
