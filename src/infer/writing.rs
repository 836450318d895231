//! One step of a reply that is being generated: the next token, the text so far, stop texts and the end.

use super::{
    decode::{Decoder, TextGenerator},
    prefix::PromptPosition,
    processors::SoFar,
    restrict::Restricted,
    sampling::log_probability,
    together::Writing,
};
use crate::{
    error::Fault,
    exchange::{Finish, Reply, SayReply, TokenLogprob},
};

impl<D: Decoder> TextGenerator<D> {
    /// Chooses one more token. Gives the reply if the row ends with it.
    pub(super) fn choose_token(&self, row: &mut Writing<D::Cache>, logits: &mut [f32]) -> Result<Option<Reply>, Fault> {
        if row.max_tokens == 0 {
            return Ok(Some(Reply::Say(SayReply::new("", Finish::Length))));
        }
        let own = row.settings.logprobs.unwrap_or(false).then(|| logits.to_vec());
        let Some(next) = self.next(row, logits) else {
            return self.finished(row, Finish::Stop).map(Some);
        };
        row.tokens.push(next);
        row.read.push(PromptPosition::Token(next));
        if row.restricted.as_ref().is_some_and(Restricted::is_finished) {
            return self.finished(row, Finish::Stop).map(Some);
        }
        let full = row.tokens.len() - row.prompt >= row.max_tokens;
        if row.settings.stop.is_empty() && own.is_none() && !row.job.streams() {
            return if full { self.finished(row, Finish::Length).map(Some) } else { Ok(None) };
        }
        let before = settled(&row.said, &[]);
        row.said = self.said(row)?;
        if let Some(own) = own {
            let text = row.said.get(before..settled(&row.said, &[])).unwrap_or_default().to_owned();
            row.logprobs.push(TokenLogprob { id: Some(next), text, logprob: log_probability(&own, next) as f32 });
        }
        // stop texts end the answer, not the thoughts before it
        let from = row.job.thoughts_end(&row.said);
        let found = |stop: &String| Some(from + row.said[from..].find(stop)?);
        if let Some(cut) = row.settings.stop.iter().filter_map(found).min() {
            row.said.truncate(cut);
            // Only the tokens that wrote the text before the stop belong to the reply. A token that ends inside a
            // character has another text, so lengths alone do not tell.
            let mut keep = row.prompt;
            while keep < row.tokens.len() && !self.text.decode(&row.tokens[row.prompt..keep])?.starts_with(&row.said) {
                keep += 1;
            }
            row.tokens.truncate(keep);
            return Ok(Some(written(row, Finish::Stop)));
        }
        if full {
            return self.finished(row, Finish::Length).map(Some);
        }
        let ready = settled(&row.said, &row.settings.stop);
        if ready > row.streamed {
            row.job.piece(&row.said[row.streamed..ready]);
            row.streamed = ready;
        }
        Ok(None)
    }

    fn finished(&self, row: &mut Writing<D::Cache>, finish: Finish) -> Result<Reply, Fault> {
        row.said = self.said(row)?;
        Ok(written(row, finish))
    }

    /// The text of the reply so far. A decoder may drop a space that a restriction demands, so a restricted reply has
    /// its own text.
    fn said(&self, row: &Writing<D::Cache>) -> Result<String, Fault> {
        match &row.restricted {
            Some(restricted) => Ok(restricted.text()),
            None => self.text.decode(&row.tokens[row.prompt..]),
        }
    }

    /// The next token of a row; `None` if its reply ends.
    fn next(&self, row: &mut Writing<D::Cache>, logits: &mut [f32]) -> Option<u32> {
        let so_far = SoFar { tokens: &row.tokens, prompt: row.prompt, max_tokens: row.max_tokens };
        let (Some(restricted), Some(alphabet)) = (&mut row.restricted, &self.alphabet) else {
            self.processors.apply(logits, &so_far, &row.settings);
            return Some(row.sampler.choose(logits)).filter(|next| !self.ends.contains(next));
        };
        let left = row.max_tokens - (row.tokens.len() - row.prompt) - 1;
        if let Some(forced) = restricted.forced() {
            return restricted.take(alphabet, forced, left);
        }
        let own = logits.to_vec();
        self.processors.apply(logits, &so_far, &row.settings);
        if !restricted.mask(alphabet, logits, &self.ends) {
            // the rules of the checkpoint forbid all that the restriction allows, so they give way
            logits.copy_from_slice(&own);
            if !restricted.mask(alphabet, logits, &self.ends) {
                restricted.close();
            }
        }
        let chosen = row.sampler.choose(logits);
        if self.ends.contains(&chosen) { None } else { restricted.take(alphabet, chosen, left) }
    }
}

/// The reply of a row that ends.
fn written<C>(row: &Writing<C>, finish: Finish) -> Reply {
    let tokens = row.tokens[row.prompt..].to_vec();
    let logprobs = row.logprobs.iter().take(tokens.len()).cloned().collect();
    Reply::Say(SayReply { tokens, logprobs, left_out: row.left_out, ..SayReply::new(&row.said, finish) })
}

/// The number of bytes that can be streamed now: not an incomplete character, and not the beginning of a stop text.
fn settled(said: &str, stops: &[String]) -> usize {
    let whole = said.trim_end_matches('\u{fffd}');
    let held =
        stops.iter().flat_map(|stop| (1..stop.len()).filter(|n| stop.is_char_boundary(*n)).map(move |n| &stop[..n]));
    let longest = held.filter(|begin| whole.ends_with(begin)).map(str::len).max().unwrap_or(0);
    whole.len() - longest
}

#[cfg(test)]
mod tests {
    use super::settled;

    #[test]
    fn the_beginning_of_a_stop_text_is_not_streamed() {
        let check = |said: &str, stop: &str| said[..settled(said, &[stop.to_owned()])].to_owned();
        assert_eq!(check("on the ta", "\nQ:"), "on the ta");
        assert_eq!(check("on the table\n", "\nQ:"), "on the table");
        assert_eq!(check("caf\u{fffd}", "x"), "caf");
    }
}
