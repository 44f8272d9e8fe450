//! The cases of a scenario, put to the reference server in memory as a run would put them over the network.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use super::talk::{Talked, talk};
use super::world::{bundled, target, vocabulary};
use crate::axes::{Mechanism, Protocol, Security};
use crate::identity::{Access, Account, advise};
use crate::protocol::hearing::MOST_SENT;
use crate::protocol::{Login, Mark, Outcome, Proof, Redactor, Session};
use crate::reference::{Authority, Flaw, Flaws, Session as ServerSession};
use crate::runner::{Plan, Question, Request, ask};
use crate::scenario::{
    Action, Case, Expectation, Glob, Judgement, KnownPrint, Scenario, Selection, Sibling, Template, Verdict, judge,
    judge_distinct, judge_same, recognize,
};
use crate::target::Target;

/// The most combinations of one `[[case]]` that are asked, and the most of a whole scenario.
const MOST_OF_A_GROUP: usize = 8;
const MOST_ASKED: usize = 48;

/// A sound reference server, and the target that it is.
struct Server {
    target: Target,
    authority: Arc<Authority>,
    /// Its mailboxes, by what each protocol shows of them where no canary names them.
    prints: [OnceLock<Vec<KnownPrint>>; 2],
}

/// Puts a scenario's cases to the servers of one dialect: that which takes passwords without TLS, that which does not, and
/// one with a flaw and without canaries.
///
/// Each conversation ends and comes to a verdict, with a reason where that is not a pass; its transcript shows no
/// password; and a case is chosen by its own id.
pub(super) fn put(scenario: Scenario) {
    let Some(servers) = servers(&scenario) else { return };
    let dialects = servers.each_ref().map(|server| Arc::clone(&server.target.dialect));
    let scenario = Arc::new(scenario);
    let plan = Plan::new(&[Arc::clone(&scenario)], &dialects, &Selection::default()).of_sound_servers(&dialects);
    let mut outcomes: Vec<(usize, usize, &Case, Outcome)> = Vec::new();
    // Another one for each scenario that is written otherwise.
    let mut flaws = Flaw::ALL.iter().cycle().skip(scenario.source.text.len() % Flaw::ALL.len());
    for (case, target) in few_of_each(&scenario, &plan.pairwise()).into_iter().take(MOST_ASKED) {
        let Some(server) = servers.get(target) else { continue };
        check_case(case);
        let Ok(question) = ask(case, &server.target, scenario.once, &case.role) else { continue };
        outcomes.push((case.group, target, case, put_one(case, server, &server.authority, &question)));
        if let Some(&flaw) = flaws.next().filter(|_| !server.target.dialect.requires_tls) {
            let outcome = put_one(case, server, &server.flawed(flaw), &question);
            outcomes.push((case.group, servers.len(), case, outcome));
        }
    }
    judge_together(&outcomes);
}

/// A few combinations of each `[[case]]` for each target, as far apart as they can be.
fn few_of_each<'s>(scenario: &'s Scenario, plan: &Plan) -> Vec<(&'s Case, usize)> {
    let mut groups: BTreeMap<(usize, usize), Vec<&Case>> = BTreeMap::new();
    for planned in &plan.list {
        if let Some(case) = scenario.cases.get(planned.case) {
            groups.entry((case.group, planned.target)).or_default().push(case);
        }
    }
    let few = |((_, target), cases): ((usize, usize), Vec<&'s Case>)| {
        let step = cases.len().div_ceil(MOST_OF_A_GROUP).max(1);
        cases.into_iter().step_by(step).map(move |case| (case, target)).collect::<Vec<_>>()
    };
    groups.into_iter().flat_map(few).collect()
}

/// The servers of the first dialect that a scenario names, or of the plainest one.
fn servers(scenario: &Scenario) -> Option<&'static [Server; 2]> {
    static SERVERS: OnceLock<Vec<OnceLock<Option<[Server; 2]>>>> = OnceLock::new();
    let named = scenario.cases.iter().find_map(|case| case.dialects.as_ref()).or(scenario.dialects.as_ref());
    let name = named.and_then(|names| names.first()).map_or("opaque", String::as_str);
    let at = bundled().0.iter().position(|dialect| dialect.name == name)?;
    let all = SERVERS.get_or_init(|| bundled().0.iter().map(|_| OnceLock::new()).collect());
    let of = |strict: bool| {
        let dialect = bundled().0.get(at)?.clone();
        let target = target(&if strict { dialect.requiring_tls() } else { dialect })?;
        let authority = Authority::new(target.dialect.as_ref().clone(), bundled().1.clone(), Flaws::NONE);
        let authority = Arc::new(authority.with_tls(true, strict));
        Some(Server { target, authority, prints: [const { OnceLock::new() }; 2] })
    };
    all.get(at)?.get_or_init(|| Some([of(false)?, of(true)?])).as_ref()
}

/// Asks one question; gives back what it came to.
fn put_one(case: &Case, server: &Server, authority: &Authority, question: &Question) -> Outcome {
    let talked = converse(case, server, authority, &question.request);
    let redactor = Redactor::new(&question.secrets);
    let marks: Vec<Mark> =
        talked.deviations.iter().map(|found| Mark { index: found.index, remark: found.rule.to_owned() }).collect();
    let shown = talked.transcript.render_marked(&redactor, &marks);
    for password in &question.secrets {
        // Other passwords of the scenario's may be words that a transcript has of its own.
        let is_ours = password.expose().starts_with(b"Secret-");
        let is_shown = std::str::from_utf8(password.expose()).is_ok_and(|password| shown.contains(password));
        assert!(!is_ours || !is_shown, "{} shows a password:\n{shown}", case.id);
    }
    if let Some(against) = &question.against {
        converse(case, server, authority, &Request::Login(against.clone()));
    }
    let outcome = recognize(&question.expected, talked.outcome, server.prints(case.protocol));
    let judgement = judge(&question.expected, case.code.as_deref(), case.level, &outcome);
    check_judgement(case, &judgement, &outcome);
    assert!(!question.expected.to_string().is_empty());
    outcome
}

