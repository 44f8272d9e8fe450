//! What an open mailbox is asked: it holds the canary and nothing else, and nobody can change it.

use super::super::canary;
use super::super::reply::{push_number, push_resp_text};
use super::command::Command;
use super::fetch::{Item, Section};
use super::grammar::is_atom_octet;
use super::{Binding, ImapSession, State, push_line};

impl ImapSession {
    pub(super) fn obey_in_mailbox(&mut self, tag: &[u8], command: Command<'_>, out: &mut Vec<u8>) {
        if !self.is_logged_in() {
            return push_line(out, &[tag, b" BAD this command comes after a login"]);
        }
        match command {
            Command::Open { verb, mailbox } => self.open(tag, verb, &mailbox, out),
            Command::Status { mailbox, items } => self.status(tag, &mailbox, &items, out),
            Command::List { pattern } => list(tag, &pattern, out),
            Command::Namespace => {
                push_line(out, &[b"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", tag, b" OK NAMESPACE completed"]);
            }
            Command::Enable => push_line(out, &[b"* ENABLED\r\n", tag, b" OK ENABLE completed"]),
            command => self.obey_in_selected(tag, command, out),
        }
    }

    fn obey_in_selected(&mut self, tag: &[u8], command: Command<'_>, out: &mut Vec<u8>) {
        let State::Selected { mailbox } = &mut self.state else {
            return push_line(out, &[tag, b" BAD this command comes after SELECT or EXAMINE"]);
        };
        match command {
            Command::Check => push_line(out, &[tag, b" OK CHECK completed"]),
            Command::Leave { verb } => {
                let mailbox = std::mem::take(mailbox);
                self.state = State::Authenticated(Binding::Mailbox(mailbox));
                push_line(out, &[tag, b" OK ", verb.as_bytes(), b" completed"]);
            }
            Command::Fetch { by_uid, includes_first, items } => {
                if items.contains(&Item::Unsupported) {
                    return push_line(out, &[tag, b" NO [CANNOT] only headers and text are to be had"]);
                }
                if includes_first {
                    push_fetch(out, mailbox, self.authority.canaries(), &items);
                } else if !by_uid {
                    return push_line(out, &[tag, b" BAD there is one message only"]);
                }
                push_line(out, &[tag, b" OK FETCH completed"]);
            }
            Command::Search { by_uid: _, criteria } if criteria.eq_ignore_ascii_case(b"ALL") => {
                push_line(out, &[b"* SEARCH 1\r\n", tag, b" OK SEARCH completed"]);
            }
            Command::Search { .. } => push_line(out, &[tag, b" NO [CANNOT] only ALL can be searched for"]),
            _ => push_line(out, &[tag, b" BAD this command is not for here"]),
        }
    }

    /// An accepted login that has opened nothing shows it here (real servers do: MailKit issue 1486).
    fn open(&mut self, tag: &[u8], verb: &str, name: &[u8], out: &mut Vec<u8>) {
        let mailbox = match &mut self.state {
            State::Authenticated(Binding::Unbound { code, text }) => {
                return push_unbound(tag, code.as_deref(), text, out);
            }
            State::Authenticated(Binding::Mailbox(mailbox)) | State::Selected { mailbox } => std::mem::take(mailbox),
            State::NotAuthenticated | State::Exchanging { .. } => return,
        };
        if !name.eq_ignore_ascii_case(b"INBOX") {
            // A SELECT that fails leaves no mailbox selected (RFC 9051 §6.3.2).
            self.state = State::Authenticated(Binding::Mailbox(mailbox));
            return push_line(out, &[tag, b" NO [NONEXISTENT] there is only INBOX"]);
        }
        let uid_validity = canary::uid_validity(&mailbox, self.authority.canaries());
        self.state = State::Selected { mailbox };
        out.extend_from_slice(
            b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n\
            * 1 EXISTS\r\n\
            * 0 RECENT\r\n\
            * OK [PERMANENTFLAGS ()] read-only\r\n\
            * OK [UIDVALIDITY ",
        );
        push_number(out, uid_validity);
        out.extend_from_slice(
            b"] the mailbox never changes\r\n\
            * OK [UIDNEXT 2] nor grows\r\n\
            * LIST () \"/\" INBOX\r\n",
        );
        push_line(out, &[tag, b" OK [READ-ONLY] ", verb.as_bytes(), b" completed"]);
    }

    fn status(&self, tag: &[u8], name: &[u8], items: &[&str], out: &mut Vec<u8>) {
        let mailbox = match &self.state {
            State::Authenticated(Binding::Unbound { code, text }) => {
                return push_unbound(tag, code.as_deref(), text, out);
            }
            State::Authenticated(Binding::Mailbox(mailbox)) | State::Selected { mailbox } => mailbox,
            State::NotAuthenticated | State::Exchanging { .. } => return,
        };
        if !name.eq_ignore_ascii_case(b"INBOX") {
            return push_line(out, &[tag, b" NO [NONEXISTENT] there is only INBOX"]);
        }
        out.extend_from_slice(b"* STATUS INBOX (");
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(item.as_bytes());
            out.push(b' ');
            push_number(
                out,
                match *item {
                    "SIZE" => canary::size(mailbox),
                    "UIDNEXT" => 2,
                    "UIDVALIDITY" => canary::uid_validity(mailbox, self.authority.canaries()),
                    "RECENT" => 0,
                    _ => 1,
                },
            );
        }
        push_line(out, &[b")\r\n", tag, b" OK STATUS completed"]);
    }
}

fn push_unbound(tag: &[u8], code: Option<&str>, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(tag);
    out.extend_from_slice(b" BAD");
    push_resp_text(out, code, text);
}

