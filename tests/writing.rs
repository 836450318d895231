//! How a reply ends and which part of it is the answer: stop texts across tokens and inside characters, and thoughts
//! before the answer. A network that writes a given text stands for a model; tokenizer, chat template and decode loop are
//! real.

use candle_core::{Device, Tensor};
use elenchus::{
    exchange::{Decoding, Finish, Message, Reply, Request, SayReply, SayRequest},
    infer::{
        chat::Chat,
        checkpoint::Checkpoint,
        decode::{CacheRow, Decoder, GeneratorParts, TextGenerator},
        job::{Job, Model},
        meter::Meter,
        prefix::Prefix,
        processors::LogitsProcessors,
        text::{TextTokenizer, VocabStyle},
    },
};
use std::path::{Path, PathBuf};

const VOCABULARY: usize = 303;
const END: u32 = 302;

/// Writes the same tokens after every prompt.
struct Parrot(Vec<u32>);

/// The number of positions that were read, and how many of them are the prompt.
struct Place {
    read: usize,
    prompt: usize,
}

impl Prefix for Place {
    fn announce(&mut self, prompt: usize) {
        self.prompt = prompt;
    }
    fn usable(&self, _: usize, _: usize) -> usize {
        0
    }
    fn is_steady(&self, _: usize) -> bool {
        false
    }
    fn truncate(&mut self, positions: usize) {
        self.read = positions;
    }
    fn copy(&self, positions: usize) -> candle_core::Result<Place> {
        Ok(Place { read: positions, prompt: self.prompt })
    }
    fn parts(&self, _: &mut dyn FnMut(usize, usize)) -> Option<()> {
        None
    }
}

impl Decoder for Parrot {
    type Cache = Place;

    fn cache(&self) -> Place {
        Place { read: 0, prompt: 0 }
    }

    fn forward(&self, rows: &mut [CacheRow<'_, Place>], all: bool) -> candle_core::Result<Tensor> {
        assert!(!all);
        let mut logits = Vec::new();
        for (place, read) in rows {
            place.read += read.len();
            let next = place.read.checked_sub(place.prompt).and_then(|written| self.0.get(written));
            let mut row = vec![0.0_f32; VOCABULARY];
            row[*next.unwrap_or(&END) as usize] = 50.0;
            logits.push(row);
        }
        Tensor::new(logits, &Device::Cpu)
    }
}

/// A byte-level tokenizer with few merges: most characters beyond ASCII take one token for each byte.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures/lm-tied")
}

fn tokenizer(folder: &Path) -> (Checkpoint, TextTokenizer) {
    let checkpoint = Checkpoint::open(folder).expect("a checkpoint");
    let text = TextTokenizer::open(&checkpoint, VocabStyle::Bytes).expect("a tokenizer");
    (checkpoint, text)
}

/// A reply, and the same text as it was streamed.
fn reply(folder: &Path, writes: &str, request: SayRequest) -> SayReply {
    let run = |stream| {
        let (checkpoint, text) = tokenizer(folder);
        let script = text.encode(writes, false).expect("tokens");
        assert_eq!(text.decode(&script).expect("text"), writes);
        let parts = GeneratorParts {
            kept_bytes: 0,
            chat: Chat::open(&checkpoint).expect("a template"),
            text,
            ends: vec![END],
            processors: LogitsProcessors::read(None, &[END]).expect("none"),
            defaults: Decoding::default(),
            decode: Decoding { temperature: Some(0.0), ..Decoding::default() },
            context_tokens: 1000,
            meter: Meter::default(),
        };
        let (job, answer) = Job::new(Request::Say(request.clone()), Vec::new(), 0, stream);
        TextGenerator::new(Parrot(script), parts).answer(vec![job]);
        match answer.blocking_recv().expect("answered").expect("a reply") {
            Reply::Say(said) => said,
            other => panic!("{other:?}"),
        }
    };
    let whole = run(None);
    let (stream, mut pieces) = tokio::sync::mpsc::unbounded_channel();
    assert_eq!(run(Some(stream)), whole);
    let mut streamed = String::new();
    while let Ok(piece) = pieces.try_recv() {
        streamed += &piece;
    }
    assert_eq!(streamed, whole.text);
    whole
}

fn asked(stop: &[&str]) -> SayRequest {
    let stop = stop.iter().map(|text| (*text).to_owned()).collect();
    let decoding = Decoding { stop, logprobs: Some(true), ..Decoding::default() };
    SayRequest { decoding, ..SayRequest::new(vec![Message::new("user", "where?")]) }
}

