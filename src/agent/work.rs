//! The work of a local model for a request, before the model loads: tokens, pictures, windows of sound and FLOPs.
//!
//! The count knows what a model remembers between requests: vectors of pictures and texts, vectors of labels on disk,
//! and the prompts that were read last.

use crate::{
    error::Fault,
    exchange::{Decoding, EmbedRequest, HearRequest, Item, Reply, Request, SayReply, SayRequest},
    infer::{
        chat::Chat,
        checkpoint::Checkpoint,
        choices,
        cost::{CostModel, Phase},
        labels::{LabelStore, TextUse},
        prefix::{KEPT, MIN_SHARED, kept_bytes},
        text::{TextTokenizer, VocabStyle},
    },
    store::timings::{Ratio, Ratios},
    value::Moment,
};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// The maximum texts in a call of an encoder.
const MAX_TEXTS: f64 = 64.0;
/// The characters of a token, if the tokenizer cannot be read. English text has about four.
const TOKEN_CHARS: f64 = 4.0;
/// The tokens of a reply without any limit or experience.
const REPLY_TOKENS: f64 = 64.0;
/// The tokens of a window of speech that surround its text: the prompt, the timestamps and the end.
const WINDOW_TOKENS: f64 = 8.0;
/// The characters that people speak in a second: 150 words a minute.
const SPEECH_CHARS: f64 = 14.0;

/// The work of one or more requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Work {
    /// The units of each phase.
    pub units: BTreeMap<Phase, f64>,
    /// Floating-point operations.
    pub flops: f64,
}

impl Work {
    /// The units of a phase.
    pub fn of(&self, phase: Phase) -> f64 {
        self.units.get(&phase).copied().unwrap_or_default()
    }

    /// Adds other work.
    pub fn add(&mut self, other: &Work) {
        other.units.iter().for_each(|(phase, units)| *self.units.entry(*phase).or_default() += units);
        self.flops += other.flops;
    }

    fn with(mut self, phase: Phase, units: f64, flops: f64) -> Work {
        if units > 0.0 {
            *self.units.entry(phase).or_default() += units;
            self.flops += flops;
        }
        self
    }
}

/// The name of the ratio of generated tokens to replies, for replies of at most `max_tokens`.
pub(super) fn reply_length(max_tokens: Option<usize>) -> String {
    match max_tokens {
        Some(most) => format!("reply length {most}"),
        None => "reply length".to_owned(),
    }
}

/// The name of the ratio of heard seconds to requests.
pub(super) const HEARD: &str = "heard";
/// The name of the ratio of characters to heard seconds.
pub(super) const SPEECH: &str = "speech";

/// The ratios that a finished exchange shows, besides speeds.
pub(super) fn experience(request: &Request, reply: &Reply, decode: &Decoding) -> Vec<(String, Ratio)> {
    match (request, reply) {
        (Request::Say(asked), Reply::Say(said)) if asked.choices.is_empty() => {
            let most = asked.decoding.max_tokens.or(decode.max_tokens);
            vec![(reply_length(most), Ratio { amount: said.tokens.len() as f64, per: 1.0 })]
        }
        (Request::Hear(asked), Reply::Hear(speech)) => {
            let seconds = heard_s(asked);
            let chars: usize = speech.iter().map(|segment| segment.text.chars().count()).sum();
            vec![
                (HEARD.to_owned(), Ratio { amount: seconds, per: 1.0 }),
                (SPEECH.to_owned(), Ratio { amount: chars as f64, per: seconds }),
            ]
        }
        _ => Vec::new(),
    }
}

/// The length of the requested sound, in seconds.
fn heard_s(asked: &HearRequest) -> f64 {
    let (start, end) = (asked.start.unwrap_or(asked.audio.start), asked.end.unwrap_or(asked.audio.end));
    (end.seconds() - start.seconds()).max(0.0)
}

