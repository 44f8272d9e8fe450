//! One case put to one target: what is sent, and what is expected then.

use crate::axes::{Mechanism, Security};
use crate::identity::{Access, Account, Cause, Manner, Part, Resolution, resolve, resolve_reading};
use crate::protocol::dialogue::{DialogueStep, Expected as ExpectedAnswer, Word, WordPattern};
use crate::protocol::{Login, MarkedOctets, Outgoing, Redactor};
use crate::scenario::{
    Action, Against, Case, Expectation, Expected, Filled, Filler, Lacking, PasswordChoice, ScriptAnswer, ScriptLine,
    ScriptPattern, ScriptStep, ScriptWord, SkipReason, Template, Value,
};
use crate::secret::Password;
use crate::target::Target;

/// A password that no account has, so that it is never right, not even out of a cache (KB Q166620).
pub(crate) const NOBODYS_PASSWORD: &[u8] = b"not-the-password-of-anybody";

/// What is asked of a target.
pub struct Question {
    /// The login or the dialogue.
    pub request: Request,
    /// The login whose refusal must look the same.
    pub against: Option<Login>,
    /// What protects the connection; a dialogue may begin TLS later.
    pub security: Security,
    /// What should happen.
    pub expected: Expected,
    /// What the target's dialect says of the name by itself, where the case is about no dialect: that is no fault either.
    pub documented: Option<Expected>,
    /// The secrets in it, in each form in which the case spells them. What is shown of the conversation holds neither these
    /// nor the secrets of the target's accounts.
    pub secrets: Vec<Password>,
}

/// What the client does.
pub enum Request {
    /// It logs in.
    Login(Login),
    /// It follows a script.
    Dialogue(Vec<DialogueStep>),
}

/// Puts a case to a target; gives back why it cannot be asked there.
///
/// `role` logs in: the case's own, or another that will do as well. With `once`, the case is about the wire and not about
/// how names are read.
pub fn ask(case: &Case, target: &Target, once: bool, role: &str) -> Result<Question, SkipReason> {
    let (_, security) = target.endpoint_of(case)?;
    let mechanism = case.mechanism.unwrap_or(Mechanism::Login);
    let access = Access { protocol: case.protocol, mechanism };
    let players =
        if case.mechanism.is_some() { target.players(access) } else { target.players_of_dialogue(case.protocol) };
    let filler = Filler::new(&players, role);
    match &case.action {
        Action::Login { name, authzid, password } => {
            let fill = |text: &Template| filler.fill(text).map(|filled| filled.text);
            let name = fill(name)?;
            let authzid = authzid.as_ref().map(fill).transpose()?;
            let password = choose(password, &filler, mechanism)?;
            let expected = expected(case, target, role, &filler, (&name, &password))?;
            let login = Login {
                encoding: case.encoding,
                security,
                authzid,
                fault: case.fault,
                ..Login::new(case.protocol, mechanism, name, password)
            };
            let against = case.against.as_ref().map(|against| other_login(&login, against, &filler)).transpose()?;
            let is_plain_name = once && case.fault.is_none() && login.authzid.is_none();
            let documented = is_plain_name.then(|| by_dialect(target, login.name.expose(), &login.password, access));
            // Where nobody knows how a form is read, there is nothing to hold on to.
            let documented = documented.filter(|expected| !matches!(expected, Expected::Safe(_)));
            let secrets = filler.into_secrets();
            Ok(Question { request: Request::Login(login), against, security, expected, documented, secrets })
        }
        Action::Dialogue(lines) => {
            let steps = lines.iter().map(|line| step(line, &filler)).collect::<Result<Vec<_>, _>>()?;
            let secrets = filler.into_secrets();
            let steps = without_secret_meanings(steps, target, &secrets);
            let request = Request::Dialogue(steps);
            let expected = Expected::Dialogue;
            Ok(Question { request, against: None, security, expected, documented: None, secrets })
        }
    }
}

