//! Replies of language models: the tokens of prompts and replies, and answers about a picture.

use crate::{
    pictures::picture,
    work::{Loaded, Outcome, Work, count},
};
use elenchus::{
    exchange::{Decoding, Item, LookRequest, Message, Reply, Request, SayReply, SayRequest},
    infer::job::Input,
    value::ImageFile,
};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Greedy, and of exactly this many tokens if the model has no end token.
fn greedy(tokens: usize) -> Decoding {
    Decoding { temperature: Some(0.0), max_tokens: Some(tokens), ..Decoding::default() }
}

/// The replies, each of `tokens` tokens.
fn replies(found: Vec<Reply>, tokens: usize) -> Outcome<Vec<SayReply>> {
    let reply = |reply| match reply {
        Reply::Say(said) | Reply::Look(said) if said.tokens.len() == tokens => Ok(said),
        other => Err(format!("expected a reply of {tokens} tokens, found {other:?}")),
    };
    found.into_iter().map(reply).collect()
}

/// `together` prompts of `prompt` characters, which are tokens of the model, and replies of `reply` tokens.
pub(crate) struct Tokens {
    model: Loaded,
    asked: usize,
}

impl Tokens {
    pub(crate) fn load(asked: &Json) -> Outcome<Tokens> {
        Ok(Tokens { model: Loaded::new(asked)?, asked: 0 })
    }

    /// Prompt `n`. Its first character differs from that of the prompt before, so that no prefix is reused.
    fn prompt(n: usize, length: usize) -> String {
        let character = |at: usize| if at < 3 { n / 94usize.pow(at as u32) } else { n * 17 + at * (at + n % 13 + 3) };
        (0..length).map(|at| char::from(33 + (character(at) % 94) as u8)).collect()
    }

    fn say(&mut self, numbers: std::ops::Range<usize>, prompt: usize, reply: usize) -> Outcome<Vec<SayReply>> {
        let job = |n: usize| {
            let messages = vec![Message::new("user", Tokens::prompt(n, prompt))];
            let say = SayRequest { raw: true, decoding: greedy(reply), ..SayRequest::new(messages) };
            (Request::Say(say), Vec::new())
        };
        replies(self.model.answer(numbers.map(job).collect())?, reply)
    }
}

impl Work for Tokens {
    fn once(&mut self, asked: &Json) -> Outcome<f64> {
        let (prompt, reply) = (count(asked, "prompt")?, count(asked, "reply")?);
        let together = count(asked, "together")?;
        let first = self.asked;
        self.asked += together;
        self.say(first..first + together, prompt, reply)?;
        // a prompt whose reply is one token is counted by its own tokens
        Ok((together * if reply == 1 { prompt } else { reply }) as f64)
    }

    fn check(&mut self, _: &Json) -> Outcome<Json> {
        let said = self.say(1_000_000..1_000_001, 64, 12)?;
        Ok(json!(said[0].tokens))
    }
}

/// Answers of `reply` tokens about one picture of `side` pixels.
pub(crate) struct Looking {
    model: Loaded,
    side: u32,
    shown: u32,
}

impl Looking {
    pub(crate) fn load(asked: &Json) -> Outcome<Looking> {
        Ok(Looking { model: Loaded::new(asked)?, side: count(asked, "side")? as u32, shown: 0 })
    }

    fn look(&mut self, number: u32, reply: usize) -> Outcome<SayReply> {
        let file = ImageFile { path: String::new(), digest: String::new() };
        let request = LookRequest {
            images: vec![Item::Image(file)],
            video: false,
            prompt: "What is here?".to_owned(),
            decoding: greedy(reply),
        };
        let shown = Input::Image(Arc::new(picture((self.side, self.side), number)));
        let mut said = replies(self.model.answer(vec![(Request::Look(request), vec![shown])])?, reply)?;
        said.pop().ok_or_else(|| "there is no reply".to_owned())
    }
}

impl Work for Looking {
    fn once(&mut self, asked: &Json) -> Outcome<f64> {
        self.shown += 1;
        self.look(self.shown, count(asked, "reply")?)?;
        Ok(1.0)
    }

    fn check(&mut self, _: &Json) -> Outcome<Json> {
        Ok(json!(self.look(1_000_000, 8)?.tokens))
    }
}
