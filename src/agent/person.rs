//! A person as an agent: the terminal shows a question, and the person types a line. The user of a run (`ask_user`) is such an agent.

use super::{Agent, CallContext, Card};
use crate::{
    error::Fault,
    exchange::{
        Answers, AskUserRequest, Finish, Item, Kind, Modality, RankRequest, Reply, Request, SayReply, SayRequest,
        choice,
    },
    grammar::Restriction,
    value::Scored,
};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The maximum number of invalid answers, so that a stuck key or a pipe cannot loop forever.
const MAX_TRIES: usize = 3;

/// Reads lines from a person. The command line uses the terminal; tests have their own.
#[async_trait]
pub trait LineReader: Send + Sync {
    /// The next answer to the question of this step (`DIALOGUE.STEP`) that was given before the run, if one is left.
    fn given(&self, name: &str) -> Option<String>;
    /// Shows `question` and waits for one line. The error is the reason why a person cannot answer (no terminal, end of
    /// input). A dropped future leaves its question: the next line answers a later one.
    async fn line(&self, question: &str) -> Result<String, String>;
}

/// An agent whose replies a person types.
pub struct PersonAgent {
    card: Card,
    prompt: Arc<dyn LineReader>,
    /// The text before each question.
    greeting: Option<String>,
    /// Held while a question is open, because several steps may ask at the same time.
    turn: Mutex<()>,
}

impl PersonAgent {
    /// An agent that asks through `prompt` and shows the greeting before each question.
    pub fn new(name: &str, greeting: Option<String>, prompt: Arc<dyn LineReader>) -> PersonAgent {
        let content = &[Modality::Text, Modality::Image, Modality::Sound];
        let kinds = [Kind::Say, Kind::Rank, Kind::AskUser];
        let answers = kinds.map(|kind| Answers::new(kind, content)).to_vec();
        let card =
            Card { name: name.to_owned(), answers, identity: "person".to_owned(), memo: false, own_labels: true };
        PersonAgent { card, prompt, greeting, turn: Mutex::new(()) }
    }

    /// Asks until the line means an answer. Fails after [`MAX_TRIES`] other lines, and if nobody can be asked.
    async fn answer(
        &self,
        question: String,
        choices: &[String],
        meant: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, Unanswered> {
        let _turn = self.turn.lock().await;
        let greeting = self.greeting.as_ref().map(|greeting| format!("{}\n", greeting.trim_end()));
        let mut question = greeting.unwrap_or_default() + &question + &numbered(choices);
        for _ in 0..MAX_TRIES {
            let line = self.prompt.line(&question).await.map_err(Unanswered::Nobody)?;
            let line = line.trim();
            match meant(line) {
                Ok(answer) => return Ok(answer),
                Err(_) if !choices.is_empty() => {
                    question = format!("`{line}` is not one of the choices; type one of them, or its number.\n");
                }
                Err(why) => question = format!("{why}; type the answer again.\n"),
            }
        }
        Err(Unanswered::Wrong(if choices.is_empty() { "no valid answer" } else { "none of the choices" }))
    }

    /// The fault of a question without an answer.
    fn fault(&self, why: Unanswered) -> Fault {
        let name = &self.card.name;
        Fault::failed(match why {
            Unanswered::Nobody(why) => format!("{name} cannot be asked: {why}"),
            Unanswered::Wrong(what) => format!("{name} typed {what} in {MAX_TRIES} tries"),
        })
    }

    /// The answer to `ask_user`: the next one that was given before the run, else a typed one, else the default.
    async fn user(&self, asked: &AskUserRequest) -> Result<String, Fault> {
        // `DIALOGUE.STEP`; people know the step
        let step = asked.name.rsplit('.').next().unwrap_or(&asked.name);
        if let Some(line) = self.prompt.given(&asked.name) {
            return asked
                .answer(&line)
                .map_err(|why| Fault::failed(format!("the answer given for `{step}` does not fit: {why}")));
        }
        let form = match (&asked.default, form(asked.restriction())) {
            (Some(default), form) => format!("{form}(an empty line means: {default})\n"),
            (None, form) => form,
        };
        let question = format!("{}\n{form}", asked.text.trim_end());
        match (self.answer(question, &asked.choices, |line| asked.answer(line)).await, &asked.default) {
            (Ok(answer), _) => Ok(answer),
            (Err(Unanswered::Nobody(why)), Some(default)) => {
                tracing::warn!("{step}: {why}; its default `{default}` is taken");
                Ok(default.clone())
            }
            (Err(why @ Unanswered::Nobody(_)), None) => Err(self.fault(why).hint(no_answer_hint(step))),
            (Err(why), _) => Err(self.fault(why)),
        }
    }
}

/// Why a question has no answer.
enum Unanswered {
    /// Nobody can be asked, with the reason.
    Nobody(String),
    /// No typed line was an answer; the text says what the lines were.
    Wrong(&'static str),
}

/// How to answer the question of a step without a terminal.
pub fn no_answer_hint(step: &str) -> String {
    format!("give the answer before the run: --answer {step}=VALUE, once for each time that it is asked")
}

#[async_trait]
impl Agent for PersonAgent {
    fn card(&self) -> &Card {
        &self.card
    }