/// The login that is compared with `login`: the same in everything but the name and the password.
fn other_login(login: &Login, against: &Against, filler: &Filler<'_>) -> Result<Login, Lacking> {
    let name = filler.fill(&against.name)?.text;
    let password = choose(&against.password, filler, login.mechanism)?;
    Ok(Login { name, password, ..login.clone() })
}

fn choose(choice: &PasswordChoice, filler: &Filler<'_>, mechanism: Mechanism) -> Result<Password, Lacking> {
    match choice {
        PasswordChoice::Right => {
            filler.own_secret(if mechanism.takes_token() { Value::Token } else { Value::Password })
        }
        PasswordChoice::Wrong => Ok(Password::new(NOBODYS_PASSWORD)),
        PasswordChoice::Empty => Ok(Password::new(Vec::new())),
        PasswordChoice::Text(template) => Ok(Password::new(filler.fill(template)?.text.expose())),
    }
}

fn expected(
    case: &Case,
    target: &Target,
    role: &str,
    filler: &Filler<'_>,
    (name, password): (&MarkedOctets, &Password),
) -> Result<Expected, Lacking> {
    let Some(mechanism) = case.mechanism else { return Ok(Expected::Dialogue) };
    let access = Access { protocol: case.protocol, mechanism };
    match &case.expectation {
        Expectation::Dialect => Ok(match by_dialect(target, name.expose(), password, access) {
            // The account's own password may open its own mailbox, however the name is read.
            Expected::Safe(_) => Expected::Safe(own_mailbox(target, role, password, access)),
            expected => expected,
        }),
        Expectation::Safe => Ok(Expected::Safe(own_mailboxes(target, role, name.expose(), password, access))),
        other => other.fill(filler),
    }
}

/// What shows that one is this account.
const fn secret_of(account: &Account, access: Access) -> Option<&Password> {
    if access.mechanism.takes_token() { account.token.as_ref() } else { Some(&account.password) }
}

/// Whether a login opens a mailbox by all that is known of the target: a refusal is then a failure, or a locked account.
pub(super) fn opens_by_dialect(target: &Target, login: &Login) -> bool {
    let access = Access { protocol: login.protocol, mechanism: login.mechanism };
    login.fault.is_none()
        && login.authzid.is_none()
        && matches!(by_dialect(target, login.name.expose(), &login.password, access), Expected::Opens(_))
}

/// What the target's dialect and directory come to.
pub(crate) fn by_dialect(target: &Target, name: &[u8], password: &Password, access: Access) -> Expected {
    if !target.dialect.offers(access) {
        return Expected::Refused;
    }
    let (_, resolution) = resolve(&target.dialect, &target.directory, name, access);
    let cause = match (&resolution.credentials, resolution.opens) {
        (None, Err(cause)) => cause,
        (None, Ok(_)) => Cause::NoAccount,
        (Some(account), _) if secret_of(account, access) != Some(password) => Cause::WrongPassword,
        (Some(account), _) if account.disabled => Cause::Disabled,
        (Some(_), Ok(mailbox)) => return Expected::Opens(mailbox.into()),
        (Some(_), Err(cause)) => cause,
    };
    // Where nobody knows how a form is read, only harm would be wrong.
    let is_open = cause == Cause::NoAccount && target.dialect.leaves_other_names_open;
    if cause == Cause::Unspecified || is_open {
        return Expected::Safe(Vec::new());
    }
    match target.dialect.failure(cause, access).map(|failure| failure.manner) {
        None | Some(Manner::Rejects | Manner::SaysBye) => Expected::Rejected,
        Some(Manner::Bad) => match access.protocol {
            crate::axes::Protocol::Imap => Expected::Bad,
            crate::axes::Protocol::Pop3 => Expected::Rejected,
        },
        Some(Manner::Closes) => Expected::Closed,
        Some(Manner::Unbound) => Expected::Unbound,
    }
}

