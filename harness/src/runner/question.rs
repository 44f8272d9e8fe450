//! One case put to one target: what is sent, and what is expected then.

use crate::identity::{Access, Cause, Directory, Manner, Part, Resolution, resolve, resolve_reading};
use crate::protocol::dialogue::{DialogueStep, Expected as ExpectedAnswer, WordPattern};
use crate::protocol::{Login, Outgoing};
use crate::scenario::{
    Action, Case, Expectation, Expected, Filled, Lacking, PasswordChoice, ScriptAnswer, ScriptLine, ScriptStep,
};
use crate::secret::Password;
use crate::target::Target;

/// A password that no account has, so that it is never right, not even out of a cache (KB Q166620).
const NOBODYS_PASSWORD: &[u8] = b"not-the-password-of-anybody";

/// What is asked of a target.
pub struct Question {
    /// The login or the dialogue.
    pub request: Request,
    /// What should happen.
    pub expected: Expected,
    /// The passwords in it, for redaction.
    pub passwords: Vec<Password>,
}

/// What the client does.
pub enum Request {
    /// It logs in.
    Login(Login),
    /// It follows a script.
    Dialogue(Vec<DialogueStep>),
}

/// Puts a case to a target; gives back why it cannot be asked there.
pub fn ask(case: &Case, target: &Target) -> Result<Question, String> {
    let (_, security) = target.endpoint_for(case.protocol, case.mechanism, case.security)?;
    match &case.action {
        Action::Login { name, password } => {
            let directory: &Directory = &target.directory;
            let name = name.fill(directory, &case.role).map_err(|lacking| lacking.to_string())?.octets;
            let password = choose(password, directory, &case.role).map_err(|lacking| lacking.to_string())?;
            let expected = expected(case, target, &name, &password).map_err(|lacking| lacking.to_string())?;
            let mechanism = case.mechanism.ok_or("a login needs a mechanism")?;
            let login = Login {
                encoding: case.encoding,
                security,
                ..Login::new(case.protocol, mechanism, name, password.clone())
            };
            let passwords = if password.expose() == NOBODYS_PASSWORD { Vec::new() } else { vec![password] };
            Ok(Question { request: Request::Login(login), expected, passwords })
        }
        Action::Dialogue(lines) => {
            let steps = lines
                .iter()
                .map(|line| step(line, &target.directory, &case.role))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|lacking| lacking.to_string())?;
            // A dialogue may say any account's password.
            let passwords = target.directory.accounts.iter().map(|account| account.password.clone()).collect();
            Ok(Question { request: Request::Dialogue(steps), expected: Expected::Dialogue, passwords })
        }
    }
}

fn choose(choice: &PasswordChoice, directory: &Directory, role: &str) -> Result<Password, Lacking> {
    match choice {
        PasswordChoice::Right => match directory.role(role) {
            None => Err(Lacking::Role(role.to_string())),
            Some(found) => match found.account {
                Some(account) => Ok(account.password.clone()),
                None => Err(Lacking::Value { role: role.to_string(), value: "password" }),
            },
        },
        PasswordChoice::Wrong => Ok(Password::new(NOBODYS_PASSWORD)),
        PasswordChoice::Empty => Ok(Password::new(Vec::new())),
        PasswordChoice::Text(template) => Ok(Password::new(template.fill(directory, role)?.octets)),
    }
}

fn expected(case: &Case, target: &Target, name: &[u8], password: &Password) -> Result<Expected, Lacking> {
    let Some(mechanism) = case.mechanism else { return Ok(Expected::Dialogue) };
    let access = Access { protocol: case.protocol, mechanism };
    match &case.expectation {
        Expectation::Dialect => Ok(by_dialect(target, name, password, access)),
        Expectation::Safe => Ok(Expected::Safe(own_mailboxes(target, &case.role, name, password, access))),
        other => other.fill(&*target.directory, &case.role),
    }
}

/// What the target's dialect and directory come to.
fn by_dialect(target: &Target, name: &[u8], password: &Password, access: Access) -> Expected {
    if !target.dialect.offers(access) {
        return Expected::Refused;
    }
    let (_, resolution) = resolve(&target.dialect, &target.directory, name, access);
    let cause = match (&resolution.credentials, resolution.opens) {
        (None, Err(cause)) => cause,
        (None, Ok(_)) => Cause::NoAccount,
        (Some(account), _) if account.password != *password => Cause::WrongPassword,
        (Some(account), _) if account.disabled => Cause::Disabled,
        (Some(_), Ok(mailbox)) => return Expected::Opens(mailbox.to_vec()),
        (Some(_), Err(cause)) => cause,
    };
    // Where nobody knows how a form is read, only harm would be wrong.
    if cause == Cause::Unspecified {
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

/// The mailboxes that may open: those that belong to, or may be opened by, the very identity that is logging in.
fn own_mailboxes(target: &Target, role: &str, name: &[u8], password: &Password, access: Access) -> Vec<Vec<u8>> {
    let Some(account) = target.directory.role(role).and_then(|found| found.account) else { return Vec::new() };
    if account.password != *password {
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

fn step(line: &ScriptLine, directory: &Directory, role: &str) -> Result<DialogueStep, Lacking> {
    Ok(match &line.step {
        ScriptStep::Send(template) => {
            let Filled { octets, secrets } = template.fill(directory, role)?;
            DialogueStep::Send(Outgoing { octets, secrets, meaning: None })
        }
        ScriptStep::Expect(answers) => DialogueStep::Expect(
            answers
                .iter()
                .map(|answer| match answer {
                    ScriptAnswer::Closed => Ok(ExpectedAnswer::Closed),
                    ScriptAnswer::Line(words) => Ok(ExpectedAnswer::Line {
                        words: words
                            .iter()
                            .map(|choices| {
                                let choices = choices.iter().map(|choice| Ok(choice.fill(directory, role)?.octets));
                                choices.collect::<Result<Vec<_>, Lacking>>().map(WordPattern)
                            })
                            .collect::<Result<Vec<_>, Lacking>>()?,
                    }),
                })
                .collect::<Result<Vec<_>, Lacking>>()?,
        ),
    })
}
