//! What is left of a conversation where it makes no difference who speaks: findings that share it are one.

use std::fmt::Write as _;

use super::conversation::{Conversation, Said};
use crate::scenario::{Piece, Template};

/// The shape of a conversation: its commands with roles numbered in the order of their appearance.
pub(super) fn shape(conversation: &Conversation) -> String {
    let mut roles: Vec<String> = Vec::new();
    let mut shape = format!("{} {}", conversation.protocol, conversation.security);
    for command in &conversation.commands {
        let pipelined = if command.pipelined { "+" } else { "" };
        match &command.said {
            Said::StartTls => shape.push_str("; TLS"),
            Said::Login(attempt) => {
                number(&attempt.role, &mut roles);
                let encoding = attempt.encoding.map_or("", |encoding| encoding.word());
                let fault = attempt.fault.map_or("", |fault| fault.word());
                let name = anonymous(&attempt.name, &mut roles);
                let password = anonymous(&attempt.password, &mut roles);
                let authzid = attempt.authzid.as_ref().map(|authzid| anonymous(authzid, &mut roles));
                let authzid = authzid.unwrap_or_default();
                let _ = write!(shape, "; {} {encoding} {fault} {name} {password} {authzid}", attempt.mechanism);
            }
            Said::Lines(lines) => {
                for line in lines {
                    let _ = write!(shape, "; {}", anonymous(line, &mut roles));
                }
            }
        }
        shape.push_str(pipelined);
    }
    if !conversation.company.is_empty() {
        let _ = write!(shape, "; with {} more", conversation.company.len());
    }
    shape
}

fn number(role: &str, roles: &mut Vec<String>) -> usize {
    match roles.iter().position(|known| known == role) {
        Some(at) => at,
        None => {
            roles.push(role.to_string());
            roles.len() - 1
        }
    }
}

fn anonymous(text: &Template, roles: &mut Vec<String>) -> String {
    let pieces = text.pieces().iter().map(|piece| match piece {
        Piece::Value { role, value, spelling } => {
            let role = number(role.as_deref().unwrap_or_default(), roles);
            let spelt = Template::of_pieces(vec![Piece::Value { role: None, value: *value, spelling: *spelling }]);
            format!("{role}{}", spelt.notation())
        }
        Piece::Base64(inner) => format!("base64({})", anonymous(inner, roles)),
        Piece::Length(inner) => format!("len({})", anonymous(inner, roles)),
        other => Template::of_pieces(vec![other.clone()]).notation(),
    });
    pieces.collect()
}
