//! Asks a person at the terminal: questions on stderr, answers from stdin. Answers may also be given before the run
//! (`--answer`).

use super::{print, progress::Bars};
use crate::{agent::person::LineReader, error::Fault, files, plan::UserQuestion, problem::closest};
use async_trait::async_trait;
use std::{
    collections::{HashMap, VecDeque},
    io::{self, BufRead, IsTerminal},
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
};
use tokio::sync::{Mutex as AsyncMutex, mpsc as channel};

/// The most bytes of a file of answers.
const MAX_FILE: usize = 1 << 20;

/// Answers that were given before the run, by step (`STEP` or `DIALOGUE.STEP`); each is used once.
#[derive(Debug, Default)]
pub(crate) struct GivenAnswers(Mutex<HashMap<String, VecDeque<String>>>);

impl GivenAnswers {
    /// Reads `STEP=VALUE` pairs; `STEP=@FILE` gives the lines of a file. Fails for a step that asks nothing.
    pub(super) fn read(pairs: &[String], questions: &[UserQuestion]) -> Result<GivenAnswers, Fault> {
        let mut all: HashMap<String, VecDeque<String>> = HashMap::new();
        for pair in pairs {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Fault::refused(format!("found `{pair}` for --answer, expected STEP=VALUE")));
            };
            let name = name.trim();
            let steps: Vec<&str> = questions.iter().map(|question| step(&question.name)).collect();
            if !steps.contains(&name) && !questions.iter().any(|question| question.name == name) {
                let fault = Fault::refused(format!("--answer {name}: no step of this name asks the user"));
                let listed = || match steps.is_empty() {
                    true => "this dialogue asks its user nothing".to_owned(),
                    false => format!("the steps that ask are {}", steps.join(", ")),
                };
                return Err(fault.hint(closest(name, steps.iter().copied()).unwrap_or_else(listed)));
            }
            let answers = all.entry(name.to_owned()).or_default();
            match value.strip_prefix('@') {
                Some(file) => answers.extend(lines_of(file)?),
                None => answers.push_back(value.to_owned()),
            }
        }
        Ok(GivenAnswers(Mutex::new(all)))
    }

    /// The next answer for a question, if one is left.
    fn next(&self, name: &str) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        [name, step(name)].into_iter().find_map(|name| all.get_mut(name)?.pop_front())
    }

    /// True if an answer for this question is left.
    pub(super) fn has(&self, name: &str) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        [name, step(name)].into_iter().any(|name| all.get(name).is_some_and(|answers| !answers.is_empty()))
    }

    /// The answers that no question used, as text.
    pub(super) fn unused(&self) -> Vec<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left: Vec<String> = all
            .iter()
            .flat_map(|(name, answers)| answers.iter().map(move |answer| format!("{name}={answer}")))
            .collect();
        left.sort();
        left
    }
}

