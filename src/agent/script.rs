//! Scripted agents (`script:` in an agent file): prepared replies for demonstrations and for tests of a whole run.

use super::{Agent, CallContext, Card};
use crate::{
    error::Fault,
    exchange::{Answers, Kind, Modality, NoReply, Reply, Request, Script},
};
use async_trait::async_trait;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An agent that answers from a script.
#[derive(Debug)]
pub struct ScriptAgent {
    card: Card,
    script: Script,
    /// The number of requests so far.
    asked: AtomicUsize,
}

impl ScriptAgent {
    /// An agent that answers from `script`.
    pub fn new(name: &str, script: Script) -> ScriptAgent {
        let card = Card {
            name: name.to_owned(),
            answers: Kind::ALL.iter().map(|kind| Answers::new(*kind, Modality::ALL)).collect(),
            identity: format!("script {}", blake3::hash(format!("{script:?}").as_bytes()).to_hex()),
            // The replies of a list depend on the number of earlier requests, so the memo must not keep them.
            memo: false,
            own_labels: true,
        };
        ScriptAgent { card, script, asked: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Agent for ScriptAgent {
    fn card(&self) -> &Card {
        &self.card
    }

    fn states_floors(&self) -> bool {
        true
    }

    async fn ask(&self, request: Request, asking: CallContext) -> Result<Reply, Fault> {
        let ordinal = self.asked.fetch_add(1, Ordering::SeqCst);
        let reply = self.script.reply(&request, ordinal).map_err(|none| match none {
            NoReply::OnPurpose(why) => Fault::passing(why, None),
            NoReply::Unfit(why) => Fault::failed(format!("script of {}: {why}", self.card.name)),
        })?;
        if let (Some(text), Some(stream)) = (reply.text(), asking.stream) {
            // The reply is complete even if its reader has left.
            let _ = stream.send(text.to_owned());
        }
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialogue,
        exchange::{Message, SayRequest},
    };

    /// Asks in turn and shows each reply.
    async fn check(script: &str, prompts: &[&str], expected: &[&str]) {
        let file = dialogue::agent_file(&format!("script: {script}"), "agents/a.yaml").expect("an agent file");
        let agent = ScriptAgent::new("a", file.script.expect("a script").value);
        let mut found = Vec::new();
        for prompt in prompts {
            let (messages, choices) = (vec![Message::new("user", *prompt)], Vec::new());
            let request = SayRequest { choices, ..SayRequest::new(messages) };
            let (stream, mut streamed) = tokio::sync::mpsc::unbounded_channel();
            let asking = CallContext { stream: Some(stream), ..CallContext::default() };
            found.push(match agent.ask(Request::Say(request), asking).await {
                Ok(reply) => {
                    let text = reply.text().expect("a text").to_owned();
                    assert_eq!(streamed.try_recv(), Ok(text.clone()));
                    text
                }
                Err(fault) => format!("{}error: {fault}", if fault.is_passing() { "passing " } else { "" }),
            });
        }
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_script_answers_in_order_or_by_a_piece_and_fails_on_purpose() {
        let over = "error: script of a: request 4 came, but the script holds 3 replies: d";
        check("[one, 2, { fail: busy }]", &["a", "b", "c", "d"], &["one", "2", "passing error: busy", over]).await;
        let keys = ["Where are my keys?", "Why?", "keys, again"];
        check(
            "{ keys: On the table., '': I don't know. }",
            &keys,
            &["On the table.", "I don't know.", "On the table."],
        )
        .await;
        let none = "error: script of a: no piece of the script (`keys`) occurs in: Why?";
        check("{ keys: x }", &["Why?"], &[none]).await;
        let unfit = "error: script of a: the script's reply does not fit: found 2 numbers, expected a text";
        check("[[1, 2]]", &["a"], &[unfit]).await;
    }
}