    fn states_floors(&self) -> bool {
        true
    }

    async fn ask(&self, request: Request, _: CallContext) -> Result<Reply, Fault> {
        match request {
            Request::Say(request) => {
                let fits = |line: &str| match choice(line, &request.choices) {
                    Some(choice) => Ok(choice.to_owned()),
                    None if !request.choices.is_empty() => Err(String::new()),
                    None => request.restriction().map_or(Ok(()), |form| form.accepts(line)).map(|()| line.to_owned()),
                };
                let text = self.answer(shown(&request), &request.choices, fits).await.map_err(|why| self.fault(why))?;
                Ok(Reply::Say(said(&text)))
            }
            Request::Rank(RankRequest { what, among, .. }) => {
                let question = if among.is_empty() { "What is it?" } else { "Which of these is it?" };
                let winner = {
                    let question = format!("{question}\n{}", look_at(&what));
                    let meant = |line: &str| match among.is_empty() {
                        true => Ok(line.to_owned()),
                        false => choice(line, &among).map(str::to_owned).ok_or_else(String::new),
                    };
                    self.answer(question, &among, meant).await.map_err(|why| self.fault(why))?
                };
                if winner.is_empty() {
                    return Err(Fault::failed(format!("{} typed no label", self.card.name)));
                }
                // without candidates, the line is the label
                let among = if among.is_empty() { vec![winner.clone()].into() } else { among };
                let one = |text: &String| {
                    let score = if *text == winner { 1.0 } else { 0.0 };
                    Scored { text: text.clone(), score, probability: score, floor: None }
                };
                Ok(Reply::Rank(among.iter().map(one).collect()))
            }
            Request::AskUser(asked) => Ok(Reply::AskUser(said(&self.user(&asked).await?))),
            _ => {
                let name = &self.card.name;
                Err(Fault::failed(format!("{name} is a person, and answers `say`, `rank` and `ask_user` only")))
            }
        }
    }
}

fn said(text: &str) -> SayReply {
    SayReply::new(text, Finish::Stop)
}

/// The chat as a person reads it.
fn shown(request: &SayRequest) -> String {
    let mut text = String::new();
    for message in &request.messages {
        message.images.iter().for_each(|image| text.push_str(&look_at(image)));
        text.push_str(message.content.trim_end());
        text.push('\n');
    }
    text + &form(request.restriction())
}

/// The form of an answer in words.
fn form(restriction: Option<Restriction<'_>>) -> String {
    match restriction {
        Some(Restriction::Schema(schema)) => format!("(answer with JSON that fits {schema})\n"),
        Some(Restriction::Regex(regex)) => format!("(answer with a line that matches {regex})\n"),
        None => String::new(),
    }
}

/// The path of a medium, because a terminal cannot show pictures or play sound.
fn look_at(item: &Item) -> String {
    match item {
        Item::Text(text) => format!("{}\n", text.trim_end()),
        Item::Image(image) => format!("(look at {})\n", image.path),
        Item::Frame(moment) => format!("(look at {} at {})\n", moment.media.path, moment.start),
        Item::Sound(moment) => format!("(listen to {} from {} to {})\n", moment.media.path, moment.start, moment.end),
    }
}

fn numbered(choices: &[String]) -> String {
    choices.iter().enumerate().map(|(index, choice)| format!("  {}) {choice}\n", index + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{FloorUse, LabelList, Message};

    /// Answers with these lines, and records the questions.
    struct Typed(std::sync::Mutex<(Vec<&'static str>, String)>);

    #[async_trait]
    impl LineReader for Typed {
        fn given(&self, name: &str) -> Option<String> {
            (name == "cook.known").then(|| "next".to_owned())
        }
        async fn line(&self, question: &str) -> Result<String, String> {
            let mut typed = self.0.lock().expect("lock");
            typed.1.push_str(question);
            if typed.0.is_empty() { Err("no terminal is attached".into()) } else { Ok(typed.0.remove(0).into()) }
        }
    }

    async fn check(choices: &[&str], typed: &[&'static str], expected: Result<&str, &str>) -> String {
        let prompt = Arc::new(Typed(std::sync::Mutex::new((typed.to_vec(), String::new()))));
        let agent = PersonAgent::new("judge", Some("A question for you:".to_owned()), prompt.clone());
        let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
        let messages = vec![Message::new("user", "Was it good?")];
        let request = Request::Say(SayRequest { choices, ..SayRequest::new(messages) });
        let reply = agent.ask(request, CallContext::default()).await.map_err(|error| error.to_string());
        assert_eq!(reply, expected.map(|text| Reply::Say(said(text))).map_err(str::to_owned));
        prompt.0.lock().expect("lock").1.clone()
    }

    #[tokio::test]
    async fn a_person_answers_with_text_or_a_number() {
        check(&[], &[" Yes, quite. \n"], Ok("Yes, quite.")).await;
        let asked = check(&["yes", "no"], &["maybe", "2"], Ok("no")).await;
        insta::assert_snapshot!(asked, @r"
        A question for you:
        Was it good?
          1) yes
          2) no
        `maybe` is not one of the choices; type one of them, or its number.
        ");
        check(&["yes", "no"], &["YES"], Ok("yes")).await;
        check(&["yes", "no"], &["a", "0", "3"], Err("judge typed none of the choices in 3 tries")).await;
        check(&[], &[], Err("judge cannot be asked: no terminal is attached")).await;
    }

    #[tokio::test]
    async fn the_user_of_a_run_is_asked() {
        let check = async |asked: AskUserRequest, typed: &[&'static str], expected: Result<&str, &str>| {
            let prompt = Arc::new(Typed(std::sync::Mutex::new((typed.to_vec(), String::new()))));
            let agent = PersonAgent::new("user", None, prompt.clone());
            let reply = agent.ask(Request::AskUser(asked), CallContext::default()).await;
            let reply = reply.map_err(|fault| format!("{}; {}", fault.message, fault.hint.unwrap_or_default()));
            assert_eq!(reply, expected.map(|text| Reply::AskUser(said(text))).map_err(str::to_owned));
            prompt.0.lock().expect("lock").1.clone()
        };
        let asked = |name: &str, default: Option<&str>| AskUserRequest {
            name: name.to_owned(),
            text: "Step 1: peel the onions.".to_owned(),
            default: default.map(str::to_owned),
            ..AskUserRequest::default()
        };
        let shown = check(asked("cook.turn", Some("next")), &[""], Ok("next")).await;
        insta::assert_snapshot!(shown, @r"
        Step 1: peel the onions.
        (an empty line means: next)
        ");
        let shown = check(asked("cook.known", None), &["never read"], Ok("next")).await;
        assert_eq!(shown, "", "an answer that was given is not asked for");
        check(asked("cook.turn", Some("stop")), &[], Ok("stop")).await;
        let hint = "user cannot be asked: no terminal is attached; give the answer before the run: --answer turn=VALUE, once for \
                    each time that it is asked";
        check(asked("cook.turn", None), &[], Err(hint)).await;
        let schema = Some(serde_json::json!({ "type": "integer" }));
        let number = AskUserRequest { schema, ..asked("cook.known", None) };
        let agent = PersonAgent::new("user", None, Arc::new(Typed(std::sync::Mutex::default())));
        let why = agent.ask(Request::AskUser(number), CallContext::default()).await.expect_err("no number").message;
        assert!(why.starts_with("the answer given for `known` does not fit: "), "{why}");
    }

    #[tokio::test]
    async fn a_person_labels_without_candidates() {
        let prompt = Arc::new(Typed(std::sync::Mutex::new((vec![" a dog ", ""], String::new()))));
        let agent = PersonAgent::new("judge", None, prompt.clone());
        let what = Item::Text("It barks.".into());
        let (among, texts) = (LabelList::default(), LabelList::default());
        let request = Request::Rank(RankRequest { what, among, texts, floor: FloorUse::Unused });
        let reply = agent.ask(request.clone(), CallContext::default()).await.expect("a reply");
        assert_eq!(request.fits(&reply), Ok(()));
        let dog = Scored { text: "a dog".into(), score: 1.0, probability: 1.0, floor: None };
        assert_eq!(reply, Reply::Rank(vec![dog]));
        assert_eq!(prompt.0.lock().expect("lock").1, "What is it?\nIt barks.\n");
        let error = agent.ask(request, CallContext::default()).await.expect_err("no label").to_string();
        assert_eq!(error, "judge typed no label");
    }

    #[tokio::test]
    async fn a_person_ranks_by_choosing() {
        let prompt = Arc::new(Typed(std::sync::Mutex::new((vec!["2"], String::new()))));
        let agent = PersonAgent::new("judge", None, prompt);
        let among = LabelList::from(vec!["cat".to_owned(), "dog".to_owned()]);
        let request = Request::Rank(RankRequest {
            what: Item::Text("It barks.".into()),
            among: among.clone(),
            texts: among,
            floor: FloorUse::Unused,
        });
        let reply = agent.ask(request, CallContext::default()).await.expect("a reply");
        insta::assert_json_snapshot!(reply, @r#"
        {
          "rank": [
            {
              "text": "cat",
              "score": 0.0,
              "probability": 0.0
            },
            {
              "text": "dog",
              "score": 1.0,
              "probability": 1.0
            }
          ]
        }
        "#);
    }
}