/// The step of `DIALOGUE.STEP`.
fn step(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn lines_of(file: &str) -> Result<Vec<String>, Fault> {
    let refused = |why: String| Fault::refused(format!("--answer @{file}: {why}"));
    let text = files::read_given(&files::path(file), MAX_FILE).map_err(|error| refused(error.to_string()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The terminal that the program was started from.
pub(crate) struct Terminal {
    given: Arc<GivenAnswers>,
    /// They are hidden while a question is open.
    bars: Arc<Bars>,
}

impl Terminal {
    pub(super) fn new(given: Arc<GivenAnswers>, bars: Arc<Bars>) -> Terminal {
        Terminal { given, bars }
    }

    /// True if a person can type an answer.
    pub(super) fn is_there() -> bool {
        io::stdin().is_terminal()
    }
}

#[async_trait]
impl LineReader for Terminal {
    fn given(&self, name: &str) -> Option<String> {
        self.given.next(name)
    }

    async fn line(&self, question: &str) -> Result<String, String> {
        if !Terminal::is_there() {
            return Err("a person must answer, but no terminal is attached".into());
        }
        static LINES: OnceLock<TypedLines> = OnceLock::new();
        let lines = LINES.get_or_init(|| {
            TypedLines::new(|| {
                let mut line = String::new();
                let read = io::stdin().lock().read_line(&mut line);
                read.map(|bytes| (bytes > 0).then_some(line))
            })
        });
        let _paused = self.bars.pause();
        let ask = || print::prompt(&format!("{question}\n> "));
        match lines.next(ask).await {
            Ok(Some(line)) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
            Ok(None) => Err("the input ended".into()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A line, or nothing at the end of the input.
type TypedLine = io::Result<Option<String>>;

/// The lines of an input, read on a thread of their own, because a blocked thread of the runtime would delay the end of the
/// process on Ctrl-C. A question that is given up (a time limit) leaves the thread at its read; the next question takes it over.
struct TypedLines {
    wanted: mpsc::Sender<()>,
    state: AsyncMutex<Typing>,
}

struct Typing {
    lines: channel::UnboundedReceiver<TypedLine>,
    /// True while the thread reads.
    is_reading: bool,
}

impl TypedLines {
    fn new(mut read: impl FnMut() -> TypedLine + Send + 'static) -> TypedLines {
        let (wanted, wants) = mpsc::channel();
        let (typed, lines) = channel::unbounded_channel();
        let thread = std::thread::Builder::new().name("person".to_owned());
        // without the thread its channel is closed, which `next` reports
        let _ = thread.spawn(move || {
            while wants.recv().is_ok() {
                if typed.send(read()).is_err() {
                    break;
                }
            }
        });
        TypedLines { wanted, state: AsyncMutex::new(Typing { lines, is_reading: false }) }
    }

    /// Asks, and waits for the next line. A line that was typed for a question that was given up is dropped.
    async fn next(&self, ask: impl FnOnce()) -> TypedLine {
        let ended = || io::Error::other("the thread that reads answers has ended");
        let mut state = self.state.lock().await;
        while state.lines.try_recv().is_ok() {
            state.is_reading = false;
        }
        if !state.is_reading {
            self.wanted.send(()).map_err(|_| ended())?;
            state.is_reading = true;
        }
        ask();
        let line = state.lines.recv().await;
        state.is_reading = false;
        line.ok_or_else(ended)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_question_that_was_given_up_takes_no_line_of_the_next() {
        let (keys, typed) = mpsc::channel::<&str>();
        let lines = TypedLines::new(move || Ok(typed.recv().ok().map(str::to_owned)));
        keys.send("first\n").expect("typed");
        assert_eq!(lines.next(|| ()).await.expect("a line").as_deref(), Some("first\n"));
        let short = Duration::from_millis(20);
        assert!(tokio::time::timeout(short, lines.next(|| ())).await.is_err(), "nobody types");
        // the late line belongs to the question that was given up
        keys.send("late\n").expect("typed");
        tokio::time::sleep(short).await;
        let next = lines.next(|| keys.send("second\n").expect("typed"));
        assert_eq!(next.await.expect("a line").as_deref(), Some("second\n"));
        drop(keys);
        assert_eq!(lines.next(|| ()).await.expect("the end"), None);
    }

    #[test]
    fn answers_are_given_by_step() {
        let question = |name: &str| UserQuestion { name: name.to_owned(), has_default: false, is_of_run: true };
        let questions = [question("cook.turn"), question("plan.command")];
        let read = |pairs: &[&str]| {
            let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
            GivenAnswers::read(&pairs, &questions)
                .map_err(|fault| format!("{} ({})", fault.message, fault.hint.unwrap_or_default()))
        };
        let given = read(&["turn=next", "plan.command=a=b", "turn=stop"]).expect("answers");
        assert!(given.has("cook.turn") && !given.has("cook.other"));
        assert_eq!(given.next("cook.turn").as_deref(), Some("next"));
        assert_eq!(given.next("plan.command").as_deref(), Some("a=b"));
        assert_eq!(given.unused(), ["turn=stop"]);
        let check = |pair: &str, expected: &str| assert_eq!(read(&[pair]).expect_err("refused"), expected);
        check("turn", "found `turn` for --answer, expected STEP=VALUE ()");
        check("trun=x", "--answer trun: no step of this name asks the user (did you mean `turn`?)");
        check("zzz=x", "--answer zzz: no step of this name asks the user (the steps that ask are turn, command)");
    }
}
