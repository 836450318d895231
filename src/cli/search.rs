//! `elenchus search WORDS`

use super::{
    Exit,
    common::{self, RunArgs, device, medium, stated},
    journal,
    names::Names,
    out::Out,
    progress::Bars,
    session::{CliSession, block_on, engine, listener},
    settings::Settings,
};
use crate::{
    error::Fault,
    session::{
        LoadOptions,
        searching::{FoundLine, HitRecord, JournalSearch, embedders, inputs, source},
    },
    store::journal::Journal,
    value::{Sense, StatedTime},
};
use std::sync::Arc;

/// The arguments of `search`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus search \"washing hands\"
  elenchus search keys --of day.mp4 --sense seen --json
  elenchus search keys --as-of 2026-11-23T21:00             # as if it were asked then
  elenchus search \"somebody prepares food\" --words-only   # no model is loaded

The words are found in any inflection and with one typing error. If `elenchus index` gave lines and frames vectors, they are found by
meaning too, with the agents that made the vectors. Each hit has the number of its line, for `elenchus journal correct`.

The score is a rank among searches about other things: with 0.99, one in a hundred of them finds something here that fits as well.")]
pub(crate) struct Args {
    /// The words to search for
    words: String,
    /// Only lines about this video: its path, or its digest; repeat it for several
    #[arg(long, value_name = "VIDEO", value_parser = medium())]
    of: Vec<String>,
    /// Only lines of this sense: seen, done, heard, sound, read, detected, caption or summary; repeat it for several
    #[arg(long, value_name = "SENSE", value_parser = journal::sense)]
    sense: Vec<Sense>,
    /// Nothing later than this time (2026-11-23T21:00): a line that ends later is left out, one without a known time counts as earlier
    #[arg(long, value_name = "TIME", value_parser = stated)]
    as_of: Option<StatedTime>,
    /// The maximum number of hits
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    top: u16,
    /// Lines and frames that are less than this many seconds apart are one event, and only the best of them is printed; 0 prints every
    /// line
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    apart: f64,
    /// Search for the words alone, not for their meaning
    #[arg(long)]
    words_only: bool,
    /// Device of local models: auto, cpu, cuda:N or metal
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = device)]
    device: String,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        if !self.words.chars().any(char::is_alphanumeric) {
            return Err(Fault::refused("the search contains no word"));
        }
        if !(self.apart >= 0.0 && self.apart.is_finite()) {
            return Err(Fault::refused(format!("--apart is {}, expected 0 or more", self.apart)));
        }
        let opened = Journal::open(&settings.journal)?;
        let mut media = Vec::new();
        for name in &self.of {
            for digest in journal::known(name, &opened, settings)? {
                media.extend(opened.medium(&digest)?.map(Arc::new));
            }
        }
        let zone = &settings.folders.zone;
        let as_of_ms = self.as_of.map(|as_of| common::instant_ms(as_of, zone)).transpose()?;
        let (top, apart_s) = (usize::from(self.top), self.apart);
        let search = JournalSearch { words: self.words, media, senses: self.sense, as_of_ms, top, apart_s };
        let args = RunArgs { device: self.device, ..RunArgs::default() };
        let found = block_on(|cancel| async {
            let engine = Arc::new(engine(&args, settings, true));
            let mut agents = Vec::new();
            let network = settings.network(false);
            if !self.words_only {
                let bars = Arc::new(Bars::new(&Out { quiet: true, ..out.clone() }));
                let loading = LoadOptions {
                    device: args.device.clone(),
                    memory: None,
                    listener: listener(&bars, Arc::default()),
                };
                let bare = source(&search, &[], settings, network)?;
                let (ready, others) = embedders(&opened, &engine, &bare, &loading).await;
                others.iter().for_each(|line| out.note(line));
                agents = ready;
            }
            let dialogue = source(&search, &agents, settings, network)?;
            let session = CliSession::of(&dialogue, &args, out, engine, cancel)?.without_bars();
            let inputs = inputs(&search, session.plan())?;
            session.run(inputs, &args, None).await
        })?;
        let hits = FoundLine::all(&found.value)?;
        if out.json {
            out.value(&hits.iter().map(HitRecord::from).collect::<Vec<_>>())?;
            return Ok(Exit::Answered);
        }
        if hits.is_empty() {
            let is_empty = opened.stat(None)?.media.is_empty();
            out.note(if is_empty {
                "the journal is empty; `elenchus index VIDEO…` fills it"
            } else {
                "nothing in the journal fits these words"
            });
        }
        let names = Names::of(hits.iter().map(|hit| hit.line.moment.media.as_ref()));
        hits.iter().try_for_each(|hit| out.text(shown(hit, &names)))?;
        Ok(Exit::Answered)
    }
}

/// One line: the number for `journal correct`, the score, when and what it is, and why it is a hit.
fn shown(hit: &FoundLine, names: &Names) -> String {
    let at = hit.line.moment.media.wall_ms(hit.line.moment.start);
    let id = hit.id.map_or("–".to_owned(), |id| id.to_string());
    let shown = journal::line(&hit.line, at, &names.name(&hit.line.moment.media));
    format!("{id:>6}  {:.3}  {shown}  ({})", hit.score, hit.why.join("; "))
}
