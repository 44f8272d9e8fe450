//! Looks after the servers while a campaign goes on: whether they are well, and whether a good login still works.

use std::io;
use std::sync::Arc;

use super::bench::Finding;
use super::campaign::{Campaign, Watched, Watching};
use super::event::{FuzzEvent, FuzzReporter};
use super::oracle::Oracle;

impl Campaign {
    /// Sees to the servers, and to the good login at one after the other, besides all else.
    pub(super) fn begin_watching(&self, watching: &mut Watching) {
        let index = (self.start.elapsed().as_secs() as usize / 2) % self.names.len().max(1);
        let director = Arc::clone(&self.director);
        let is_dead = self.is_canary_dead(index);
        watching.spawn(async move {
            let harm = director.see_to_servers().await;
            (harm, index, if is_dead { Ok(()) } else { director.canary(index).await })
        });
    }

    pub(super) fn take_watch(
        &mut self,
        (harm, index, canary): Watched,
        reporter: &mut dyn FuzzReporter,
    ) -> io::Result<()> {
        for (target, harm) in harm {
            let name = self.names.get(target).map_or("", String::as_str);
            reporter.event(&FuzzEvent::Note(&format!("{name}: {harm}")));
            self.suspect_harm(target, harm);
        }
        self.take_canary(index, canary, reporter)?;
        self.save()
    }

    /// Whether the good login at a target works no more: it is not tried again, for that may lock its account.
    pub(super) fn is_canary_dead(&self, index: usize) -> bool {
        self.names.get(index).is_some_and(|name| self.looked_into.contains_key(&canary_kind(name)))
    }

    pub(super) fn take_canary(
        &mut self,
        index: usize,
        canary: Result<(), String>,
        reporter: &mut dyn FuzzReporter,
    ) -> io::Result<()> {
        let Err(reason) = canary else { return Ok(()) };
        let name = self.names.get(index).cloned().unwrap_or_default();
        let what = format!(
            "a good login at {name} worked before, and comes to this after conversation {}: {reason}",
            self.judged
        );
        let kind = canary_kind(&name);
        if self.looked_into.insert(kind.clone(), 1).is_some() {
            return Ok(());
        }
        let finding = Finding {
            doubt: Some("which conversation did it is not known".to_string()),
            ..Finding::new(Oracle::CanaryDies, what, name, self.judged, kind)
        };
        let path = self.store.keep(&finding)?;
        reporter.event(&FuzzEvent::Found(&finding, &path));
        self.findings.push((finding, path));
        Ok(())
    }
}

fn canary_kind(name: &str) -> String {
    format!("{} {name}", Oracle::CanaryDies.word())
}
