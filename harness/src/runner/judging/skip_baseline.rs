//! The skip baseline of a target file: a skip for a reason that it does not list is a failure, since a case that is not
//! asked any more hides whatever it would find.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::runner::event::{Blame, CaseReport};
use crate::scenario::{SkipCode, Verdict};
use crate::target::Target;

/// The baselines of all targets, and what of them has occurred.
#[derive(Debug, Default)]
pub(in crate::runner) struct SkipBaselines {
    /// The codes that occurred, by target.
    seen: BTreeSet<(usize, SkipCode)>,
}

impl SkipBaselines {
    /// Makes a skip that the target's baseline does not list a failure. A target without a baseline may skip anything.
    pub fn apply(&mut self, report: &mut CaseReport, index: usize, target: &Target) {
        let Some(known) = target.expect.skips.as_ref().filter(|_| report.verdict == Verdict::Skip) else { return };
        if report.skip.as_ref().is_some_and(SkipCode::varies_by_run) {
            return;
        }
        match report.skip.as_ref().filter(|code| known.contains(code)) {
            Some(code) => {
                self.seen.insert((index, code.clone()));
            }
            None => {
                let code = report.skip.as_ref().map(|code| format!(" `{code}`")).unwrap_or_default();
                report.verdict = Verdict::Fail;
                report.reason =
                    format!("skipped ({}), and the skip baseline of the target does not list{code}", report.reason);
                report.blame = report.blame.or(Some(Blame::Server));
            }
        }
    }

    /// What of the baselines did not occur, one sentence for each target. It holds for runs of every case only.
    pub fn outdated(&self, targets: &[Arc<Target>]) -> Vec<String> {
        let sentence = |(index, target): (usize, &Arc<Target>)| {
            let known = target.expect.skips.as_ref()?;
            let gone: Vec<&str> = known
                .iter()
                .filter(|code| !code.varies_by_run() && !self.seen.contains(&(index, (*code).clone())))
                .map(SkipCode::as_str)
                .collect();
            (!gone.is_empty()).then(|| {
                format!(
                    "{}: the skip baseline lists what is not skipped any more: {}; take it out, or let --accept do so",
                    target.name,
                    gone.join(", ")
                )
            })
        };
        targets.iter().enumerate().filter_map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source::SourceText;
    use crate::target::{Passwords, find_dialect, read_target, remote_target};

    #[test]
    fn what_is_listed_and_does_not_occur_is_told() {
        let text = "name = 'mine'\ndialect = 'opaque'\n[imap]\naddress = 'h:143'\n[expect]\n\
                    skips = ['no-role:twin', 'no-role:renamed', 'inconclusive:time:a/b']\n";
        let file = read_target(&SourceText::new("t.toml", text), Path::new("."), Passwords::Ignore, true).unwrap();
        let targets = [Arc::new(remote_target(file, find_dialect("opaque").unwrap()))];
        let mut baselines = SkipBaselines::default();
        baselines.seen.insert((0, SkipCode::parse("no-role:twin").unwrap()));
        let told = "mine: the skip baseline lists what is not skipped any more: no-role:renamed; take it out, or let --accept \
                    do so";
        assert_eq!(baselines.outdated(&targets), [told]);
        baselines.seen.insert((0, SkipCode::parse("no-role:renamed").unwrap()));
        assert_eq!(baselines.outdated(&targets), [""; 0]);
    }
}
