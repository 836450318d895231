//! A rehearsal counts the exchanges of a run before any model loads. The machine runs with made-up replies (`guess`).
//!
//! The memo and the sampling of videos answer for real. Later counts may depend on made-up replies: `each` over the
//! lines of a text, `when` on a label. Such counts are estimates, and their steps say so.

use super::{
    depends::Depends,
    driver::Agents,
    guess::{self, Expected},
    machine::{DueExchange, Machine},
    rehearsed::RehearsedJournal,
};
use crate::{
    agent::{
        Agent, CallContext, budget,
        journal::JournalAgent,
        media::MediaAgent,
        work::{Estimator, Work},
    },
    error::Fault,
    exchange::{Decoding, LabelList, RankRequest, Reply, Request},
    infer::cost::Phase,
    plan::{Inputs, Plan},
    store::memo::{Memo, MemoKey},
};
use indexmap::IndexMap;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// The longest wait for the sampling of a video.
const SAMPLING: Duration = Duration::from_secs(10);
/// The characters of a token of an agent without a tokenizer here.
const TOKEN_CHARS: f64 = 4.0;
/// Lists of at least this many labels are compared as a whole, and at most [`MAX_LISTS`] for each agent.
const LONG_LIST: usize = 16;
const MAX_LISTS: usize = 32;
/// The length of a made-up vector, if no real one is known.
const VECTOR: usize = 384;
/// The tokens of a reply and the characters of a second of speech of an agent elsewhere.
const ELSEWHERE: Expected = Expected { reply_tokens: 64.0, speech_chars: 14.0, vector: VECTOR };

/// The settings of a rehearsal.
pub struct RehearsalOptions {
    /// The agents by role.
    pub agents: Agents,
    /// The seed of the run.
    pub seed: u64,
    /// The store of finished exchanges.
    pub memo: Option<Memo>,
    /// The time after which the rehearsal stops, unfinished.
    pub limit: Duration,
}

/// The exchanges of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepWork {
    /// The step's path, without the numbers of items, rounds and turns.
    pub step: String,
    /// The agent's name.
    pub agent: String,
    /// The word for the request's kind.
    pub kind: &'static str,
    /// All exchanges.
    pub exchanges: u64,
    /// The exchanges that the memo answers.
    pub memo_hits: u64,
    /// The exchanges that an equal one of the same run answers.
    pub repeated: u64,
    /// True if the number of exchanges depends on made-up replies.
    pub estimated: bool,
    /// The work of the others.
    pub work: Work,
}

/// The requests to one model of this process, with its estimator.
pub struct ModelWork {
    /// The requests that it answers.
    pub requests: u64,
    /// Their work.
    pub work: Work,
    /// The counter of its work, with the longest texts.
    pub estimator: Estimator,
}

/// The result of a rehearsal.
pub struct Rehearsal {
    /// The steps, in order of their first exchange.
    pub steps: Vec<StepWork>,
    /// The models of this process, by the name of their agent.
    pub models: IndexMap<String, ModelWork>,
    /// Why the rehearsal ended early, if it did: the counts are too low.
    pub unfinished: Option<String>,
    /// The memory of the program with the tokenizers of its models, in bytes, if the system reports it.
    pub resident: Option<u64>,
}

/// Rehearses a run.
pub async fn rehearse(plan: &Plan, inputs: &Inputs, options: RehearsalOptions) -> Result<Rehearsal, Fault> {
    let RehearsalOptions { agents, seed, memo, limit } = options;
    let deadline = Instant::now() + limit;
    let mut counter = Some(open(agents, Depends::of(&plan.block)).await?);
    let resident = budget::resident();
    let mut machine = Some(Machine::new(plan, inputs, seed));
    let mut answers = Vec::new();
    let unfinished = loop {
        let wave = think(&mut machine, answers, deadline).await?;
        let Some((due, ended)) = wave else {
            break Some(format!("it took more than {} s", limit.as_secs()));
        };
        if let Some(ended) = ended {
            break ended;
        }
        let Some(mut own) = counter.take() else { return Err(stopped()) };
        let asked = own.ask(due, memo.as_ref()).await;
        (own, answers) = blocking(move || {
            let answers = own.answer(asked);
            (own, answers)
        })
        .await?;
        counter = Some(own);
    };
    let counter = counter.ok_or_else(stopped)?;
    let Counter { steps, models, .. } = counter;
    Ok(Rehearsal { steps: steps.into_values().collect(), models, unfinished, resident })
}

