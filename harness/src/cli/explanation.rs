//! What `explain --json` prints.

use serde::Serialize;

use super::instead::advice;
use crate::identity::{Access, Cause, Dialect, Directory, Part, Reading, Verdict, resolve};

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct Explanation {
    name: String,
    dialect: String,
    protocol: &'static str,
    mechanism: &'static str,
    readings: Vec<ReadingObject>,
    rejected: Option<String>,
    unspecified: Option<String>,
    opens: Option<String>,
    fails: Option<&'static str>,
    instead: Option<InsteadObject>,
}

#[derive(Serialize)]
struct ReadingObject {
    domain: Option<String>,
    user: Option<String>,
    mailbox: Option<String>,
    master: Option<String>,
    detail: Option<String>,
    assumed: Vec<&'static str>,
    form: String,
    cites: Vec<String>,
    confidence: &'static str,
}

#[derive(Serialize)]
struct InsteadObject {
    form: &'static str,
    name: Option<String>,
}

/// What there is to say of a name in one dialect.
pub(super) fn object(name: &[u8], dialect: &Dialect, directory: &Directory, access: Access) -> Explanation {
    let (readings, resolution) = resolve(dialect, directory, name, access);
    let reading = |reading: &Reading<'_, '_>| {
        let part = |part| reading.part(part, directory.home()).map(text);
        ReadingObject {
            domain: part(Part::Domain),
            user: part(Part::User),
            mailbox: part(Part::Mailbox),
            master: part(Part::Master),
            detail: part(Part::Detail),
            assumed: reading.assumptions().map(|assumption| assumption.part().word()).collect(),
            form: reading.form().text().to_string(),
            cites: reading.source().cites.clone(),
            confidence: reading.source().confidence.word(),
        }
    };
    let (rejected, unspecified) = match readings.verdict {
        Verdict::Read => (None, None),
        Verdict::Refused { reason, .. } => (Some(reason.to_string()), None),
        Verdict::Unspecified { reason, .. } => (None, Some(reason.to_string())),
    };
    Explanation {
        name: text(name),
        dialect: dialect.name.clone(),
        protocol: access.protocol.word(),
        mechanism: access.mechanism.word(),
        readings: readings.iter().map(reading).collect(),
        rejected,
        unspecified,
        opens: resolution.opens.ok().map(text),
        fails: resolution.opens.err().map(Cause::word),
        instead: advice(&readings, &resolution, dialect, directory, access, name)
            .map(|instead| InsteadObject { form: instead.form, name: instead.name.as_deref().map(text) }),
    }
}

/// JSON has no octets: what is UTF-8 stays as it is, the rest is made visible.
fn text(octets: &[u8]) -> String {
    std::str::from_utf8(octets).map_or_else(|_| octets.escape_ascii().to_string(), str::to_string)
}