#[test]
fn a_stop_text_may_lie_across_tokens_and_inside_characters() {
    let (_, text) = tokenizer(&fixture());
    assert!(text.encode("日本語🗝é", false).expect("tokens").len() > 10, "characters take several tokens");
    let check = |writes: &str, stop: &[&str], expected: &str| {
        let said = reply(&fixture(), writes, asked(stop));
        assert_eq!(said.text, expected, "{writes} {stop:?}");
        assert_eq!(said.finish, Finish::Stop);
        // the tokens hold the text, and end with the token that completes it
        let held = |tokens: &[u32]| text.decode(tokens).expect("text").starts_with(expected);
        assert!(held(&said.tokens), "{writes} {stop:?}: {:?}", text.decode(&said.tokens));
        if let Some((_, before)) = said.tokens.split_last() {
            assert!(!held(before), "{writes} {stop:?}: more tokens than the text needs");
        }
        assert_eq!(said.logprobs.len(), said.tokens.len());
    };
    // across tokens
    check("in the kitchen. Then", &[". T"], "in the kitchen");
    check("in the kitchen. Then", &["tchen. Th"], "in the ki");
    check("one\n\ntwo", &["\n\n"], "one");
    // within one token, and at the start of the reply
    check("in the kitchen", &["h"], "in t");
    check("in the kitchen", &["in "], "");
    // characters of several tokens: as the stop, before it and inside it
    check("日本語", &["本"], "日");
    check("日本語", &["本語"], "日");
    check("日本語", &["語"], "日本");
    check("日本語", &["日"], "");
    check("a🗝b日c", &["b日c"], "a🗝");
    check("é🗝é", &["🗝"], "é");
    check("café è", &["è"], "café ");
    // characters that share their first bytes with the stop
    check("語誡", &["誡"], "語");
    check("eè é", &["é"], "eè ");
    // the earliest of several, and the beginning of a stop that does not complete
    check("ab日cd", &["d", "日", "c"], "ab");
    check("日本日語", &["日語"], "日本");
    check("one\n\ntwo", &["\n\nt", "\n\n\n"], "one");
}

#[test]
fn a_reply_without_the_stop_text_is_whole() {
    let check = |writes: &str, stop: &[&str]| {
        let said = reply(&fixture(), writes, asked(stop));
        assert_eq!((said.text.as_str(), said.finish), (writes, Finish::Stop));
    };
    check("日本", &["日語", "本日"]);
    check("the end\n", &["\n\n"]);
    check("🗝", &["\u{1f512}"]);
}

/// A model whose template ends with the mark of thoughts if `opened`.
fn thinker(opened: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(fixture()).expect("files") {
        let entry = entry.expect("a file");
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    let end = if opened { "<think>\n" } else { "" };
    let template =
        format!("{{% for message in messages %}}{{{{ message.content }}}}\n{{% endfor %}}<|im_start|>assistant\n{end}");
    std::fs::write(folder.path().join("chat_template.jinja"), template).expect("written");
    folder
}

#[test]
fn thoughts_have_a_field_of_their_own() {
    let check = |opened: bool, writes: &str, request: SayRequest, expected: (&str, &str)| {
        let said = reply(thinker(opened).path(), writes, request);
        assert_eq!((said.thinking.as_str(), said.text.as_str()), expected, "{writes}");
        // the tokens are those of both
        assert!(said.tokens.len() > said.thinking.len() / 4 && said.logprobs.len() == said.tokens.len());
    };
    check(false, "<think>\nA cup?\n</think>\n\nIn the kitchen.", asked(&[]), ("A cup?", "In the kitchen."));
    check(true, "A cup?\n</think>\n\nIn the kitchen.", asked(&[]), ("A cup?", "In the kitchen."));
    check(false, "In the kitchen.", asked(&[]), ("", "In the kitchen."));
    // a stop text ends the answer, not the thoughts
    check(false, "<think>\nA.\nB.\n</think>\n\nHere.\nC.", asked(&["\n"]), ("A.\nB.", "Here."));
    check(true, "A.\nB.\n</think>\n\nHere.\nC.", asked(&["\n"]), ("A.\nB.", "Here."));
    // thoughts that reach `max_tokens` leave no answer
    let mut short = asked(&[]);
    short.decoding.max_tokens = Some(16);
    for (opened, writes) in [(true, "A cup? It may be in the kitchen"), (false, "<think>\nA cup? It may be in it")] {
        let said = reply(thinker(opened).path(), writes, short.clone());
        assert_eq!((said.text.as_str(), said.finish), ("", Finish::Length), "{writes}");
        assert!(said.thinking.starts_with('A'), "{said:?}");
    }
}
