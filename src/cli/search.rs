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
        searching::{JournalSearch, embedders, inputs, source},
    },
    store::journal::Journal,
    value::{JournalLine, Sense, StatedTime, Value},
};
use serde_json::{Value as Json, json};
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
        let Value::List(hits) = found.value else {
            return Err(Fault::failed("the search gave no list: this is a bug"));
        };
        let hits: Vec<ShownHit> = hits.iter().filter_map(ShownHit::of).collect();
        if out.json {
            out.value(&hits.iter().map(ShownHit::in_json).collect::<Vec<_>>())?;
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
        hits.iter().try_for_each(|hit| out.text(hit.shown(&names)))?;
        Ok(Exit::Answered)
    }
}

/// A hit as it is printed.
struct ShownHit {
    id: Option<i64>,
    line: JournalLine,
    score: f64,
    why: Vec<String>,
}

impl ShownHit {
    /// The hit of a record.
    fn of(value: &Value) -> Option<ShownHit> {
        let Value::Record(fields) = value else { return None };
        let Some(Value::Moment(moment)) = fields.get("moment") else { return None };
        let text = |name: &str| match fields.get(name) {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let number = |name: &str| match fields.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let why = match fields.get("why") {
            Some(Value::List(why)) => why.iter().map(crate::prompt::show).collect(),
            _ => Vec::new(),
        };
        let line = JournalLine {
            moment: moment.clone(),
            sense: Sense::of(&text("sense"))?,
            text: text("text"),
            labels: Vec::new(),
        };
        Some(ShownHit { id: number("line").map(|id| id as i64), line, score: number("score")?, why })
    }

    /// One line: the number for `journal correct`, the score, when and what it is, and why it is a hit.
    fn shown(&self, names: &Names) -> String {
        let at = self.line.moment.media.wall_ms(self.line.moment.start);
        let id = self.id.map_or("–".to_owned(), |id| id.to_string());
        let shown = journal::line(&self.line, at, &names.name(&self.line.moment.media));
        format!("{id:>6}  {:.3}  {shown}  ({})", self.score, self.why.join("; "))
    }

    fn in_json(&self) -> Json {
        let moment = &self.line.moment;
        json!({
            "id": self.id,
            "video": moment.media.path,
            "digest": moment.media.digest,
            "start": moment.start.seconds(),
            "end": moment.end.seconds(),
            "clock": moment.clock(),
            "at": moment.media.wall.as_ref().zip(moment.media.wall_ms(moment.start)).map(|(wall, at)| wall.shown(at)),
            "sense": self.line.sense,
            "text": self.line.text,
            "score": self.score,
            "why": self.why,
        })
    }
}
