//! `elenchus ask VIDEO… QUESTION`

use super::{
    Exit,
    common::{self, RunArgs, stated, zone},
    out::Out,
    progress::{count, hits},
    session::{CliSession, block_on},
    settings::Settings,
    turns,
};
use crate::{
    error::Fault,
    media,
    run::Outcome,
    session::{
        Indexed,
        asking::{Question, Reads, Subject, check_question, language_note},
        media_below,
    },
    value::{Level, Media, StatedTime, Value},
};
use serde_json::json;
use std::path::Path;

/// The arguments of `ask`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus ask day.mp4 \"Where did I last see the keys?\"
  elenchus ask videos/ \"How often did I cook on Tuesday?\" --json
  elenchus ask --journal \"When did I last water the plants?\"
  elenchus ask day.mp4                                  # one question after another; \"And the purse?\" leans on the one before
  elenchus ask day.mp4 \"Did I water the plants?\" --fail-on-abstain

Each video is indexed first, unless it is in the journal already (see `elenchus index`). The answer comes from the journal, with its \
corrections, so a second question is quick. Without a question, questions are read from standard input, one a line.")]
pub(crate) struct Args {
    /// Videos, sounds and folders of them, then the question in quotes
    #[arg(value_name = "VIDEO… QUESTION", value_parser = common::medium())]
    words: Vec<String>,
    /// Ask about everything that the journal has, and look at no video
    #[arg(long)]
    journal: bool,
    /// The dialogue that answers, with the inputs `videos` and `question`; or one with `video` and `question`, which looks at the
    /// video itself, such as video_qa
    #[arg(long, value_name = "DIALOGUE", default_value = "journal_qa")]
    dialogue: String,
    /// The dialogue that looks at videos which the journal does not have
    #[arg(long, value_name = "DIALOGUE", default_value = "video_log")]
    log: String,
    /// When the question is asked (2026-11-23T21:00), for words such as "yesterday" [default: now]
    #[arg(long, value_name = "TIME", value_parser = stated)]
    now: Option<StatedTime>,
    /// Read nothing later than this time (2026-11-23T21:00): a line that ends later is left out
    #[arg(long, value_name = "TIME", value_parser = stated)]
    as_of: Option<StatedTime>,
    /// The time zone of the question: an IANA name or an offset [default: that of the latest recording]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    tz: Option<String>,
    /// An answer to a step of the dialogue that asks the user, used in order
    #[arg(long = "answer", value_name = "STEP=VALUE")]
    answers: Vec<String>,
    /// End with exit code 6 if the answer is "I don't know"
    #[arg(long)]
    fail_on_abstain: bool,
    #[command(flatten)]
    run: RunArgs,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let (paths, question) = self.read()?;
        block_on(|cancel| async {
            let answering = CliSession::open(&self.dialogue, &self.run, out, settings, cancel)?;
            let answering = answering.with_answers(&self.answers)?;
            answering.tell_of_setup();
            let about = self.prepare(&paths, &answering, out, settings).await?;
            let ask = async |question: &str, history: &[Value]| {
                check_question(question)?;
                let outcome = answering.ask(&about, &self.question(question, history), &self.run).await?;
                let note = language_note(answering.plan(), question, outcome.abstained);
                note.iter().for_each(|note| out.warn(format_args!("note: {note}")));
                Ok(outcome)
            };
            let several =
                !matches!(&about, Subject::Video(_)) && !matches!(&about, Subject::Indexed(media) if media.len() == 1);
            let Some(question) = question else {
                return turns::run(ask, &answering, several, self.fail_on_abstain, out).await;
            };
            let outcome = ask(&question, &[]).await?;
            show(&outcome, several, out)?;
            Ok(ended(&outcome, self.fail_on_abstain))
        })
    }

    /// The paths and the question. The last word is the question, unless it names a file.
    fn read(&self) -> Result<(Vec<String>, Option<String>), Fault> {
        let exists = |word: &str| crate::files::path(word).exists() || word.contains("://");
        let mut paths = self.words.clone();
        let question = paths.pop_if(|last| !exists(last));
        question.as_deref().map_or(Ok(()), check_question)?;
        match (self.journal, paths.is_empty()) {
            (false, true) => {
                let fault = match &question {
                    Some(word) if looks_like_path(word) => Fault::media(format!("{word}: no such file")),
                    Some(_) => Fault::refused("the question is about no video"),
                    None => Fault::refused("found neither a video nor a question"),
                };
                Err(fault.hint("`elenchus ask day.mp4 \"Where are the keys?\"`, or `elenchus ask --journal \"…\"` about all indexed videos"))
            }
            (true, false) => {
                Err(Fault::refused(format!("{} is named beside --journal, expected one of them", paths[0])))
            }
            _ => {
                if let Some(missing) = paths.iter().skip(1).find(|path| !exists(path)) {
                    let words = [&paths[1..], question.as_slice()].concat().join(" ");
                    let fault = Fault::refused(format!(
                        "{missing} is neither a file nor the last argument, which is the question"
                    ));
                    return Err(
                        fault.hint(format!("put the question in quotes: elenchus ask {} \"{words}\"", paths[0]))
                    );
                }
                Ok((paths, question.map(|question| question.trim().to_owned())))
            }
        }
    }

    /// Checks the dialogue, and indexes the videos that the journal lacks.
    async fn prepare(
        &self,
        paths: &[String],
        answering: &CliSession,
        out: &Out,
        settings: &Settings,
    ) -> Result<Subject, Fault> {
        if answering.reads(self.as_of.is_some())? == Reads::Video {
            if self.journal {
                let fault = Fault::refused(format!("{} looks at one video, not at the journal", self.dialogue));
                return Err(fault.hint("leave --dialogue out: the usual one reads the journal"));
            }
            let [path] = paths else {
                let fault =
                    Fault::refused(format!("{} answers about one video, and {} are named", self.dialogue, paths.len()));
                return Err(fault.hint("ask once for each video, or leave --dialogue out"));
            };
            let opening = async { Ok(media::open(path, answering.access()).await?) };
            return Ok(Subject::Video(answering.unless_interrupted(opening).await?));
        }
        if self.journal {
            if answering.journal()?.stat(None)?.media.is_empty() {
                return Err(Fault::refused("the journal is empty").hint("`elenchus index VIDEO…` fills it"));
            }
            return Ok(Subject::Journal);
        }
        let looking = answering.beside(&self.log, &self.run, settings)?;
        let mut files = Vec::new();
        for path in paths {
            match crate::files::path(path).is_dir() {
                true => files.extend(media_below(std::slice::from_ref(path))?),
                false => files.push(path.clone()),
            }
        }
        let mut media = Vec::new();
        // a wrong path must not cost the work on the others
        for file in &files {
            let opening = async { Ok(media::open(file, looking.access()).await?) };
            media.push(looking.unless_interrupted(opening).await?);
        }
        for (number, video) in media.iter().enumerate() {
            match looking.index(video, Level::LOG, &self.run, false).await? {
                Indexed::Added { exchanges, memo_hits, .. } if media.len() > 1 => {
                    let place = format!("[{}/{}]", number + 1, media.len());
                    out.note(format_args!(
                        "{place} {}: indexed ({exchanges} exchanges, {memo_hits} of them known)",
                        video.path
                    ));
                }
                Indexed::Added { .. } => {}
                Indexed::Known { .. } => unseen(video, answering, out)?,
            }
        }
        Ok(Subject::Indexed(media))
    }

    /// A question with its circumstances.
    fn question(&self, text: &str, history: &[Value]) -> Question {
        Question {
            text: text.to_owned(),
            history: history.to_vec(),
            now: self.now,
            as_of: self.as_of,
            zone: self.tz.clone(),
        }
    }
}

