//! For tests and fuzz targets: what a campaign would write of a login to a server that says just anything.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::runtime::{Builder, Runtime};

use super::case_text::Material;
use super::comparison::{Observation, observe};
use super::conversation::{Attempt, Command, Conversation, Cut, Said, value};
use super::ground::Ground;
use super::judge::judge;
use super::play::{Equipment, play};
use super::scenario_text::case;
use crate::axes::{Encoding, Mechanism, Protocol, Security};
use crate::protocol::Fresh;
use crate::scenario::Value;
use crate::target::Target;
use crate::transport::Deadlines;

/// Of each violation what happened and the scenario, what refusals were taken for, and the conversation. The server says
/// all that it says at once, and hangs up.
pub(crate) fn written(
    target: &Arc<Target>,
    role: &str,
    (protocol, mechanism, encoding): (Protocol, Mechanism, Option<Encoding>),
    said: &[u8],
) -> Option<String> {
    let attempt = Attempt {
        role: role.to_string(),
        mechanism,
        encoding,
        name: value(role, Value::Login),
        authzid: None,
        password: value(role, Value::Password),
        fault: None,
    };
    let conversation = Conversation {
        target: 0,
        protocol,
        security: Security::Plaintext,
        certified: None,
        commands: vec![Command::new(Said::Login(Box::new(attempt)))],
        cut: Cut::Whole,
        company: Vec::new(),
    };
    let ground = Ground::unexplored(Arc::clone(target));
    let equipment = Equipment {
        target: Arc::clone(target),
        protocol,
        security: Security::Plaintext,
        tls: None,
        offers_plus: false,
        fresh: Fresh::default(),
        deadlines: Deadlines::from_reply(Duration::from_secs(1)),
        cut: Cut::Whole,
    };
    let heard = runtime()?.block_on(async {
        let (client, mut server) = tokio::io::duplex(said.len() + 1);
        server.write_all(said).await.ok()?;
        server.shutdown().await.ok()?;
        // Whatever the client says finds a reader, who does not listen.
        let listening = async move { tokio::io::copy(&mut server, &mut tokio::io::sink()).await };
        let commands = &conversation.commands;
        let (heard, _) = tokio::join!(play(client, &equipment, commands, &[false]), listening);
        Some(heard)
    })?;
    let mut text = String::new();
    for violation in judge(&conversation, &ground, &heard) {
        let _ = writeln!(text, "{}: {}", violation.what, violation.shape);
        let material = Material {
            conversation: &conversation,
            other: None,
            violation: &violation,
            ground: &ground,
            sound: &heard,
        };
        text.extend(case(&material).map(|case| case.text));
    }
    for observation in observe(&conversation, &ground, &heard) {
        if let Observation::Refused { words, .. } = observation {
            let _ = writeln!(text, "{words}");
        }
    }
    let redactor = ground.redactor(&conversation)?;
    Some(text + &heard.transcript.render(&redactor))
}

/// One for all, for it takes longer to make than a conversation.
fn runtime() -> Option<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_time().build().ok()).as_ref()
}
