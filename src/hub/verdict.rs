//! Decisions about files of a project, as data; the command line prints them.

use super::project::PassedOverReason;
use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The owner of the file that is used if several have the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameOwner {
    /// The user's configuration folder.
    User,
    /// The program.
    Program,
}

impl fmt::Display for NameOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameOwner::User => "the one in your configuration folder",
            NameOwner::Program => "the one that comes with the program",
        })
    }
}

/// A decision about one file (`prompts/answer.md`) of one folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A file of a trusted project replaces another of the same name.
    Replaces {
        /// The file, as messages name it.
        file: String,
        /// The owner of the replaced file.
        over: NameOwner,
    },
    /// A project's file is not used.
    Yields {
        /// `prompts/answer.md`
        file: String,
        /// The folder of the project, or a folder that does not count as one.
        folder: PathBuf,
        /// The owner of the file that is used instead; `None` if no other has this name.
        to: Option<NameOwner>,
        /// Why the folder does not count as a project; `None` for an untrusted project.
        why: Option<String>,
    },
    /// A file that must not or cannot be read: the whole message.
    Refused(String),
}

impl Verdict {
    /// The verdict about a file of a passed-over folder.
    pub fn passed_over(file: &str, folder: &Path, why: PassedOverReason, to: Option<NameOwner>) -> Verdict {
        Verdict::Yields { file: file.to_owned(), folder: folder.to_owned(), to, why: Some(why.to_string()) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Replaces { file, over } => write!(f, "{} is used instead of {over}", plain(file)),
            Verdict::Yields { file, folder, to, why } => {
                let used = to.map_or(String::new(), |to| format!("; {to} is used"));
                let why = match why {
                    Some(why) => format!("{why}, and it is not trusted"),
                    None => "its folder is not trusted".to_owned(),
                };
                let shown = plain(&folder.join(file).display().to_string());
                write!(f, "{shown} is not used, because {why}{used}; {}", ways_out(folder))
            }
            Verdict::Refused(line) => f.write_str(line),
        }
    }
}

/// The two ways to trust a folder, for messages.
pub fn ways_out(folder: &Path) -> String {
    format!("`elenchus trust {}` trusts the folder, --trust does so for one run", quoted(folder))
}

/// A path quoted for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_simple = |c: char| c.is_alphanumeric() || "/._-+@:,%=".contains(c);
    match !text.is_empty() && text.chars().all(is_simple) {
        true => text,
        false => format!("'{}'", plain(&text).replace('\'', "'\\''")),
    }
}

/// A name from an untrusted file, with control characters and direction marks replaced.
pub fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// The verdicts of a catalogue and its clones, each once.
#[derive(Debug, Clone, Default)]
pub struct Verdicts(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    known: BTreeSet<Verdict>,
    fresh: Vec<Verdict>,
}

impl Verdicts {
    /// Records a verdict.
    pub(super) fn note(&self, verdict: Verdict) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.known.insert(verdict.clone()) {
            log.fresh.push(verdict);
        }
    }

    /// The verdicts since the last call, in order.
    pub fn take(&self) -> Vec<Verdict> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_name_the_file_and_the_ways_out() {
        let check = |verdict: Verdict, expected: &str| assert_eq!(verdict.to_string(), expected);
        let replaces = Verdict::Replaces { file: "prompts/a.md".into(), over: NameOwner::Program };
        check(replaces, "prompts/a.md is used instead of the one that comes with the program");
        let yields = |folder: &str, why| Verdict::Yields {
            file: "casts/a.yaml".into(),
            folder: folder.into(),
            to: Some(NameOwner::User),
            why,
        };
        check(
            yields("/p", None),
            "/p/casts/a.yaml is not used, because its folder is not trusted; the one in your configuration folder is used; \
             `elenchus trust /p` trusts the folder, --trust does so for one run",
        );
        check(
            yields("/it's \u{1b}[1m", Some(PassedOverReason::Home.to_string())),
            "/it's \u{fffd}[1m/casts/a.yaml is not used, because it is the home folder, and it is not trusted; the one in your \
             configuration folder is used; `elenchus trust '/it'\\''s \u{fffd}[1m'` trusts the folder, --trust does so for one run",
        );
    }

    #[test]
    fn each_verdict_is_taken_once() {
        let (log, refused) = (Verdicts::default(), |n: u8| Verdict::Refused(n.to_string()));
        [2, 1, 2].into_iter().for_each(|n| log.clone().note(refused(n)));
        assert_eq!(log.take(), [refused(2), refused(1)]);
        log.note(refused(1));
        assert_eq!(log.take(), []);
    }
}