/// True for a word that is meant as the name of a file: `day.mp4`, `videos/`.
fn looks_like_path(word: &str) -> bool {
    let path = Path::new(word);
    !word.contains(char::is_whitespace) && (word.contains('/') || path.extension().is_some_and(|end| end.len() <= 4))
}

/// Says that the models saw nothing in a video that was indexed before.
fn unseen(video: &Media, answering: &CliSession, out: &Out) -> Result<(), Fault> {
    if video.has_video && !answering.journal()?.has_sights(&video.digest)? {
        out.warn(format_args!(
            "the journal has nothing that was seen in {}: its models do not know this kind of footage (README, `Real models`)",
            video.path
        ));
    }
    Ok(())
}

/// Prints the answer, and the moments that support it; with `several`, with the file of each.
pub(crate) fn show(outcome: &Outcome, several: bool, out: &Out) -> Result<(), Fault> {
    if out.json {
        return out.value(&json!({
            "answer": outcome.answer,
            "abstained": outcome.abstained,
            "evidence": outcome.evidence,
            "levels": outcome.levels(),
            "exchanges": outcome.exchanges,
            "memo_hits": outcome.memo_hits,
            "elapsed_ms": outcome.elapsed_ms,
            "value": crate::value::json::to_json(&outcome.value),
        }));
    }
    out.text(&outcome.answer)?;
    let several = several || outcome.evidence.windows(2).any(|pair| pair[0].video != pair[1].video);
    for evidence in &outcome.evidence {
        match several {
            true => out.text(format_args!("  {} {evidence}", evidence.video))?,
            false => out.text(format_args!("  {evidence}"))?,
        }
    }
    let said = |name: &str| match &outcome.value {
        Value::Record(fields) => match fields.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        },
        _ => None,
    };
    if let (Some(question), Some(answer)) = (said("question"), said("translated_from")) {
        out.note(format_args!(
            "(a model translated the question and the answer, which nobody checked: {question} {answer})"
        ));
    }
    if outcome.abstained
        && let Some(searched) = said("searched")
    {
        out.note(format_args!("(searched for: {searched})"));
    }
    let seconds = outcome.elapsed_ms as f64 / 1000.0;
    let hits = hits(outcome.memo_hits);
    out.note(format_args!("({}, {hits}, {seconds:.1} s)", count(outcome.exchanges)));
    Ok(())
}

/// The exit code of an outcome: abstention has its own code with `--fail-on-abstain`.
pub(crate) fn ended(outcome: &Outcome, fail_on_abstain: bool) -> Exit {
    if outcome.abstained && fail_on_abstain { Exit::Abstained } else { Exit::Answered }
}
