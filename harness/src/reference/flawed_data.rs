//! The flaws that are a matter of data: what the server wrongly takes for its rules or for its directory.
//!
//! They are worked in once, before the first connection, so that a login costs the same with and without them.

use super::flaw::{Flaw, Flaws};
use crate::identity::{
    Applies, Assume, Case, Confidence, Dialect, Directory, Effect, Form, OctetSet, Part, Rule, Source,
};

/// The dialect as a server with these flaws has it.
pub(super) fn flawed_dialect(mut dialect: Dialect, flaws: Flaws) -> Dialect {
    for flaw in flaws.iter() {
        match flaw {
            Flaw::CaseSensitive => dialect.case = Case::Preserved,
            Flaw::BackslashOnly => forget_the_slash(&mut dialect),
            Flaw::IgnoresDomain => dialect.rules.iter_mut().for_each(ignore_domain),
            Flaw::FirstSeparatorOnly => read_first(&mut dialect, flaw, "{domain}{sep}{user..}", true),
            Flaw::LastSeparatorSplits => read_first(&mut dialect, flaw, "{domain}{sep}{user..}{sep}{mailbox}", false),
            _ => {}
        }
    }
    dialect
}

/// The directory as a server with these flaws has it.
pub(super) fn flawed_directory(mut directory: Directory, dialect: &Dialect, flaws: Flaws) -> Directory {
    if flaws.has(Flaw::DisabledMayLogIn) {
        for account in &mut directory.accounts {
            account.disabled = false;
        }
    }
    if flaws.has(Flaw::IgnoresPermissions) {
        let every: Vec<Vec<u8>> = directory.mailboxes.iter().map(|mailbox| mailbox.name.clone()).collect();
        for account in &mut directory.accounts {
            account.may_open.clone_from(&every);
        }
    }
    if flaws.has(Flaw::OpensFirstOfAmbiguous) {
        let mut taken: Vec<Vec<u8>> = directory.mailboxes.iter().map(|mailbox| mailbox.name.clone()).collect();
        for mailbox in &mut directory.mailboxes {
            mailbox.aliases.retain(|alias| !taken.iter().any(|name| dialect.same(name, alias)));
            taken.extend(mailbox.aliases.iter().cloned());
        }
    }
    directory
}

fn forget_the_slash(dialect: &mut Dialect) {
    dialect.separators = without_slash(&dialect.separators);
    dialect.rules.retain(|rule| !rule.form.text().contains('/'));
    for rule in &mut dialect.rules {
        rule.separators = rule.separators.as_ref().map(without_slash);
    }
}

fn without_slash(octets: &OctetSet) -> OctetSet {
    let mut kept = OctetSet::default();
    for octet in octets.iter().filter(|&octet| octet != b'/') {
        kept.insert(octet);
    }
    kept
}

/// The rule matches what it matched before, and forgets what it found for the domain.
fn ignore_domain(rule: &mut Rule) {
    if let Ok(form) = Form::parse(&rule.form.text().replace("{domain", "{ignored")) {
        rule.form = form;
        rule.assume.home_domain = true;
        rule.holds = rule.holds.filter(|(part, _)| *part != Part::Domain);
    }
}

/// Puts a rule before all others, for names in which the user would hold a separator.
fn read_first(dialect: &mut Dialect, flaw: Flaw, form: &str, mailbox_is_user: bool) {
    let Ok(form) = Form::parse(form) else { return };
    let rule = Rule {
        form,
        applies: Applies::only(None, None),
        separators: None,
        lacks: OctetSet::default(),
        holds: Some((Part::User, dialect.separators)),
        assume: Assume { mailbox_is_user, ..Assume::default() },
        effect: Effect::Reads { ambiguous: None },
        source: Source { cites: vec![format!("flaw {}", flaw.name())], confidence: Confidence::Inferred },
    };
    dialect.rules.insert(0, rule);
}