/// Counts the work of one local model.
pub struct Estimator {
    cost: CostModel,
    tokenizer: Option<TextTokenizer>,
    chat: Option<Chat>,
    labels: LabelStore,
    decode: Decoding,
    known: Ratios,
    seen: HashSet<(String, i64)>,
    texts: HashSet<String>,
    former: VecDeque<Vec<u32>>,
    /// The bytes of keys and values of former prompts that the model keeps.
    kept_bytes: usize,
    /// The most tokens of former prompts that are kept together.
    pub kept: f64,
    /// The most tokens of a prompt with its reply.
    pub longest: f64,
    /// The most tokens of prompts and replies that are open together.
    pub open: f64,
    /// The most replies that are written together.
    pub rows: usize,
    /// The most tokens of choices that are scored in one call.
    pub scored: f64,
    /// The number of encoded texts by tokens: labels, and contents of requests.
    lengths: [BTreeMap<usize, usize>; 2],
}

impl Estimator {
    /// An estimator for a checkpoint. Reads its tokenizer, and no weights. Blocks. Fails if the family cannot read the
    /// configuration.
    pub(super) fn open(
        checkpoint: &Checkpoint,
        cost: CostModel,
        labels: LabelStore,
        decode: Decoding,
        known: Ratios,
    ) -> Estimator {
        let styles = match cost.pass(Phase::Picture).flops > 0.0 {
            true => VocabStyle::Clip,
            false if cost.pass(Phase::Text).flops > 0.0 => VocabStyle::WordPiece,
            false => VocabStyle::Bytes,
        };
        let tokenizer = TextTokenizer::open(checkpoint, styles).ok();
        let chat = Chat::open(checkpoint).ok();
        Estimator {
            cost,
            tokenizer,
            chat,
            labels,
            decode,
            known,
            seen: HashSet::new(),
            texts: HashSet::new(),
            former: VecDeque::new(),
            kept_bytes: kept_bytes(checkpoint.bytes(None, true).unwrap_or_default()),
            kept: 0.0,
            longest: 0.0,
            open: 0.0,
            rows: 1,
            scored: 0.0,
            lengths: Default::default(),
        }
    }

    /// The costs of the model's units.
    pub fn cost(&self) -> &CostModel {
        &self.cost
    }

    /// The measured ratios of the model.
    pub fn known(&self) -> &Ratios {
        &self.known
    }

    /// The expected tokens of the reply to a request: the mean of earlier replies with the same limit.
    pub fn reply_tokens(&self, decoding: &Decoding) -> f64 {
        let most = decoding.max_tokens.or(self.decode.max_tokens);
        let known = |most| self.known.get(&reply_length(most)).and_then(|ratio| ratio.rate());
        let limit = most.map_or(f64::INFINITY, |most| most as f64);
        known(most).or_else(|| known(None)).unwrap_or(REPLY_TOKENS).min(limit)
    }

    /// The expected characters of a second of sound.
    pub fn speech_chars(&self) -> f64 {
        self.known.get(SPEECH).and_then(|ratio| ratio.rate()).unwrap_or(SPEECH_CHARS)
    }

    /// The work for a request with this reply. The model answers `rows` such requests at once.
    pub fn count(&mut self, request: &Request, reply: &Reply, rows: usize) -> Work {
        match (request, reply) {
            (Request::Say(asked), Reply::Say(said)) => self.say(asked, said, rows.max(1)),
            (Request::Look(asked), Reply::Look(said)) => self.say(&asked.clone().into_say(), said, rows.max(1)),
            (Request::Hear(asked), Reply::Hear(_)) => self.hear(asked),
            (Request::Rank(asked), _) => self.judged(&asked.what, &asked.texts),
            (Request::Embed(asked), _) => self.subject(&asked.what),
            (Request::Detect(asked), _) => self.judged(&asked.what, &asked.texts),
            _ => Work::default(),
        }
    }

    fn tokens(&self, text: &str, special: bool) -> Option<Vec<u32>> {
        self.tokenizer.as_ref()?.encode(text, special).ok()
    }

    fn prompt(&self, asked: &SayRequest) -> Option<Vec<u32>> {
        let rendered = self.chat.as_ref()?.prompt(&asked.messages, asked.raw).ok()?;
        self.tokens(&rendered.text, rendered.special)
    }

