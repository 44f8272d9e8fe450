//! A dialect: the rules by which a server reads login names, as data.

use std::borrow::Cow;

use super::access::{Access, Applies};
use super::case::Case;
use super::failure::{Cause, Failure};
use super::form::Form;
use super::octet_set::OctetSet;
use super::part::Part;
use super::provenance::Source;
use super::reading::{Assumption, MOST_READINGS, Reading, Readings, Verdict};
use super::restriction::{Restricted, Restriction};
use crate::axes::{Mechanism, Protocol};

/// What a rule fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Assume {
    /// The domain is the server's own.
    pub home_domain: bool,
    /// The user is called like the mailbox.
    pub user_is_mailbox: bool,
    /// The mailbox is called like the user.
    pub mailbox_is_user: bool,
}

/// What a rule does with a name that has its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Reads it; where it is ambiguous, for the reason given, later rules add their readings.
    Reads {
        /// Why other readings are possible too.
        ambiguous: Option<String>,
    },
    /// Refuses it, for this reason.
    Refuses(String),
    /// Nobody knows, in this respect; the reading is a candidate.
    Unspecified(String),
}

/// One rule: a form, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The form of the names that it covers.
    pub form: Form,
    /// Where it applies.
    pub applies: Applies,
    /// Its own separators, where they are not the dialect's.
    pub separators: Option<OctetSet>,
    /// Octets that the name must not hold.
    pub lacks: OctetSet,
    /// A part, and octets of which it must hold one.
    pub holds: Option<(Part, OctetSet)>,
    /// What it fills in.
    pub assume: Assume,
    /// What it does.
    pub effect: Effect,
    /// Where it is from.
    pub source: Source,
}

/// How a login name with a master part is split before anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterSplit {
    /// The octet between the account and the master.
    pub separator: u8,
    /// Whether the last occurrence ends the account, rather than the first.
    pub account_ends_last: bool,
    /// Whether the master starts after the last occurrence, rather than the first.
    pub master_starts_last: bool,
    /// Where this is from.
    pub source: Source,
}

/// The rules by which a server reads login names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Its name: that of its file.
    pub name: String,
    /// Whose rules they are.
    pub title: String,
    /// How it reads names, in a sentence or two.
    pub about: String,
    /// The octets at which a part may end.
    pub separators: OctetSet,
    /// How names are compared.
    pub case: Case,
    /// Whether it is not known what becomes of a name that no account has by these rules. It is refused otherwise.
    pub leaves_other_names_open: bool,
    /// The protocols that such a server speaks.
    pub protocols: Vec<Protocol>,
    /// The mechanisms that it offers.
    pub mechanisms: Vec<Mechanism>,
    /// Whether it takes no password without TLS.
    pub requires_tls: bool,
    /// How a master part is split off.
    pub master: Option<MasterSplit>,
    /// What it refuses by length or alphabet.
    pub restrictions: Vec<Restriction>,
    /// How it reads, in order.
    pub rules: Vec<Rule>,
    /// How it answers failures, in order.
    pub failures: Vec<Failure>,
}

/// Where the reason for an unknown form is given.
const NO_RULE: &str = "no rule of this dialect covers this form";
const EMPTY_MASTER_HALF: &str = "nothing stands on one side of the master separator";

impl Dialect {
    /// The same server where it takes no password without TLS; `-tls` is added to its name.
    #[must_use]
    pub fn requiring_tls(self) -> Self {
        Self { name: format!("{}-tls", self.name), requires_tls: true, ..self }
    }

    /// Reads a name. Total: whatever the octets are, there is an answer, and it is found in one pass over the rules.
    pub fn read<'n, 'd>(&'d self, name: &'n [u8], access: Access) -> Readings<'n, 'd> {
        let mut readings = Readings { list: [const { None }; MOST_READINGS], verdict: Verdict::Read, ambiguous: None };
        let held = OctetSet::of(name);
        if let Some(refused) = self.refusal(Restricted::Name, name.len(), &held, access) {
            readings.verdict = refused;
            return readings;
        }
        let (account, master) = match &self.master {
            Some(split) => match split.apply(name, &held) {
                Some(halves) => halves,
                None => {
                    readings.verdict = Verdict::Refused { reason: EMPTY_MASTER_HALF, source: &split.source };
                    return readings;
                }
            },
            None => (name, None),
        };
        let held = if master.is_some() { OctetSet::of(account) } else { held };
        if let Some(refused) = self.refusal(Restricted::Account, account.len(), &held, access) {
            readings.verdict = refused;
            return readings;
        }
        readings.verdict = Verdict::Unspecified { reason: NO_RULE, source: None };
        self.apply_rules(Split { name, account, held, master }, access, &mut readings);
        if let Some(refused) = readings.chosen().and_then(|reading| self.refusal_of_parts(reading, access)) {
            readings.list = [const { None }; MOST_READINGS];
            readings.verdict = refused;
        }
        readings
    }

    /// How the server answers a failure; nothing where the dialect does not say.
    pub fn failure(&self, cause: Cause, access: Access) -> Option<&Failure> {
        self.failures.iter().find(|failure| failure.causes.contains(&cause) && failure.applies.to(access))
    }

