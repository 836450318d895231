//! Vectors of texts.
//!
//! Text `n` has the words whose numbers are the digits of n in base 64, and then words that n chooses.

use crate::work::{Loaded, Outcome, Work, count, vectors};
use elenchus::{
    exchange::{EmbedRequest, Item, Request},
    infer::job::Input,
};
use serde_json::{Value as Json, json};

/// Vectors of `batch` texts in one call. A text has `words` words, or from 6 to 35 if `words` is 0.
pub(crate) struct Texts {
    model: Loaded,
    words: Vec<String>,
    read: usize,
}

impl Texts {
    pub(crate) fn load(asked: &Json) -> Outcome<Texts> {
        let words: Vec<String> = serde_json::from_value(asked["words"].clone()).map_err(|e| e.to_string())?;
        if words.len() != 64 {
            return Err(format!("expected 64 words, found {}", words.len()));
        }
        Ok(Texts { model: Loaded::new(asked)?, words, read: 0 })
    }

    fn text(&self, n: usize, words: usize) -> String {
        let length = if words == 0 { 6 + n * 7 % 30 } else { words };
        let number = |at: usize| if at < 4 { n >> (6 * at) } else { n * 31 + at * (n % 61 + 1) };
        (0..length).map(|at| self.words[number(at) % 64].as_str()).collect::<Vec<_>>().join(" ")
    }

    fn embed(&mut self, texts: Vec<String>) -> Outcome<Vec<Vec<f32>>> {
        let job = |text: String| (Request::Embed(EmbedRequest::new(Item::Text(text.clone()))), vec![Input::Text(text)]);
        vectors(self.model.answer(texts.into_iter().map(job).collect())?)
    }
}

impl Work for Texts {
    fn once(&mut self, asked: &Json) -> Outcome<f64> {
        let (batch, words) = (count(asked, "batch")?, count(asked, "words")?);
        let texts = (self.read..self.read + batch).map(|n| self.text(n, words)).collect();
        self.read += batch;
        self.embed(texts)?;
        Ok(batch as f64)
    }

    fn check(&mut self, _: &Json) -> Outcome<Json> {
        let texts = (1..4).map(|n| self.text(1_000_003 * n, 0)).collect();
        self.embed(texts).map(|vectors| json!(vectors))
    }
}