    fn say(&mut self, asked: &SayRequest, said: &SayReply, rows: usize) -> Work {
        let chars: usize = asked.messages.iter().map(|message| message.content.chars().count()).sum();
        let pictures: Vec<&Item> = asked.messages.iter().flat_map(|message| &message.images).collect();
        let seen = pictures.len() as f64 * self.cost.picture_tokens;
        let looked = pictures.into_iter().map(|picture| self.subject(picture)).fold(Work::default(), |mut all, one| {
            all.add(&one);
            all
        });
        let prompt = self.prompt(asked);
        let all = prompt.as_ref().map_or(chars as f64 / TOKEN_CHARS, |ids| ids.len() as f64).max(1.0) + seen;
        let prompt = prompt.unwrap_or_default();
        let alike = |former: &Vec<u32>| prompt.iter().zip(former).take_while(|(a, b)| a == b).count();
        let shared = self.former.iter().map(alike).max().unwrap_or(0);
        let shared = if shared < MIN_SHARED { 0 } else { shared.min(prompt.len().saturating_sub(1)) } as f64;
        self.keep(prompt);
        let count = |text: &str| match self.tokens(text, false) {
            Some(ids) => ids.len() as f64,
            None => text.chars().count() as f64 / TOKEN_CHARS,
        };
        let read = self.cost.prompt.causal(all - shared, shared);
        if !asked.choices.is_empty() {
            let options: f64 = asked.choices.iter().map(|choice| count(choice)).sum();
            self.remember(all + options, 1);
            let copies = choices::copies(asked.choices.len(), all as usize) as f64;
            self.open = self.open.max(all * (1.0 + copies) + options);
            self.scored = self.scored.max(options.min(choices::CALL_TOKENS as f64));
            let units = all - shared + options;
            return looked.with(Phase::Prompt, units, read + self.cost.reply.causal(options, all));
        }
        // The words of a made-up reply may give more tokens than a real reply has.
        let written = match said.tokens.len() {
            0 => (count(&said.text) + 1.0).min(self.reply_tokens(&asked.decoding)),
            known => known as f64,
        };
        self.remember(all + written, rows);
        let phase = if rows > 1 { Phase::Batch } else { Phase::Reply };
        let work = looked.with(Phase::Prompt, all - shared, read);
        // the first token of a reply follows from the prompt
        work.with(phase, (written - 1.0).max(0.0), self.cost.reply.causal(written, all))
    }

    /// Remembers a prompt, and forgets the oldest as the model does.
    fn keep(&mut self, prompt: Vec<u32>) {
        self.former.push_back(prompt);
        let tokens = |former: &VecDeque<Vec<u32>>| former.iter().map(Vec::len).sum::<usize>() as f64;
        let most = self.kept_bytes as f64 / self.cost.prompt.cache_bytes.max(1.0);
        while self.former.len() > 1 && (self.former.len() > KEPT || tokens(&self.former) > most) {
            self.former.pop_front();
        }
        self.kept = self.kept.max(tokens(&self.former).min(most));
    }

    /// Remembers the size of a cache of keys and values.
    fn remember(&mut self, tokens: f64, rows: usize) {
        self.longest = self.longest.max(tokens);
        self.open = self.open.max(tokens * rows as f64);
        self.rows = self.rows.max(rows);
    }

    fn hear(&mut self, asked: &HearRequest) -> Work {
        let seconds = heard_s(asked);
        let ratio = |name: &str| self.known.get(name).copied().unwrap_or_default();
        let (windows, heard, written) = (ratio(Phase::Sound.word()), ratio(HEARD), ratio(Phase::Reply.word()));
        let expected = (seconds / self.cost.window_s.max(1.0)).ceil().max(1.0);
        let windows_each_s = Ratio { amount: windows.amount, per: heard.amount }.rate();
        let windows_now = windows_each_s.map_or(expected, |each| (each * seconds).max(1.0));
        let tokens_each = Ratio { amount: written.amount, per: windows.amount }.rate();
        let spoken = self.speech_chars() * seconds / windows_now / TOKEN_CHARS;
        let tokens = windows_now * tokens_each.unwrap_or(spoken + WINDOW_TOKENS);
        let work = Work::default().with(Phase::Sound, windows_now, windows_now * self.cost.sound.flops);
        self.remember(tokens / windows_now, 1);
        work.with(Phase::Reply, tokens, windows_now * self.cost.reply.causal(tokens / windows_now, 0.0))
    }