type Answers = Vec<(u64, Result<Reply, Fault>)>;
type Wave = (Vec<DueExchange>, Option<Option<String>>);

/// Gives the machine its replies, on a thread of its own, because templates may take long. Gives the due exchanges, or
/// the end of the run with the reason of a failure; `None` after the deadline.
async fn think(machine: &mut Option<Machine>, answers: Answers, deadline: Instant) -> Result<Option<Wave>, Fault> {
    let Some(mut own) = machine.take() else { return Err(stopped()) };
    let (own, wave) = blocking(move || {
        answers.into_iter().for_each(|(id, reply)| own.take(id, reply));
        if !own.settle_while(|| Instant::now() < deadline) {
            return (own, None);
        }
        let due = own.due();
        let ended = own.finished().map(|ended| match ended {
            Ok(_) => None,
            Err(failures) => failures.first().map(|failure| {
                let (path, why) = (&failure.path, &failure.fault.message);
                format!("with made-up replies, the step {path} fails: {why}")
            }),
        });
        let ended = match (ended, due.is_empty()) {
            (None, true) => Some(Some("the machine stopped; this is a bug".to_owned())),
            (ended, _) => ended,
        };
        (own, Some((due, ended)))
    })
    .await?;
    *machine = Some(own);
    Ok(wave)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Fault::failed(format!("the rehearsal stopped: {error}")))
}

fn stopped() -> Fault {
    Fault::failed("the rehearsal stopped: this is a bug")
}

struct Counter {
    agents: Agents,
    steps: IndexMap<(String, String), StepWork>,
    models: IndexMap<String, ModelWork>,
    /// The exchanges so far. Their replies are made up again, because thousands of them are large.
    known: HashSet<MemoKey>,
    lists: ReadLists,
    depends: Depends,
    /// The paths of the steps with made-up replies.
    made_up: HashSet<String>,
    vector: usize,
    journal: RehearsedJournal,
}

/// Labels with their wordings.
type Labels = (LabelList, LabelList);

/// The long lists of labels that each agent was asked for. Only the first request for a list pays for its labels.
#[derive(Default)]
struct ReadLists(HashMap<String, Vec<Labels>>);

impl ReadLists {
    /// The request without its labels, if it is for a long list that this agent already read; else `None`.
    fn without_known(&mut self, agent: &str, request: &Request) -> Option<Request> {
        let Request::Rank(rank) = request else { return None };
        let long = rank.among.len() >= LONG_LIST;
        let known = self.0.entry(agent.to_owned()).or_default();
        if long && known.iter().any(|list| list.0 == rank.among && list.1 == rank.texts) {
            let (among, texts) = (LabelList::default(), LabelList::default());
            return Some(Request::Rank(RankRequest { what: rank.what.clone(), among, texts, floor: rank.floor }));
        }
        if long && known.len() < MAX_LISTS {
            known.push((rank.among.clone(), rank.texts.clone()));
        }
        None
    }
}

/// An exchange with its reply, if the memo or the media agent has it.
struct Asked {
    exchange: DueExchange,
    agent: Arc<dyn Agent>,
    key: MemoKey,
    found: Option<Reply>,
    is_hit: bool,
}

/// A counter for these agents. Reads tokenizers.
async fn open(agents: Agents, depends: Depends) -> Result<Counter, Fault> {
    let opened = blocking(move || {
        let mut models = IndexMap::new();
        for local in agents.values().flat_map(|agent| agent.locals()) {
            if !models.contains_key(&local.spec().name) {
                let estimator = local.estimator()?;
                let model = ModelWork { requests: 0, work: Work::default(), estimator };
                models.insert(local.spec().name.clone(), model);
            }
        }
        Ok::<_, Fault>((agents, models))
    });
    let (agents, models) = opened.await??;
    let (steps, known, lists, made_up) = (IndexMap::new(), HashSet::new(), ReadLists::default(), HashSet::new());
    let journal = RehearsedJournal::default();
    Ok(Counter { agents, steps, models, known, lists, depends, made_up, vector: VECTOR, journal })
}