fn list(tag: &[u8], pattern: &[u8], out: &mut Vec<u8>) {
    if pattern.is_empty() {
        push_line(out, &[b"* LIST (\\Noselect) \"/\" \"\""]);
    } else if matches!(pattern, b"*" | b"%") || pattern.eq_ignore_ascii_case(b"INBOX") {
        push_line(out, &[b"* LIST () \"/\" INBOX"]);
    }
    push_line(out, &[tag, b" OK LIST completed"]);
}

fn push_fetch(out: &mut Vec<u8>, mailbox: &[u8], canaries: bool, items: &[Item<'_>]) {
    out.extend_from_slice(b"* 1 FETCH (");
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        match item {
            Item::Flags => out.extend_from_slice(b"FLAGS ()"),
            Item::Uid => out.extend_from_slice(b"UID 1"),
            Item::Size => {
                out.extend_from_slice(b"RFC822.SIZE ");
                push_number(out, canary::size(mailbox));
            }
            Item::InternalDate => {
                out.extend_from_slice(b"INTERNALDATE \"");
                out.extend_from_slice(canary::INTERNAL_DATE.as_bytes());
                out.push(b'"');
            }
            Item::Section(section) => push_section(out, mailbox, canaries, section),
            Item::Unsupported => {}
        }
    }
    out.extend_from_slice(b")\r\n");
}

fn push_section(out: &mut Vec<u8>, mailbox: &[u8], canaries: bool, section: &Section<'_>) {
    let mut octets = Vec::with_capacity(512);
    match section {
        Section::Whole(label) => {
            out.extend_from_slice(label.as_bytes());
            canary::push_message(&mut octets, mailbox, canaries);
        }
        Section::Header(label) => {
            out.extend_from_slice(label.as_bytes());
            canary::push_headers(&mut octets, mailbox, canaries);
        }
        Section::Text(label) => {
            out.extend_from_slice(label.as_bytes());
            octets.extend_from_slice(canary::BODY);
        }
        Section::Fields(names) => {
            out.extend_from_slice(b"BODY[HEADER.FIELDS (");
            for (at, name) in names.iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                push_astring(out, name);
            }
            out.extend_from_slice(b")]");
            canary::push_named_headers(&mut octets, mailbox, canaries, names.iter().map(|name| &**name));
        }
    }
    out.extend_from_slice(b" {");
    push_number(out, octets.len());
    out.extend_from_slice(b"}\r\n");
    out.extend_from_slice(&octets);
}

/// Printable octets only come here, so an atom or a quoted string does.
fn push_astring(out: &mut Vec<u8>, name: &[u8]) {
    if name.iter().all(|&octet| is_atom_octet(octet)) {
        return out.extend_from_slice(name);
    }
    out.push(b'"');
    for &octet in name {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::follow_imap;
    use super::super::super::flaw::Flaws;

    #[test]
    fn the_canary_names_the_mailbox() {
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK …
            C: a LOGIN "Domain1\\User1\\Mailbox1" Secret-User1
            S: a OK …
            C: b EXAMINE INBOX
            S: * FLAGS …
            S: * 1 EXISTS
            S: * 0 RECENT
            S: * OK …
            S: * OK …
            S: * OK …
            S: * LIST …
            S: b OK [READ-ONLY] EXAMINE completed
            C: c FETCH 1 BODY.PEEK[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)]
            S: * 1 FETCH (BODY[HEADER.FIELDS (X-LOGINSPEC-MAILBOX)] {33}
            S: X-Loginspec-Mailbox: Mailbox1
            S:
            S: )
            S: c OK FETCH completed
            C: d UID FETCH 7 FLAGS
            S: d OK …
            C: e FETCH 2 FLAGS
            S: e BAD …
            C: f SEARCH ALL
            S: * SEARCH 1
            S: f OK …
            C: g CLOSE
            S: g OK …
            C: h FETCH 1 FLAGS
            S: h BAD …
            C: i STATUS INBOX (MESSAGES UIDNEXT)
            S: * STATUS INBOX (MESSAGES 1 UIDNEXT 2)
            S: i OK …
            C: j SELECT Other
            S: j NO [NONEXISTENT] …
            C: k LIST "" *
            S: * LIST () "/" INBOX
            S: k OK …
            C: l LOGOUT
            S: * BYE …
            S: l OK …
            S: closed
            "#,
        );
    }

    /// There is a space after `NO` and `BAD`, also where there is no text (RFC 9051 §9, resp-cond-state).
    #[test]
    fn a_refusal_without_text_has_its_space() {
        let mut out = Vec::new();
        super::push_unbound(b"c", None, "", &mut out);
        assert_eq!(out, b"c BAD \r\n");
        let authority = super::super::super::fixture::authority(Flaws::NONE);
        let mut session = super::super::ImapSession::new(std::sync::Arc::new(authority));
        let _ = session.receive(b"a LOGIN Disabled Secret-Disabled\r\n", &mut out);
        assert!(out.ends_with(b"a NO \r\n"), "{}", out.escape_ascii());
    }

    #[test]
    fn nothing_opens_before_a_login() {
        follow_imap(
            Flaws::NONE,
            r#"
            S: * OK …
            C: a EXAMINE INBOX
            S: a BAD …
            C: b FETCH 1 FLAGS
            S: b BAD …
            C: c STARTTLS
            S: c BAD …
            C: d CAPABILITY
            S: * CAPABILITY IMAP4rev1 …
            S: d OK …
            C: e NOOP
            S: e OK …
            "#,
        );
    }
}
