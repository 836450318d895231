//! A person as an agent: the terminal shows a question, and the person types a line.

use super::{Agent, CallContext, Card};
use crate::{
    error::Fault,
    exchange::{Answers, Finish, Item, Kind, Modality, RankRequest, Reply, Request, SayReply, SayRequest},
    grammar::Restriction,
    value::Scored,
};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The maximum number of invalid answers, so that a stuck key or a pipe cannot loop forever.
const MAX_TRIES: usize = 3;

/// Reads lines from a person. The command line uses the terminal; tests have their own.
pub trait LineReader: Send + Sync {
    /// Shows `question` and waits for one line. The error is the reason why a person cannot answer (no terminal, end of
    /// input).
    fn line(&self, question: &str) -> Result<String, String>;
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
        let answers = vec![Answers::new(Kind::Say, content), Answers::new(Kind::Rank, content)];
        let card =
            Card { name: name.to_owned(), answers, identity: "person".to_owned(), memo: false, own_labels: true };
        PersonAgent { card, prompt, greeting, turn: Mutex::new(()) }
    }

    /// Asks until the person types one of the choices. If the list of choices is empty, `fits` decides. Fails after
    /// [`MAX_TRIES`] invalid lines.
    async fn answer(
        &self,
        question: String,
        choices: &[String],
        fits: impl Fn(&str) -> Result<(), String>,
    ) -> Result<String, Fault> {
        let _turn = self.turn.lock().await;
        let greeting = self.greeting.as_ref().map(|greeting| format!("{}\n", greeting.trim_end()));
        let mut question = greeting.unwrap_or_default() + &question + &numbered(choices);
        for _ in 0..MAX_TRIES {
            let line = self.line(question).await?;
            let line = line.trim();
            if choices.is_empty() {
                match fits(line) {
                    Ok(()) => return Ok(line.to_owned()),
                    Err(why) => question = format!("{why}; type the answer again.\n"),
                }
                continue;
            }
            if let Some(choice) = chosen(line, choices) {
                return Ok(choice.to_owned());
            }
            question = format!("`{line}` is not one of the choices; type one of them, or its number.\n");
        }
        let typed = if choices.is_empty() { "no valid answer" } else { "none of the choices" };
        Err(Fault::failed(format!("{} typed {typed} in {MAX_TRIES} tries", self.card.name)))
    }

    /// Waits for a line on a separate thread, because a blocked thread of the runtime would delay the end of the
    /// process on Ctrl-C.
    async fn line(&self, question: String) -> Result<String, Fault> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let prompt = self.prompt.clone();
        let thread = std::thread::Builder::new().name("person".to_owned());
        thread
            .spawn(move || drop(answer.send(prompt.line(&question))))
            .map_err(|error| Fault::failed(format!("the thread that asks a person cannot be started: {error}")))?;
        match answered.await {
            Ok(line) => line.map_err(|why| Fault::failed(format!("{} cannot be asked: {why}", self.card.name))),
            Err(_) => Err(Fault::cancelled()),
        }
    }
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
                let fits = |line: &str| request.restriction().map_or(Ok(()), |restriction| restriction.accepts(line));
                let text = self.answer(shown(&request), &request.choices, fits).await?;
                Ok(said(&text))
            }
            Request::Rank(RankRequest { what, among, .. }) => {
                let question = if among.is_empty() { "What is it?" } else { "Which of these is it?" };
                let winner = self.answer(format!("{question}\n{}", look_at(&what)), &among, |_| Ok(())).await?;
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
            _ => Err(Fault::failed(format!("{} is a person, and answers `say` and `rank` only", self.card.name))),
        }
    }
}

fn said(text: &str) -> Reply {
    Reply::Say(SayReply::new(text, Finish::Stop))
}

/// The chat as a person reads it.
fn shown(request: &SayRequest) -> String {
    let mut text = String::new();
    for message in &request.messages {
        message.images.iter().for_each(|image| text.push_str(&look_at(image)));
        text.push_str(message.content.trim_end());
        text.push('\n');
    }
    match request.restriction() {
        Some(Restriction::Schema(schema)) => text + &format!("(answer with JSON that fits {schema})\n"),
        Some(Restriction::Regex(regex)) => text + &format!("(answer with a line that matches {regex})\n"),
        None => text,
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

/// The choice that the line names by its text or its number.
fn chosen<'a>(line: &str, choices: &'a [String]) -> Option<&'a str> {
    let by_number = || line.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
    let by_text = choices.iter().find(|choice| choice.to_lowercase() == line.to_lowercase());
    by_text.or_else(by_number).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{FloorUse, LabelList, Message};

    /// Answers with these lines, and records the questions.
    struct Typed(std::sync::Mutex<(Vec<&'static str>, String)>);

    impl LineReader for Typed {
        fn line(&self, question: &str) -> Result<String, String> {
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
        assert_eq!(reply, expected.map(said).map_err(str::to_owned));
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