impl Counter {
    /// Looks exchanges up in the memo, and samples videos.
    async fn ask(&mut self, due: Vec<DueExchange>, memo: Option<&Memo>) -> Vec<Asked> {
        let mut asked = Vec::with_capacity(due.len());
        for exchange in due {
            // `run` checks that every role has an agent
            let Some(agent) = self.agents.get(&exchange.role).cloned() else { continue };
            let key = MemoKey::of(agent.card(), &exchange.request, exchange.seed);
            asked.push(Asked { exchange, agent, key, found: None, is_hit: false });
        }
        if let Some(memo) = memo {
            let keys = asked.iter().map(|asked| asked.key).collect();
            // a memo that cannot be read answers nothing
            let replies = memo.get_all(keys).await.unwrap_or_default();
            for (asked, reply) in asked.iter_mut().zip(replies) {
                let fits = |reply: &Reply| asked.agent.card().memo && asked.exchange.request.fits(reply).is_ok();
                asked.found = reply.filter(fits).map(|reply| asked.exchange.request.in_own_terms(reply));
                asked.is_hit = asked.found.is_some();
            }
        }
        for asked in &mut asked {
            if asked.exchange.role == JournalAgent::NAME {
                asked.found = self.journal.ask(&asked.agent, &asked.exchange.request).await;
                continue;
            }
            let sampled = asked.exchange.role == MediaAgent::NAME && guess::is_cheap(&asked.exchange.request);
            if sampled && asked.found.is_none() {
                let sampling = asked.agent.ask(asked.exchange.request.clone(), CallContext::default());
                asked.found = tokio::time::timeout(SAMPLING, sampling).await.ok().and_then(Result::ok);
            }
        }
        asked
    }

    /// Counts exchanges, and gives each a reply.
    fn answer(&mut self, asked: Vec<Asked>) -> Answers {
        let mut open: HashMap<String, usize> = HashMap::new();
        for one in asked.iter().filter(|one| one.found.is_none()) {
            *open.entry(one.agent.card().name.clone()).or_default() += 1;
        }
        asked.into_iter().map(|one| self.one(one, &open)).collect()
    }

    fn one(&mut self, asked: Asked, open: &HashMap<String, usize>) -> (u64, Result<Reply, Fault>) {
        let Asked { exchange, agent, key, found, is_hit } = asked;
        let card = agent.card();
        let path = (general(&exchange.path), card.name.clone());
        let kind = exchange.request.kind().word();
        let step = self.steps.entry(path.clone()).or_insert_with(|| StepWork {
            step: path.0.clone(),
            agent: path.1.clone(),
            kind,
            exchanges: 0,
            memo_hits: 0,
            repeated: 0,
            estimated: self.depends.any(own_step(&path.0), &self.made_up),
            work: Work::default(),
        });
        step.exchanges += 1;
        let is_repeated = !self.known.insert(key) && card.memo && !is_hit;
        step.repeated += u64::from(is_repeated);
        let reply = match found {
            Some(reply) => {
                if let Reply::Embed(vector) = &reply {
                    self.vector = vector.len();
                }
                step.memo_hits += u64::from(is_hit);
                reply
            }
            None => {
                let Some(reply) = guess::reply(&exchange.request, &self.expected(agent.as_ref(), &exchange.request))
                else {
                    return (exchange.id, Err(Fault::failed("no reply can be made up")));
                };
                if is_repeated {
                    return (exchange.id, Ok(reply));
                }
                self.made_up.insert(own_step(&path.0).to_owned());
                let together = open.get(&card.name).copied().unwrap_or(1);
                let work = self.work(agent.as_ref(), &exchange.request, &reply, together);
                if let Some(step) = self.steps.get_mut(&path) {
                    step.work.add(&work);
                }
                reply
            }
        };
        (exchange.id, Ok(reply))
    }

