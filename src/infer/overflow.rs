//! Prompts that are longer than the context: refused, or without some lines of their list.

use super::{
    chat::{Contents, RenderedPrompt},
    decode::{Decoder, MAX_TOKENS, TextGenerator},
    job::Job,
    seen::SeenPrompt,
    thinking,
};
use crate::{
    error::Fault,
    exchange::{Decoding, Message, SayRequest},
};

impl<D: Decoder> TextGenerator<D> {
    /// The token ids of a request's prompt, and the number of lines that were left out. If the request allows it, lines
    /// are left out until the reply has its `max_tokens`, at most half of the context. Fails if a prompt leaves no room
    /// for a reply.
    pub(super) fn fitted(
        &self,
        job: &Job,
        say: &SayRequest,
        settings: &Decoding,
        seen: &SeenPrompt,
    ) -> Result<(Vec<u32>, usize), Fault> {
        let think = settings.think.unwrap_or(false) && job.may_think();
        let rendered = self.rendered(&say.messages, say.raw, think, seen)?;
        if thinking::opens(&rendered.text) {
            job.opens_thoughts();
        }
        let whole = self.ids_of(&rendered, seen)?;
        if let Some(overflow) = &say.overflow {
            let reply = settings.max_tokens.unwrap_or(MAX_TOKENS).min(self.context_tokens / 2);
            let most = self.context_tokens - reply;
            if whole.len() > most {
                let lines = overflow.lines(&say.messages);
                let tokens =
                    |count: usize| self.tokens_of(&overflow.without(&say.messages, count), (say.raw, think), seen);
                let (count, ids) = fewest(lines, most, tokens)?;
                if ids.len() <= most {
                    tracing::debug!(count, lines, tokens = ids.len(), "lines are left out of the prompt");
                    return Ok((ids, count));
                }
                return Err(Fault::failed(format!(
                    "the prompt has {} tokens without any of the {lines} lines of its list; the model reads at most {} \
                     together with a reply of {reply}: shorten the prompt or use a model that reads more",
                    ids.len(),
                    self.context_tokens
                )));
            }
        }
        self.check_room(whole.len())?;
        Ok((whole, 0))
    }

    /// Fails if a prompt of so many tokens leaves no room for a reply.
    pub(super) fn check_room(&self, tokens: usize) -> Result<(), Fault> {
        if tokens < self.context_tokens {
            return Ok(());
        }
        Err(Fault::failed(format!(
            "the prompt has {tokens} tokens; the model reads at most {} together with its reply: shorten the prompt or use a model that reads more",
            self.context_tokens
        )))
    }

    fn rendered(
        &self,
        messages: &[Message],
        raw: bool,
        think: bool,
        seen: &SeenPrompt,
    ) -> Result<RenderedPrompt, Fault> {
        let reads = match (seen.is_video, self.decoder.picture_mark()) {
            (true, _) => Contents::Video,
            (false, Some(_)) => Contents::Pictures,
            (false, None) => Contents::Text,
        };
        self.chat.render(messages, raw, think, reads)
    }

    /// The token and the text of the marks in a prompt.
    pub(super) fn mark(&self, seen: &SeenPrompt) -> Option<(u32, &str)> {
        if seen.is_video { self.decoder.video_mark() } else { self.decoder.picture_mark() }
    }

    fn tokens_of(
        &self,
        messages: &[Message],
        (raw, think): (bool, bool),
        seen: &SeenPrompt,
    ) -> Result<Vec<u32>, Fault> {
        self.ids_of(&self.rendered(messages, raw, think, seen)?, seen)
    }

    /// The token ids of a prompt, in which the texts of pictures replace their marks in order.
    fn ids_of(&self, RenderedPrompt { text, special }: &RenderedPrompt, seen: &SeenPrompt) -> Result<Vec<u32>, Fault> {
        let ids = match self.mark(seen) {
            Some((_, mark)) if !seen.pictures.is_empty() => {
                let texts = seen.texts();
                let mut whole = String::new();
                for (n, part) in text.split(mark).enumerate() {
                    // a mark without a picture stays, and is refused later
                    let between = n.checked_sub(1).map(|n| texts.get(n).map_or(mark, String::as_str));
                    whole.push_str(between.unwrap_or_default());
                    whole.push_str(part);
                }
                self.text.encode(&whole, *special)?
            }
            _ => self.text.encode(text, *special)?,
        };
        if ids.is_empty() { Err(Fault::failed("the prompt is empty".to_owned())) } else { Ok(ids) }
    }
}

/// The fewest of `lines` lines that must be left out so that at most `most` tokens remain, and the tokens. All lines if
/// even that is not enough.
fn fewest(
    lines: usize,
    most: usize,
    tokens: impl Fn(usize) -> Result<Vec<u32>, Fault>,
) -> Result<(usize, Vec<u32>), Fault> {
    let mut best = (lines, tokens(lines)?);
    if best.1.len() > most {
        return Ok(best);
    }
    // all of `low` lines are too few
    let mut low = 0;
    while best.0 - low > 1 {
        let middle = low + (best.0 - low) / 2;
        let ids = tokens(middle)?;
        if ids.len() <= most { best = (middle, ids) } else { low = middle }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{LeaveOut, Overflow};

    #[test]
    fn the_fewest_lines_are_left_out() {
        let check = |lines: usize, most: usize, expected: usize| {
            let found = fewest(lines, most, |out| Ok(vec![0; 10 + 3 * (lines - out)])).expect("tokens");
            assert_eq!(found.0, expected, "{lines} lines, {most} tokens");
        };
        check(10, 39, 1);
        check(10, 25, 5);
        check(10, 10, 10);
        check(10, 5, 10);
        check(1, 12, 1);
    }

    #[test]
    fn lines_keep_their_numbers() {
        let check = |first: LeaveOut, count: usize, expected: &str| {
            let messages = [Message::new("user", "log:\n[1] a\n[2] b\n[3] c\n[4] d\nend")];
            let overflow = Overflow { first, message: 0, start: 5, end: 28 };
            assert_eq!(overflow.lines(&messages), 4);
            assert_eq!(overflow.without(&messages, count)[0].content, expected);
        };
        check(LeaveOut::Oldest, 0, "log:\n[1] a\n[2] b\n[3] c\n[4] d\nend");
        check(LeaveOut::Oldest, 2, "log:\n(2 lines are left out here)\n[3] c\n[4] d\nend");
        check(LeaveOut::Middle, 2, "log:\n[1] a\n(2 lines are left out here)\n[4] d\nend");
        check(LeaveOut::Rest, 3, "log:\n[1] a\nend");
        check(LeaveOut::Rest, 4, "log:\n\nend");
        check(LeaveOut::Middle, 9, "log:\n(4 lines are left out here)\nend");
    }
}