/// The mailbox of the role's account, if this is its password.
fn own_mailbox(target: &Target, role: &str, password: &Password, access: Access) -> Vec<Vec<u8>> {
    let account = target.directory.role(role).and_then(|found| found.account);
    let own = account.filter(|account| secret_of(account, access) == Some(password));
    own.and_then(|account| account.mailbox.clone()).into_iter().collect()
}

/// The mailboxes that may open: those that belong to, or may be opened by, the very identity that is logging in.
fn own_mailboxes(target: &Target, role: &str, name: &[u8], password: &Password, access: Access) -> Vec<Vec<u8>> {
    let Some(account) = target.directory.role(role).and_then(|found| found.account) else { return Vec::new() };
    if secret_of(account, access) != Some(password) {
        return Vec::new();
    }
    let mut own: Vec<Vec<u8>> = account.mailbox.iter().cloned().collect();
    let readings = target.dialect.read(name, access);
    let is_this = |resolution: &Resolution<'_>| resolution.account.is_some_and(|found| std::ptr::eq(found, account));
    for reading in readings.iter() {
        // With a master part the password is the master's, and whose mailbox opens is the master's affair.
        if reading.named(Part::Master).is_some() {
            continue;
        }
        let resolution = resolve_reading(&target.dialect, &target.directory, reading);
        if let Ok(mailbox) = resolution.opens
            && is_this(&resolution)
        {
            own.push(mailbox.to_vec());
        }
    }
    own
}

fn step(line: &ScriptLine, filler: &Filler<'_>) -> Result<DialogueStep, Lacking> {
    Ok(match &line.step {
        ScriptStep::Send(template) => {
            let Filled { text, meaning, .. } = filler.fill(template)?;
            DialogueStep::Send(Outgoing { meaning, ..Outgoing::from(&text) })
        }
        ScriptStep::Expect(answers) => {
            let answers = answers.iter().map(|one| answer(one, filler));
            DialogueStep::Expect(answers.collect::<Result<_, Lacking>>()?)
        }
        ScriptStep::PassOver(without) => DialogueStep::PassOver { without: words(without, filler)? },
        ScriptStep::StartTls { or_fails } => DialogueStep::StartTls { or_fails: *or_fails },
    })
}

/// The steps without any secret in what their BASE64 means: a script may spell one out.
fn without_secret_meanings(mut steps: Vec<DialogueStep>, target: &Target, more: &[Password]) -> Vec<DialogueStep> {
    let mut redactor = None;
    for step in &mut steps {
        if let DialogueStep::Send(Outgoing { meaning: Some(meaning), .. }) = step {
            let secrets = || [target.directory.secrets(), more.to_vec()].concat();
            *meaning = redactor.get_or_insert_with(|| Redactor::new(&secrets())).redact_text(meaning);
        }
    }
    steps
}

fn answer(answer: &ScriptAnswer, filler: &Filler<'_>) -> Result<ExpectedAnswer, Lacking> {
    let ScriptAnswer::Line(patterns) = answer else { return Ok(ExpectedAnswer::Closed) };
    let pattern = |pattern: &ScriptPattern| {
        Ok(match pattern {
            ScriptPattern::OneOf(list) => WordPattern::OneOf(words(list, filler)?),
            ScriptPattern::NoneOf(list) => WordPattern::NoneOf(words(list, filler)?),
            ScriptPattern::Gap => WordPattern::Gap,
        })
    };
    Ok(ExpectedAnswer::Line { words: patterns.iter().map(pattern).collect::<Result<_, Lacking>>()? })
}

fn words(list: &[ScriptWord], filler: &Filler<'_>) -> Result<Vec<Word>, Lacking> {
    let word = |word: &ScriptWord| {
        Ok(Word { octets: filler.fill(&word.text)?.text.expose().to_vec(), is_prefix: word.is_prefix })
    };
    list.iter().map(word).collect()
}