    fn expected(&self, agent: &dyn Agent, request: &Request) -> Expected {
        let model = agent.locals().first().and_then(|local| self.models.get(&local.spec().name));
        let Some(ModelWork { estimator, .. }) = model else { return Expected { vector: self.vector, ..ELSEWHERE } };
        let default = Decoding::default();
        let decoding = match request {
            Request::Say(asked) => &asked.decoding,
            Request::Look(asked) => &asked.decoding,
            _ => &default,
        };
        let (reply_tokens, speech_chars) = (estimator.reply_tokens(decoding), estimator.speech_chars());
        Expected { reply_tokens, speech_chars, vector: self.vector }
    }

    /// The work for one exchange. An agent elsewhere reads and writes tokens, and its other work is unknown.
    fn work(&mut self, agent: &dyn Agent, request: &Request, reply: &Reply, together: usize) -> Work {
        let mut all = Work::default();
        if agent.locals().is_empty() {
            let tokens = |text: &str| text.chars().count() as f64 / TOKEN_CHARS;
            if let Some(text) = reply.text() {
                all.units.insert(Phase::Prompt, tokens(&request.words()).ceil());
                all.units.insert(Phase::Reply, tokens(text).ceil());
            }
            return all;
        }
        let among_several = agent.locals().len() > 1;
        let rest = self.lists.without_known(&agent.card().name, request);
        for (local, request) in agent.parts(rest.as_ref().unwrap_or(request)) {
            let Some(model) = self.models.get_mut(&local.spec().name) else { continue };
            let rows = together.min(local.spec().limits.batch);
            let work = model.estimator.count(&request, reply, rows);
            // a translator remembers the vectors of texts, and does not ask for them again
            if among_several && matches!(request, Request::Embed(_)) && work == Work::default() {
                continue;
            }
            model.requests += 1;
            model.work.add(&work);
            all.add(&work);
        }
        all
    }
}

/// The path of a step, without the word for its later turns.
fn own_step(path: &str) -> &str {
    path.strip_suffix(" turn").unwrap_or(path)
}

