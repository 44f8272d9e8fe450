//! Puts a conversation to its target: connects, plays every part at once, and judges what came of it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::comparison::{Observation, observe};
use super::conversation::{Conversation, Said};
use super::course::Course;
use super::ground::Ground;
use super::heard::Heard;
use super::judge::judge;
use super::oracle::{Oracle, Violation};
use super::play::{Equipment, play};
use super::state_map::{Reached, walk};
use crate::protocol::Fresh;
use crate::transport::{ConnectError, Deadlines, connect};

/// How many times the deadline for one reply a whole conversation gets.
const ROUNDS: u32 = 24;

/// What one conversation came to.
pub(super) struct Scene {
    pub heard: Heard,
    pub violations: Vec<Violation>,
    pub observations: Vec<Observation>,
    pub walked: Vec<Reached>,
}

impl Scene {
    /// What was not answered.
    pub fn unanswered(&self) -> Option<&Violation> {
        self.violations.iter().find(|violation| violation.oracle == Oracle::NoReply)
    }
}

/// Has a conversation. An error says why there was no connection.
pub(super) async fn perform(
    ground: &Arc<Ground>,
    conversation: &Conversation,
    deadlines: Deadlines,
    source: Option<Ipv4Addr>,
    nonce: [u8; 16],
) -> Result<Scene, String> {
    let mut others = JoinSet::new();
    for commands in &conversation.company {
        let part = Conversation { commands: commands.clone(), company: Vec::new(), ..conversation.clone() };
        let ground = Arc::clone(ground);
        others.spawn(async move {
            let heard = one(&ground, &part, deadlines, source, nonce).await.ok()?;
            Some(judge(&part, &ground, &heard))
        });
    }
    let heard = one(ground, conversation, deadlines, source, nonce).await?;
    let mut violations = judge(conversation, ground, &heard);
    while let Some(joined) = others.join_next().await {
        // What happens to the company is told as what happens to all of them.
        for mut violation in joined.ok().flatten().unwrap_or_default() {
            violation.command = None;
            violations.push(violation);
        }
    }
    let observations = observe(conversation, ground, &heard);
    let walked = walk(conversation, &heard);
    Ok(Scene { heard, violations, observations, walked })
}

async fn one(
    ground: &Ground,
    conversation: &Conversation,
    deadlines: Deadlines,
    source: Option<Ipv4Addr>,
    nonce: [u8; 16],
) -> Result<Heard, String> {
    let Conversation { protocol, security, .. } = *conversation;
    let place = ground
        .place(protocol, security)
        .ok_or_else(|| format!("{} has no port for {protocol}, {security}", ground.target.name))?;
    let needs_tls = conversation.needs_tls();
    let certified = conversation.certified.as_deref();
    let tls = if needs_tls { Some(ground.target.tls_client(&place.endpoint, certified)?) } else { None };
    let address = &place.endpoint.address;
    let stream = match connect(address, source, deadlines.connect).await {
        Ok(stream) => stream,
        Err(ConnectError::Io(_)) if source.is_some() => {
            connect(address, None, deadlines.connect).await.map_err(|error| no_connection(address, &error))?
        }
        Err(error) => return Err(no_connection(address, &error)),
    };
    if ground.target.is_reference() {
        // Thousands of connections a second that linger would fill the tables of the system within a minute. Where it
        // cannot be set they linger.
        let _ = stream.set_zero_linger();
    }
    let offers_plus = conversation.commands.iter().any(|command| match &command.said {
        Said::Login(attempt) => attempt
            .mechanism
            .sasl_name()
            .is_some_and(|name| ground.has(protocol, needs_tls, &format!("AUTH={name}-PLUS"))),
        _ => false,
    });
    let equipment = Equipment {
        target: Arc::clone(&ground.target),
        protocol,
        security,
        tls,
        offers_plus,
        fresh: Fresh { nonce, filetime: ground.filetime },
        // A conversation has as much time as its commands have.
        deadlines: Deadlines { whole: deadlines.reply * ROUNDS, ..deadlines },
        cut: conversation.cut,
    };
    let course = Course::new(conversation, ground);
    let unclear: Vec<bool> = conversation.commands.iter().map(|command| course.is_unclear(command)).collect();
    Ok(play(stream, &equipment, &conversation.commands, &unclear).await)
}

fn no_connection(address: &str, error: &ConnectError) -> String {
    format!("failed to connect to {address}: {error}")
}

#[cfg(test)]
#[path = "scene_tests.rs"]
mod tests;
