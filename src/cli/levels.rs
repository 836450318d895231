//! The levels of `index`: which dialogue writes each, and which roles of the cast it needs.

use super::{common::RunArgs, out::Out, session::CliSession, settings::Settings};
use crate::{error::Fault, plan::Plan, run::Cancel, value::Level};

/// The levels that one dialogue writes.
pub(super) struct LevelPass {
    /// The dialogue.
    pub session: CliSession,
    /// The levels.
    pub levels: Vec<Level>,
}

/// A level by its word.
pub(super) fn level(word: &str) -> Result<Level, String> {
    Level::of(word.trim()).ok_or_else(|| format!("expected one of {}", listed(Level::ALL)))
}

/// Levels in words.
pub(super) fn listed(levels: &[Level]) -> String {
    levels.iter().map(|level| level.word()).collect::<Vec<_>>().join(", ")
}

/// The roles that the agents of a level play. Those of a log are up to its dialogue.
fn roles(level: Level) -> &'static [&'static str] {
    match level {
        Level::Speech | Level::Ranking => &[],
        Level::Captions => &["eye", "mind"],
        Level::Sounds => &["listener"],
        Level::Detection => &["detector"],
        Level::Text => &["viewer"],
    }
}

/// The dialogue that writes a level beyond a log.
fn dialogue(level: Level) -> Option<&'static str> {
    match level {
        Level::Captions => Some("video_captions"),
        Level::Sounds => Some("video_sounds"),
        Level::Detection => Some("video_detections"),
        Level::Text => Some("video_texts"),
        Level::Speech | Level::Ranking => None,
    }
}

/// Fails if the cast has no agent for a role of a level.
fn has_roles(level: Level, plan: &Plan) -> Result<(), Fault> {
    // a captioner takes the place of the eye and the mind
    if level == Level::Captions && plan.cast.contains_key("captioner") {
        return Ok(());
    }
    let Some(role) = roles(level).iter().find(|role| !plan.cast.contains_key(**role)) else { return Ok(()) };
    let why = format!("the level `{level}` needs an agent for the role `{role}`, and the cast has none");
    let hint = "the casts `workstation` and `server` have it; or add the role to a cast of your own (casts/NAME.yaml)";
    Err(Fault::refused(why).hint(hint))
}

/// The passes for levels, cheapest first; `log` is the dialogue that writes a log. Fails if the cast has no agent for a role of a level.
pub(super) fn passes(
    log: &str,
    levels: &[Level],
    args: &RunArgs,
    out: &Out,
    settings: &Settings,
    cancel: Cancel,
) -> Result<Vec<LevelPass>, Fault> {
    let mut levels = levels.to_vec();
    levels.sort_unstable();
    levels.dedup();
    // a cast may have only the role of a level beyond a log
    let has_own = levels.iter().any(|level| Level::LOG.contains(level));
    let first = levels.first().copied().and_then(dialogue).filter(|_| !has_own).unwrap_or(log);
    let session = CliSession::open_checked(first, args, out, settings, cancel, |plan| {
        levels.iter().try_for_each(|level| has_roles(*level, plan))
    })?;
    let (own, beyond): (Vec<Level>, Vec<Level>) = levels.iter().copied().partition(|level| Level::LOG.contains(level));
    let mut passes = Vec::new();
    for level in beyond {
        let Some(dialogue) = dialogue(level).filter(|dialogue| *dialogue != first) else { continue };
        passes.push(LevelPass { session: session.beside(dialogue, args, settings)?, levels: vec![level] });
    }
    let first = if has_own { own } else { levels.into_iter().take(1).collect() };
    passes.insert(0, LevelPass { session, levels: first });
    Ok(passes)
}