/// A path without the numbers of items, asks, turns and rounds: `refine round / draft`.
fn general(path: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in path.split(' ') {
        let last = words.last().map(String::as_str);
        let is_number = word.chars().all(|c| c.is_ascii_digit()) && matches!(last, Some("round" | "turn"));
        if is_number || word.starts_with('#') {
            continue;
        }
        words.push(word.split('[').next().unwrap_or_default().to_owned());
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::{Card, script::ScriptAgent},
        dialogue::{MemoryLibrary, Resource},
        exchange::{FloorUse, Item, Script, ScriptReply},
        plan::{CompileOptions, compile_text},
        run::{self, RunOptions},
        value::Value,
    };

    /// A scripted agent whose replies the memo keeps.
    struct Teller(ScriptAgent, Card);

    #[async_trait::async_trait]
    impl Agent for Teller {
        fn card(&self) -> &Card {
            &self.1
        }

        async fn ask(&self, request: Request, asking: CallContext) -> Result<Reply, Fault> {
            self.0.ask(request, asking).await
        }
    }

    #[test]
    fn paths_lose_their_numbers() {
        let check = |path: &str, expected: &str| assert_eq!(general(path), expected);
        check("log / place[3]", "log / place");
        check("refine round 12 / draft[1] turn 2 #3", "refine round / draft turn");
        check("round / x", "round / x");
    }

    #[test]
    fn a_long_list_of_labels_is_read_once_by_each_agent() {
        let mut lists = ReadLists::default();
        let mut rest = |agent: &str, labels: usize, wording: &str| {
            let among: LabelList = (0..labels).map(|n| n.to_string()).collect();
            let texts = among.worded(&format!("{wording} {{}}"));
            let (what, floor) = (Item::Text("x".into()), FloorUse::Unused);
            match lists.without_known(agent, &Request::Rank(RankRequest { what, among, texts, floor })) {
                Some(Request::Rank(rest)) => rest.among.len() + rest.texts.len(),
                _ => labels,
            }
        };
        assert_eq!((rest("a", 1500, "a"), rest("a", 1500, "a")), (1500, 0));
        assert_eq!((rest("a", 1500, "the"), rest("b", 1500, "a"), rest("a", 1499, "a")), (1500, 1500, 1499));
        assert_eq!((rest("a", 3, "a"), rest("a", 3, "a"), rest("b", 1500, "a")), (3, 3, 0));
    }

    /// Rehearses a dialogue with these steps; each line of `expected` is a step with its exchanges, memo hits and
    /// repetitions, and `~` for an estimate.
    async fn check(steps: &str, memo: Option<Memo>, expected: &[&str]) {
        let (plan, agents) = plan(steps);
        let inputs = plan.bind(IndexMap::from([("q".to_owned(), Value::Text("hi".into()))])).expect("bound");
        let limit = Duration::from_secs(60);
        let options = RehearsalOptions { agents, seed: 0, memo, limit };
        let found = rehearse(&plan, &inputs, options).await.expect("rehearsed");
        assert_eq!(found.unfinished, None);
        let line = |step: &StepWork| {
            let sign = if step.estimated { " ~" } else { "" };
            format!("{} {} {} {}{sign}", step.step, step.exchanges, step.memo_hits, step.repeated)
        };
        assert_eq!(found.steps.iter().map(line).collect::<Vec<_>>(), expected);
    }

    fn plan(steps: &str) -> (Plan, Agents) {
        let text = format!(
            "version: 1\ndialogue: d\ninputs: {{ q: text }}\ncast: {{ mind: teller }}\nsteps:\n{steps}answer: \"{{{{ [a, b] }}}}\"\n"
        );
        let library = MemoryLibrary::default().with(Resource::Agent, "teller", "script: []");
        let plan = compile_text(&text, "d.yaml", &library, &CompileOptions::default())
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        let script = Script::ByPiece(vec![(String::new(), ScriptReply::Text("one\ntwo".into()))]);
        let mut agents = Agents::new();
        agents.insert("mind".to_owned(), {
            let own = ScriptAgent::new("teller", script);
            let card = Card { memo: true, ..own.card().clone() };
            Arc::new(Teller(own, card))
        });
        (plan, agents)
    }

    const STEPS: &str = "  list: { say: { agent: mind, text: \"List {{ q }}.\", temperature: 0 } }\n  \
                         a: { each: \"{{ list | lines }}\", say: { agent: mind, text: \"Tell {{ item }}.\", temperature: 0 } }\n  \
                         b: { say: { agent: mind, text: \"List {{ q }}.\", temperature: 0 } }\n";

    #[tokio::test]
    async fn exchanges_are_counted_without_an_answer_of_an_agent() {
        // 64 tokens make 13 lines
        check(STEPS, None, &["list 1 0 0", "b 1 0 1", "a 13 0 0 ~"]).await;
    }

    #[tokio::test]
    async fn the_memo_answers_what_it_has() {
        let folder = tempfile::tempdir().expect("temp");
        let memo = Memo::open(folder.path()).expect("opened");
        let (plan, agents) = plan(STEPS);
        let inputs = plan.bind(IndexMap::from([("q".to_owned(), Value::Text("hi".into()))])).expect("bound");
        let options = RunOptions { memo: Some(memo.clone()), ..RunOptions::new(agents) };
        run::run(&plan, inputs, options).await.outcome.expect("answered");
        check(STEPS, Some(memo), &["list 1 1 0", "b 1 1 0", "a 2 2 0"]).await;
    }

    #[tokio::test]
    async fn a_step_that_fails_ends_the_count_with_a_reason() {
        let steps = "  a: { say: { agent: mind, text: \"{{ q }}\" } }\n  \
                     b: { compute: \"{{ [q] | batch(a | length - a | length) | list }}\" }\n";
        let (plan, agents) = plan(steps);
        let inputs = plan.bind(IndexMap::from([("q".to_owned(), Value::Text("hi".into()))])).expect("bound");
        let with = |limit| RehearsalOptions { agents: agents.clone(), seed: 0, memo: None, limit };
        let found = rehearse(&plan, &inputs, with(Duration::from_secs(60))).await.expect("rehearsed");
        let why = found.unfinished.expect("a reason");
        assert!(why.starts_with("with made-up replies, the step b fails: "), "{why}");
        assert_eq!(found.steps[0].exchanges, 1);
        let found = rehearse(&plan, &inputs, with(Duration::ZERO)).await.expect("rehearsed");
        assert_eq!(found.unfinished.as_deref(), Some("it took more than 0 s"));
    }
}
