//! Indexing: runs a dialogue on a video, so that the journal has its lines, and adds vectors of lines and frames (`vectors`). A video that
//! the same plan has finished with is skipped; only vectors that are missing are added.

use super::{LoadOptions, Session, cast::identities, confidence::SOURCE, vectors::EmbedTools};
use crate::{
    error::Fault,
    plan::Plan,
    run::RunOptions,
    store::memo::Purge,
    value::{Level, Media, Type, Value},
};
use indexmap::IndexMap;
use std::sync::Arc;

/// What indexing did with a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Indexed {
    /// Its lines are in the journal now.
    Added {
        /// The exchanges of the run.
        exchanges: u64,
        /// Those of them that the memo answered.
        memo_hits: u64,
        /// The lines that the denylist kept out.
        denied: u64,
        /// The vectors of lines and frames that were added.
        vectors: u64,
    },
    /// The journal had them already.
    Known {
        /// The vectors of lines and frames that were added.
        vectors: u64,
    },
}

/// The inputs that switch the levels of a log, with their levels.
const SWITCHES: [(&str, Level); 2] = [("hearing", Level::Speech), ("sight", Level::Ranking)];

impl Session {
    /// Indexes levels of a video, which the dialogue writes: only those that are missing. `fresh` in the options indexes them again. Fails
    /// before any work if the dialogue cannot write them, or if the journal cannot be written.
    pub async fn index(
        &self,
        video: &Arc<Media>,
        levels: &[Level],
        loading: &LoadOptions,
        options: RunOptions,
        with_vectors: bool,
    ) -> Result<Indexed, Fault> {
        check(&self.plan, levels)?;
        let roster = self.load(loading).await?;
        let video = &self.as_before(video)?;
        let plan = digest(&self.plan, &identities(roster), options.seed, video);
        let journal = self.engine.journal().open()?;
        let tools = EmbedTools::of(&options);
        let mut missing = Vec::new();
        for level in levels {
            if options.fresh || !journal.is_indexed(video, *level, &plan)? {
                missing.push(*level);
            }
        }
        if missing.is_empty() {
            let is_writable = journal.check_writable().is_ok();
            if is_writable {
                // the file may have moved, or the user states another time
                journal.mark_indexed(video, levels, &plan)?;
            }
            let add = with_vectors && is_writable;
            let vectors = if add { self.add_vectors(video, loading, &tools).await? } else { 0 };
            return Ok(Indexed::Known { vectors });
        }
        journal.check_writable()?;
        let missing = if switches(&self.plan) { missing } else { levels.to_vec() };
        let mut given = IndexMap::from([("video".to_owned(), Value::Video(video.clone()))]);
        if switches(&self.plan) {
            given.extend(SWITCHES.map(|(name, level)| (name.to_owned(), Value::Truth(missing.contains(&level)))));
        }
        let inputs = self.plan.bind(given)?;
        let memo = options.memo.clone();
        let outcome = self.run(inputs, loading, options).await?.outcome?;
        journal.mark_indexed(video, &missing, &plan)?;
        let denied = journal.take_denied(&video.digest);
        let vectors = if with_vectors { self.add_vectors(video, loading, &tools).await? } else { 0 };
        if let Some(memo) = memo.filter(|_| denied > 0) {
            // what is kept out of the journal is not kept elsewhere
            memo.purge(&Purge::Media(vec![video.digest.clone()]))?;
        }
        Ok(Indexed::Added { exchanges: outcome.exchanges, memo_hits: outcome.memo_hits, denied, vectors })
    }
}

impl Session {
    /// The video with what an earlier command withheld, unless this one withholds something itself.
    fn as_before(&self, video: &Arc<Media>) -> Result<Arc<Media>, Fault> {
        let journal = self.engine.journal().open()?;
        let Some(before) = journal.medium(&video.digest)? else { return Ok(video.clone()) };
        let states_some = !video.withheld.is_empty() || !video.has_audio;
        if states_some || (before.withheld.is_empty() && before.has_audio) {
            return Ok(video.clone());
        }
        Ok(Arc::new(Media { withheld: before.withheld, has_audio: before.has_audio, ..video.as_ref().clone() }))
    }
}

/// True if inputs of the plan switch the levels of a log apart.
fn switches(plan: &Plan) -> bool {
    let is_switch = |name: &str| plan.inputs.get(name).is_some_and(|input| input.ty == Type::Truth);
    SWITCHES.iter().all(|(name, _)| is_switch(name))
}

/// Fails if the plan cannot index these levels: it needs an input `video` and nothing else, and a step that writes to the journal. To
/// write one level of a log without the other, it needs an input for each.
fn check(plan: &Plan, levels: &[Level]) -> Result<(), Fault> {
    let is_fit = plan.inputs.get("video").is_some_and(|input| input.ty.accepts(&Type::Video))
        && plan.inputs.iter().all(|(name, input)| name == "video" || input.default.is_some());
    if !is_fit {
        let fault = Fault::refused(format!("{} needs other inputs than `video`, so it cannot index", plan.name));
        return Err(fault.hint("a dialogue that indexes has the input `video`, and defaults for all others"));
    }
    if !plan.block.writes_journal() {
        let fault = Fault::refused(format!("{} writes nothing to the journal", plan.name));
        return Err(fault.hint("a dialogue that indexes has a step `journal: { add: …, about: \"{{ video }}\" }`"));
    }
    if let [only @ (Level::Speech | Level::Ranking)] = levels
        && !switches(plan)
    {
        let fault = Fault::refused(format!("{} cannot write the level `{only}` alone", plan.name));
        return Err(fault.hint("it needs the inputs `sight` and `hearing` of type truth, as video_log has them"));
    }
    Ok(())
}

/// The digest of everything that decides the lines of a video.
fn digest(plan: &Plan, identities: &IndexMap<&str, &str>, seed: u64, video: &Media) -> [u8; 32] {
    let sources: Vec<(&String, &String)> = plan.sources.iter().filter(|(name, _)| !name.starts_with(SOURCE)).collect();
    let shown = (&video.withheld, video.has_audio);
    let json = serde_json::to_vec(&(crate::store::memo::ENGINE, sources, identities, seed, shown));
    *blake3::hash(&json.expect("texts serialise: this is a bug")).as_bytes()
}