    /// The work for content that is compared with labels.
    fn judged(&mut self, what: &Item, labels: &[String]) -> Work {
        let mut work = self.subject(what);
        let new: Vec<&str> = labels.iter().map(String::as_str).filter(|text| !self.texts.contains(*text)).collect();
        let stored = match (self.labels.model, new.is_empty()) {
            (Some(model), false) => self.labels.store.get_many(model, &new),
            _ => vec![None; new.len()],
        };
        for (text, stored) in new.into_iter().zip(stored) {
            if self.texts.insert(text.to_owned()) && stored.is_none() {
                work.add(&self.text(text, TextUse::Label));
            }
        }
        work
    }

    /// The work for the content of a request, if the model has no vector of it.
    fn subject(&mut self, item: &Item) -> Work {
        let key = match item {
            Item::Text(text) if self.texts.contains(text) => return Work::default(),
            Item::Text(text) => {
                self.texts.insert(text.clone());
                return self.text(text, TextUse::Subject);
            }
            Item::Image(file) => (file.digest.clone(), 0),
            Item::Frame(Moment { media, start, .. }) => (media.digest.clone(), start.ticks),
            Item::Sound(moment) => {
                let seconds = moment.end.seconds() - moment.start.seconds();
                let windows = (seconds / self.cost.window_s.max(1e-3)).ceil().max(1.0);
                // a stretch is known by its start and its end
                let key = (format!("{} {}", moment.media.digest, moment.end.ticks), moment.start.ticks);
                return match self.cost.sound.flops > 0.0 && self.seen.insert(key) {
                    true => Work::default().with(Phase::Sound, windows, windows * self.cost.sound.flops),
                    false => Work::default(),
                };
            }
        };
        let flops = self.cost.picture.flops;
        if flops > 0.0 && self.seen.insert(key) {
            Work::default().with(Phase::Picture, 1.0, flops)
        } else {
            Work::default()
        }
    }

    /// Bytes of activations of the largest group of texts. Texts of one length share a call: labels up to
    /// `MAX_TEXTS`, and contents among the `batch` requests that are answered together.
    pub fn text_bytes(&self, batch: usize) -> f64 {
        let pass = &self.cost.text;
        let [labels, subjects] = &self.lengths;
        let all = subjects.values().sum::<usize>().max(1) as f64;
        let share = (batch as f64 / all).min(1.0);
        let of = |tokens: usize, texts: f64| texts * tokens as f64 * (pass.bytes + pass.pair_bytes * tokens as f64);
        let labels = labels.iter().map(|(tokens, count)| of(*tokens, (*count as f64).min(MAX_TEXTS)));
        let subjects = subjects.iter().map(|(tokens, count)| of(*tokens, (*count as f64 * share).max(1.0)));
        labels.chain(subjects).fold(0.0, f64::max)
    }

    fn text(&mut self, text: &str, used: TextUse) -> Work {
        // a classifier ranks among labels of its own without reading them
        if self.cost.text.flops == 0.0 {
            return Work::default();
        }
        let most = self.cost.text_tokens.max(1);
        let counted = || self.tokenizer.as_ref()?.encode_within(text, most).ok().map(|ids| ids.len() as f64);
        let tokens = match self.cost.padded {
            true => most as f64,
            false => counted().unwrap_or(text.chars().count() as f64 / TOKEN_CHARS + 2.0).min(most as f64),
        };
        *self.lengths[used as usize].entry(tokens.ceil() as usize).or_default() += 1;
        Work::default().with(Phase::Text, tokens, self.cost.text.mutual(tokens))
    }
}

/// The tokens of a request's prompt or text, if a model of this process reads it. A text that is too long for the model counts whole.
pub fn prompt_tokens(agent: &dyn super::Agent, request: &Request, reply: &Reply) -> Option<u64> {
    let parts = agent.parts(request);
    let (local, request) = parts.first()?;
    let mut estimator = local.estimator().ok()?;
    if let Request::Embed(EmbedRequest { what: Item::Text(text), .. }) = request
        && let Some(tokens) = estimator.tokens(text, true)
    {
        return Some(tokens.len() as u64);
    }
    let work = estimator.count(request, reply, 1);
    Some((work.of(Phase::Prompt) + work.of(Phase::Text)) as u64)
}

