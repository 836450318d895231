//! `elenchus search WORDS`

use super::{Exit, common::medium, journal, out::Out, settings::Settings};
use crate::{
    error::Fault,
    exchange::{HitReason, LineFilter, SearchHit, SearchRequest, Searched},
    store::journal::Journal,
    value::Sense,
};
use serde_json::json;

/// The arguments of `search`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus search \"washing hands\"
  elenchus search keys --of day.mp4 --sense seen --json

The words are found in any inflection and with one typing error. `elenchus index` fills the journal.")]
pub(crate) struct Args {
    /// The words to search for
    words: String,
    /// Only lines about this video: its path, or its digest; repeat it for several
    #[arg(long, value_name = "VIDEO", value_parser = medium())]
    of: Vec<String>,
    /// Only lines of this sense: seen, done, heard, sound, read, detected, caption or summary; repeat it for several
    #[arg(long, value_name = "SENSE", value_parser = journal::sense)]
    sense: Vec<Sense>,
    /// The maximum number of hits
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    top: u16,
    /// Lines that are less than this many seconds apart are one event, and only the best of them is printed
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    apart: f64,
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
            media.extend(journal::known(name, &opened)?);
        }
        let filter = LineFilter { media, senses: self.sense, ..LineFilter::default() };
        let among = Searched::Journal(opened.revision()?);
        let top = usize::from(self.top);
        let request = SearchRequest { among, text: self.words, vector: None, filter, top, apart_s: self.apart };
        let hits = opened.search(&request)?;
        if out.json {
            out.value(&hits.iter().map(in_json).collect::<Vec<_>>())?;
            return Ok(Exit::Answered);
        }
        if hits.is_empty() {
            let is_empty = opened.stat()?.media.is_empty();
            out.note(if is_empty {
                "the journal is empty; `elenchus index VIDEO…` fills it"
            } else {
                "no line has these words"
            });
        }
        for hit in &hits {
            let Some(line) = &hit.line else { continue };
            let at = line.moment.media.wall_ms(line.moment.start);
            out.text(format_args!("{:.3}  {}  ({})", hit.score, journal::line(line, at), why(hit).join("; ")))?;
        }
        Ok(Exit::Answered)
    }
}

fn why(hit: &SearchHit) -> Vec<String> {
    let one = |why: &HitReason| match why {
        HitReason::Words(words) => words.join(", "),
        HitReason::Meaning(cosine) => format!("meaning {cosine:.2}"),
    };
    hit.why.iter().map(one).collect()
}

fn in_json(hit: &SearchHit) -> serde_json::Value {
    let Some(line) = &hit.line else { return json!({}) };
    let moment = &line.moment;
    json!({
        "video": moment.media.path,
        "start": moment.start.seconds(),
        "end": moment.end.seconds(),
        "clock": moment.clock(),
        "at": moment.media.wall.as_ref().zip(moment.media.wall_ms(moment.start)).map(|(wall, at)| wall.shown(at)),
        "sense": line.sense,
        "text": line.text,
        "score": hit.score,
        "why": why(hit),
    })
}