fn converse(case: &Case, server: &Server, authority: &Authority, request: &Request) -> Talked {
    let theirs = ServerSession::new(case.protocol, Arc::new(authority.clone().with_seed([0; 32])));
    match request {
        Request::Login(login) => talk(Session::login(login.clone()), theirs, login.security, &[], MOST_SENT),
        Request::Dialogue(steps) => {
            let found = server.target.endpoint_of(case);
            let security = found.map_or(Security::Plaintext, |(_, security)| security);
            let ours = Session::dialogue(case.protocol, security, steps.clone());
            let talked = talk(ours, theirs, security, &[], MOST_SENT + steps.len());
            assert!(talked.step.is_some_and(|step| step <= steps.len()), "{}: beyond its last step", case.id);
            talked
        }
    }
}

/// Judges by each other those that are meant to be.
fn judge_together(outcomes: &[(usize, usize, &Case, Outcome)]) {
    let mut groups: HashMap<(usize, usize), Vec<(&Case, &Outcome)>> = HashMap::new();
    for (group, target, case, outcome) in outcomes.iter().filter(|(.., case, _)| case.expectation.is_joint()) {
        groups.entry((*group, *target)).or_default().push((case, outcome));
    }
    for group in groups.into_values() {
        let siblings: Vec<Sibling<'_>> = group
            .iter()
            .map(|(case, outcome)| Sibling {
                id: &case.id,
                protocol: case.protocol,
                identity: (&case.role, case.each.as_deref()),
                is_within_grammar: true,
                outcome,
            })
            .collect();
        let Some((first, _)) = group.first() else { continue };
        let judgements = match first.expectation {
            Expectation::Same => judge_same(first.level, &siblings),
            _ => judge_distinct(first.level, &siblings),
        };
        assert_eq!(judgements.len(), siblings.len(), "somebody is not judged");
        for ((case, outcome), judgement) in group.iter().zip(&judgements) {
            check_judgement(case, judgement, outcome);
        }
    }
}

fn check_judgement(case: &Case, judgement: &Judgement, outcome: &Outcome) {
    let is_told = judgement.verdict == Verdict::Pass || !judgement.reason.is_empty();
    assert!(is_told, "{}: {} without a reason: {outcome:?}", case.id, judgement.verdict.word());
}

/// A case is chosen by its id, by its beginning, and by a pattern of it; and whoever is named in it is there.
fn check_case(case: &Case) {
    let id = case.id.as_str();
    let (beginning, end) = id.split_at(id.len() / 2);
    let Some(other) = end.get(1..) else { return };
    for filter in [id.to_owned(), beginning.to_owned(), format!("{beginning}?{other}"), format!("*{end}")] {
        assert!(Selection::new([filter.clone()]).idle(&[id]).is_empty(), "`{filter}` does not choose {id}");
    }
    for other in [format!("{id}?"), format!("x{id}*")] {
        let glob = Glob::new(other);
        assert!(!glob.matches(id), "`{}` chooses {id}", glob.text());
    }
    if let Action::Login { name, .. } = &case.action {
        let is_there = |role: &&str| bundled().1.role(role).is_some();
        assert!(name.other_roles().iter().all(is_there), "{id}: somebody is not there");
        let again = Template::parse(&name.notation(), &vocabulary().roles).map(|name| name.notation());
        assert!(again.as_ref() == Ok(&name.notation()), "{id}: {} became {again:?}", name.notation());
    }
}

impl Server {
    /// The same with a flaw, and without canaries.
    fn flawed(&self, flaw: Flaw) -> Authority {
        let authority = Authority::new(self.target.dialect.as_ref().clone(), bundled().1.clone(), Flaws::from(flaw));
        authority.with_tls(true, false).with_canaries(false)
    }

    /// What is seen of each account's mailbox, as a run sees it before its first case.
    fn prints(&self, protocol: Protocol) -> &[KnownPrint] {
        let authority = Arc::new(self.authority.as_ref().clone().with_canaries(false));
        let print = |account: &Account| {
            let access = Access { protocol, mechanism: Mechanism::Login };
            let (_, name) = advise(&self.target.dialect, &self.target.directory, account, access)?;
            let login = Login::new(protocol, Mechanism::Login, name, account.password.clone());
            let ours = Session::login(Login { security: Security::Tls, ..login });
            let theirs = ServerSession::new(protocol, Arc::clone(&authority));
            match talk(ours, theirs, Security::Tls, &[], MOST_SENT).outcome {
                Outcome::Opened { proof: Proof::Fingerprint(print), .. } => {
                    Some(KnownPrint { mailbox: account.mailbox.clone()?, print })
                }
                _ => None,
            }
        };
        let of_protocol = match protocol {
            Protocol::Imap => &self.prints[0],
            Protocol::Pop3 => &self.prints[1],
        };
        of_protocol.get_or_init(|| self.target.directory.accounts.iter().filter_map(print).collect())
    }
}
