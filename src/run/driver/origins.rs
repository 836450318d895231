//! Where lines of the journal come from: the finished exchanges of a run, by medium and time.

use super::Agents;
use crate::{
    exchange::{Item, JournalReply, Reply, Request},
    store::{
        journal::LineOrigin,
        memo::{Medium, MemoKey},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// The finished exchanges of a run, and the media that it knows of.
#[derive(Debug)]
pub(super) struct Origins {
    /// The cast of each dialogue that adds lines, by its name: `role: agent, role: agent`.
    casts: HashMap<String, String>,
    /// By digest: key, start and end in seconds, and true for a request about sound.
    of: HashMap<String, Vec<(MemoKey, f64, f64, bool)>>,
    /// The media of the run's inputs, and of the lines that it read in the journal.
    media: Arc<[Medium]>,
}

impl Origins {
    /// A run of these agents with media in its inputs. `writers` has the roles of each dialogue that adds lines: what other dialogues
    /// of the run ask has no part in the lines, so that the same dialogue writes the same lines in every run.
    pub(super) fn new(agents: &Agents, writers: &BTreeMap<String, BTreeSet<String>>, media: Arc<[Medium]>) -> Origins {
        let cast = |roles: &BTreeSet<String>| {
            let played = roles.iter().filter_map(|role| Some((role, agents.get(role)?)));
            played.map(|(role, agent)| format!("{role}: {}", agent.card().name)).collect::<Vec<_>>().join(", ")
        };
        let casts = writers.iter().map(|(name, roles)| (name.clone(), cast(roles))).collect();
        Origins { casts, of: HashMap::new(), media }
    }

    /// The media that decide an exchange which names none itself.
    pub(super) fn media(&self) -> &Arc<[Medium]> {
        &self.media
    }

    /// Notes a finished exchange.
    pub(super) fn note(&mut self, key: MemoKey, request: &Request, reply: &Reply) {
        for item in request.items() {
            let (moment, is_sound) = match item {
                Item::Frame(moment) => (moment, false),
                Item::Sound(moment) => (moment, true),
                Item::Text(_) | Item::Image(_) => continue,
            };
            let (start, end) = (moment.start.seconds(), moment.end.seconds());
            let known = self.of.entry(moment.media.digest.clone()).or_default();
            known.push((key, start, end.max(start + 1e-3), is_sound));
        }
        // replies that follow from lines of a video are removed with it
        let mut media: BTreeSet<Medium> = self.media.iter().cloned().collect();
        let before = media.len();
        media.extend(media_of(reply));
        if media.len() > before {
            self.media = media.into_iter().collect();
        }
    }

    /// The origin of lines about a medium that a step (`DIALOGUE.STEP`) adds.
    pub(super) fn of(&self, writer: &str, digest: &str) -> LineOrigin {
        let cast = writer.rsplit_once('.').and_then(|(dialogue, _)| self.casts.get(dialogue));
        LineOrigin {
            cast: cast.cloned().unwrap_or_default(),
            exchanges: self.of.get(digest).cloned().unwrap_or_default(),
        }
    }
}

/// The media of the lines in a reply of the journal.
pub(super) fn media_of(reply: &Reply) -> BTreeSet<Medium> {
    let lines = match reply {
        Reply::Journal(JournalReply::Lines(lines)) => lines.iter().collect(),
        Reply::Search(hits) => hits.iter().filter_map(|hit| hit.line.as_ref()).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    lines.into_iter().map(|line| Medium::new(&line.moment.media.digest, &line.moment.media.path)).collect()
}