/// The time of some work in seconds: the sum over its phases, by measured speeds. None if a phase was never measured.
pub fn seconds(work: &Work, known: &Ratios) -> Option<f64> {
    let rate = |phase: Phase| known.get(phase.word()).and_then(|ratio| ratio.rate());
    let of = |(phase, units): (&Phase, &f64)| {
        // a token of a batch takes about the time of a single one, if only the other was measured
        let measured = match phase {
            Phase::Batch => rate(Phase::Batch).or_else(|| rate(Phase::Reply)),
            Phase::Reply => rate(Phase::Reply).or_else(|| rate(Phase::Batch)),
            phase => rate(*phase),
        };
        Some(units / measured?)
    };
    work.units.iter().map(of).sum()
}

/// The error of a model whose costs cannot be read.
pub(super) fn unread(error: Fault) -> Fault {
    Fault { message: format!("its work cannot be estimated: {}", error.message), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Finish, FloorUse, LabelList, LookRequest, Message, RankRequest};
    use crate::infer::cost::Transformer;

    fn estimator(known: &[(&str, f64, f64)]) -> Estimator {
        let token = Transformer::plain(8, 32, 2, 2).token();
        let cost = CostModel {
            prompt: token,
            reply: token,
            picture: token.whole(5.0),
            text: token,
            text_tokens: 6,
            ..CostModel::default()
        };
        let cost = CostModel { sound: token.whole(50.0), window_s: 30.0, ..cost };
        let known = known.iter().map(|(name, amount, per)| ((*name).to_owned(), Ratio { amount: *amount, per: *per }));
        Estimator {
            cost,
            tokenizer: None,
            chat: None,
            labels: LabelStore::default(),
            decode: Decoding::default(),
            known: known.collect(),
            seen: HashSet::new(),
            texts: HashSet::new(),
            former: VecDeque::new(),
            kept_bytes: 1 << 20,
            kept: 0.0,
            longest: 0.0,
            open: 0.0,
            rows: 1,
            scored: 0.0,
            lengths: Default::default(),
        }
    }

    fn check(work: &Work, expected: &[(Phase, f64)]) {
        let found: Vec<(Phase, f64)> = work.units.iter().map(|(phase, units)| (*phase, *units)).collect();
        assert_eq!(found, expected);
        assert_eq!(work.flops > 0.0, !expected.is_empty());
    }

    #[test]
    fn pictures_are_part_of_a_prompt() {
        let mut all = estimator(&[]);
        all.cost = CostModel { picture_tokens: 9.0, ..all.cost.clone() };
        let what = Item::Image(crate::value::ImageFile { path: "a.png".into(), digest: "d".into() });
        let look = |images: &[Item]| {
            let (images, prompt, decoding) = (images.to_vec(), "sixteen letters!".to_owned(), Decoding::default());
            Request::Look(LookRequest { images, video: false, prompt, decoding })
        };
        let reply = Reply::Look(SayReply { tokens: vec![1, 2], ..SayReply::new("hi", Finish::Stop) });
        check(
            &all.count(&look(std::slice::from_ref(&what)), &reply, 1),
            &[(Phase::Prompt, 13.0), (Phase::Reply, 1.0), (Phase::Picture, 1.0)],
        );
        check(&all.count(&look(&[what.clone(), what]), &reply, 1), &[(Phase::Prompt, 22.0), (Phase::Reply, 1.0)]);
    }

    #[test]
    fn texts_and_pictures_are_computed_once() {
        let mut all = estimator(&[]);
        let embed = |text: &str| Request::Embed(EmbedRequest::new(Item::Text(text.to_owned())));
        let reply = Reply::Embed(vec![1.0]);
        check(&all.count(&embed("sixteen letters!"), &reply, 1), &[(Phase::Text, 6.0)]);
        check(&all.count(&embed("sixteen letters!"), &reply, 1), &[]);
        check(&all.count(&embed(&"x".repeat(400)), &reply, 1), &[(Phase::Text, 6.0)]);
        let what = Item::Image(crate::value::ImageFile { path: "a.png".into(), digest: "d".into() });
        let rank = |label: &str| {
            let among = LabelList::from(vec![label.to_owned()]);
            Request::Rank(RankRequest { what: what.clone(), texts: among.clone(), among, floor: FloorUse::Unused })
        };
        let ranked = Reply::Rank(Vec::new());
        check(&all.count(&rank("abcd"), &ranked, 1), &[(Phase::Picture, 1.0), (Phase::Text, 3.0)]);
        check(&all.count(&rank("abcd"), &ranked, 1), &[]);
        check(&all.count(&rank("efgh"), &ranked, 1), &[(Phase::Text, 3.0)]);
        all.cost = CostModel { sound: all.cost.picture, window_s: 10.0, ..all.cost.clone() };
        let (start, end) = (crate::value::Time::from_seconds(0.0), crate::value::Time::from_seconds(25.0));
        let media = serde_json::from_value(serde_json::json!({
            "path": "a.wav", "digest": "s", "start": start, "end": end, "has_video": false, "has_audio": true,
        }));
        let media = std::sync::Arc::new(media.expect("a medium"));
        let what = Item::Sound(Moment { media, start, end, text: None });
        let listen = || Request::Embed(EmbedRequest::new(what.clone()));
        check(&all.count(&listen(), &reply, 1), &[(Phase::Sound, 3.0)]);
        check(&all.count(&listen(), &reply, 1), &[]);
    }

    #[test]
    fn a_padded_text_costs_all_positions() {
        let mut all = estimator(&[]);
        all.cost.padded = true;
        let embed = Request::Embed(EmbedRequest::new(Item::Text("ab".to_owned())));
        check(&all.count(&embed, &Reply::Embed(vec![1.0]), 1), &[(Phase::Text, 6.0)]);
        assert_eq!(all.text_bytes(1), 6.0 * (all.cost.text.bytes + 6.0 * all.cost.text.pair_bytes));
    }

    #[test]
    fn replies_have_the_length_of_earlier_ones() {
        let of = |most| Decoding { max_tokens: most, ..Decoding::default() };
        let check = |known: &[(&str, f64, f64)], most, expected: f64| {
            assert_eq!(estimator(known).reply_tokens(&of(most)), expected, "{known:?} {most:?}");
        };
        check(&[], None, 64.0);
        check(&[], Some(48), 48.0);
        check(&[("reply length 48", 30.0, 3.0)], Some(48), 10.0);
        check(&[("reply length 48", 30.0, 3.0)], Some(100), 64.0);
        check(&[("reply length", 40.0, 2.0)], Some(16), 16.0);
    }

    #[test]
    fn a_prompt_costs_its_tokens_and_a_choice_no_reply() {
        let mut all = estimator(&[]);
        let asked = SayRequest { raw: true, ..SayRequest::new(vec![Message::new("user", "x".repeat(40))]) };
        let said = SayReply::new("y".repeat(36), Finish::Stop);
        let reply = Reply::Say(said);
        check(&all.count(&Request::Say(asked.clone()), &reply, 1), &[(Phase::Prompt, 10.0), (Phase::Reply, 9.0)]);
        check(&all.count(&Request::Say(asked.clone()), &reply, 2), &[(Phase::Prompt, 10.0), (Phase::Batch, 9.0)]);
        assert_eq!((all.longest, all.open, all.rows), (20.0, 40.0, 2));
        let limited = SayRequest { decoding: Decoding { max_tokens: Some(4), ..Decoding::default() }, ..asked.clone() };
        check(&all.count(&Request::Say(limited), &reply, 1), &[(Phase::Prompt, 10.0), (Phase::Reply, 3.0)]);
        let choices = vec!["a".repeat(4), "b".repeat(8)];
        let mut all = estimator(&[]);
        check(&all.count(&Request::Say(SayRequest { choices, ..asked }), &reply, 1), &[(Phase::Prompt, 13.0)]);
        // the prompt, a copy of it for each choice, and the choices
        assert_eq!((all.longest, all.open, all.scored), (13.0, 33.0, 3.0));
    }

    #[test]
    fn time_needs_a_speed_for_each_phase() {
        let work = Work::default().with(Phase::Prompt, 10.0, 1.0).with(Phase::Batch, 6.0, 1.0);
        let known = |rows: &[(&str, f64, f64)]| estimator(rows).known;
        assert_eq!(seconds(&work, &known(&[("prompt", 5.0, 1.0)])), None);
        assert_eq!(seconds(&work, &known(&[("prompt", 5.0, 1.0), ("reply", 3.0, 1.0)])), Some(4.0));
        assert_eq!(
            seconds(&work, &known(&[("prompt", 5.0, 1.0), ("reply", 3.0, 1.0), ("batch", 6.0, 1.0)])),
            Some(3.0)
        );
        assert_eq!(seconds(&Work::default(), &known(&[])), Some(0.0));
    }
}