    /// Whether the server takes two names for the same.
    pub fn same(&self, a: &[u8], b: &[u8]) -> bool {
        self.case.same(a, b)
    }

    /// A name as the server looks it up.
    pub fn folded<'n>(&self, name: &'n [u8]) -> Cow<'n, [u8]> {
        self.case.folded(name)
    }

    /// Whether such a server can be asked in this way at all.
    pub fn offers(&self, access: Access) -> bool {
        self.protocols.contains(&access.protocol) && self.mechanisms.contains(&access.mechanism)
    }

    fn apply_rules<'n, 'd>(&'d self, name: Split<'n>, access: Access, readings: &mut Readings<'n, 'd>) {
        for rule in self.rules.iter().filter(|rule| rule.applies.to(access)) {
            let Some(reading) = rule.read(&name, &self.separators) else {
                continue;
            };
            // After an ambiguous rule, only further readings are of interest.
            let further = readings.ambiguous.is_some();
            match &rule.effect {
                Effect::Reads { ambiguous } => {
                    readings.add(reading);
                    if !further {
                        readings.verdict = Verdict::Read;
                    }
                    match ambiguous {
                        Some(reason) => readings.ambiguous = Some(readings.ambiguous.unwrap_or(reason)),
                        None => return,
                    }
                }
                Effect::Refuses(_) | Effect::Unspecified(_) if further => return,
                Effect::Refuses(reason) => {
                    readings.verdict = Verdict::Refused { reason, source: &rule.source };
                    return;
                }
                Effect::Unspecified(reason) => {
                    readings.add(reading);
                    readings.verdict = Verdict::Unspecified { reason, source: Some(&rule.source) };
                    return;
                }
            }
        }
    }

    fn refusal(&self, restricted: Restricted, length: usize, octets: &OctetSet, access: Access) -> Option<Verdict<'_>> {
        self.restrictions
            .iter()
            .find(|rule| rule.restricted == restricted && rule.refuses(length, octets, access))
            .map(|rule| Verdict::Refused { reason: &rule.about, source: &rule.source })
    }

    fn refusal_of_parts(&self, reading: &Reading<'_, '_>, access: Access) -> Option<Verdict<'_>> {
        let is_of_parts = |rule: &Restriction| matches!(rule.restricted, Restricted::Parts | Restricted::Part(_));
        if !self.restrictions.iter().any(is_of_parts) {
            return None;
        }
        Part::ALL.into_iter().find_map(|part| {
            let named = reading.named(part)?;
            let (length, octets) = (named.len(), OctetSet::of(named));
            self.refusal(Restricted::Parts, length, &octets, access)
                .or_else(|| self.refusal(Restricted::Part(part), length, &octets, access))
        })
    }
}

/// A name as the rules see it.
struct Split<'n> {
    name: &'n [u8],
    /// The name without a master part, and the octets that it is made of.
    account: &'n [u8],
    held: OctetSet,
    master: Option<&'n [u8]>,
}

impl Rule {
    fn read<'n, 'd>(&'d self, split: &Split<'n>, separators: &OctetSet) -> Option<Reading<'n, 'd>> {
        let &Split { name, account, held, master } = split;
        // Most rules are out of the question by what octets there are, before anybody looks where.
        if !self.form.may_fit(&held) || self.lacks.meets(&held) {
            return None;
        }
        let mut captures = self.form.captures(account, self.separators.as_ref().unwrap_or(separators))?;
        if let Some((part, octets)) = &self.holds {
            let span = captures[*part as usize].as_ref()?;
            let part = account.get(span.start as usize..span.end as usize)?;
            if !part.iter().any(|&octet| octets.holds(octet)) {
                return None;
            }
        }
        if let Some(master) = master {
            let end = u32::try_from(name.len()).ok()?;
            captures[Part::Master as usize] = Some(end - u32::try_from(master.len()).ok()?..end);
        }
        let assume = [
            self.assume.home_domain.then_some(Assumption::HomeDomain),
            self.assume.user_is_mailbox.then_some(Assumption::UserIsMailbox),
            self.assume.mailbox_is_user.then_some(Assumption::MailboxIsUser),
        ];
        Some(Reading { name, captures, assume, form: &self.form, source: &self.source })
    }
}

impl MasterSplit {
    /// The account and the master; nothing where one of them is empty. The master always ends the name.
    fn apply<'n>(&self, name: &'n [u8], held: &OctetSet) -> Option<(&'n [u8], Option<&'n [u8]>)> {
        if !held.holds(self.separator) {
            return Some((name, None));
        }
        let first = name.iter().position(|&octet| octet == self.separator);
        let last = name.iter().rposition(|&octet| octet == self.separator);
        let (Some(first), Some(last)) = (first, last) else {
            return Some((name, None));
        };
        let account = name.get(..if self.account_ends_last { last } else { first })?;
        let master = name.get(if self.master_starts_last { last } else { first } + 1..)?;
        (!account.is_empty() && !master.is_empty()).then_some((account, Some(master)))
    }
}
