//! Replies of local models under a schema, a regular expression or neither, together in one batch: each fits, however
//! few tokens it may have, and a request that cannot fit is refused with both numbers.

use elenchus::{
    error::Fault,
    exchange::{Decoding, LeaveOut, Message, Overflow, Reply, Request, SayReply, SayRequest},
    infer::{
        checkpoint::Checkpoint,
        job::{Job, Model},
    },
    models::{ModelOptions, llama},
};
use serde_json::{Value as Json, json};
use std::path::PathBuf;

fn model(name: &str) -> impl Model {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures").join(name);
    let checkpoint = Checkpoint::open(&folder).expect("a checkpoint");
    let options = ModelOptions::new(candle_core::Device::Cpu, candle_core::DType::F32);
    llama::generator(&checkpoint, &options).expect("a model")
}

/// A restriction of a request.
#[derive(Debug, Clone)]
enum Wanted {
    Anything,
    Schema(Json),
    Regex(&'static str),
}

/// Asks for all at once. Each has a seed of its own and at most this many tokens.
fn ask(model: &mut dyn Model, all: &[(Wanted, usize)]) -> Vec<Result<SayReply, Fault>> {
    let job = |(n, (wanted, most)): (usize, &(Wanted, usize))| {
        let decoding = Decoding { max_tokens: Some(*most), temperature: Some(1.5), ..Decoding::default() };
        let mut say =
            SayRequest { raw: true, decoding, ..SayRequest::new(vec![Message::new("user", format!("hello {n}"))]) };
        match wanted {
            Wanted::Anything => {}
            Wanted::Schema(schema) => say.schema = Some(schema.clone()),
            Wanted::Regex(regex) => say.regex = Some((*regex).to_owned()),
        }
        Job::new(Request::Say(say), Vec::new(), n as u64, None)
    };
    let (jobs, answers): (Vec<_>, Vec<_>) = all.iter().enumerate().map(job).unzip();
    model.answer(jobs);
    let said = |reply: Reply| if let Reply::Say(said) = reply { said } else { panic!("{reply:?}") };
    answers.into_iter().map(|answer| answer.blocking_recv().expect("answered").map(said)).collect()
}

/// Schemas of all supported kinds.
fn schemas() -> Vec<Json> {
    let text = json!({"type": "string"});
    vec![
        text.clone(),
        json!({"type": "string", "minLength": 3, "maxLength": 5}),
        json!({"type": "string", "pattern": "^[a-c]+x$"}),
        json!({"type": "string", "format": "date"}),
        json!({"type": "string", "format": "date-time"}),
        json!({"type": "string", "format": "time", "pattern": "^0"}),
        json!({"type": "string", "format": "email"}),
        json!({"type": "string", "format": "hostname"}),
        json!({"type": "string", "format": "ipv4"}),
        json!({"type": "string", "format": "ipv6"}),
        json!({"type": "string", "format": "uuid"}),
        json!({"type": "string", "format": "uri"}),
        json!({"type": "string", "format": "duration"}),
        json!({"type": "integer"}),
        json!({"type": "integer", "minimum": 100, "maximum": 250}),
        json!({"type": "number"}),
        json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1.5}),
        json!({"type": "boolean"}),
        json!({"type": "null"}),
        json!({"enum": ["kitchen", "hällway \"2\"", "日本", 7, null, {"a": [1]}]}),
        json!({"const": {"x": "y"}}),
        json!({"type": "array", "items": {"type": "integer"}}),
        json!({"type": "array", "items": text, "minItems": 2, "maxItems": 3}),
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": false, "minItems": 2}),
        json!({"type": "array", "items": {"type": "array", "items": {"type": "array", "items": {"type": "boolean"}}}}),
        json!({"type": "object"}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a", "b"]}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}),
        json!({"type": "object", "properties": {"e": {"type": "array", "items": {"type": "object", "properties": {"t": {"type": "string"}},
            "required": ["t"]}}}, "required": ["e"], "additionalProperties": false}),
        json!({"type": "object", "additionalProperties": {"type": "integer"}}),
        // three names at least, and three are possible: none may repeat
        json!({"type": "object", "patternProperties": {"^[a-c]$": {"type": "integer"}}, "additionalProperties": false,
            "minProperties": 3}),
        json!({"type": "array", "minItems": 2, "items": {"type": "integer", "minimum": 10_000_000_000_000_000_u64}}),
        json!({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "array", "items": {"type": "null"}}]}),
        json!({"oneOf": [{"type": "boolean"}, {"type": "null"}]}),
        json!({"type": ["string", "null"]}),
        json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"v": {"type": "integer"},
            "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["v", "kids"]}}}),
        json!({"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "boolean"}}, "required": ["b"]}]}),
    ]
}

const REGEXES: &[&str] = &[
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    r"(0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]",
    r"\+[0-9]{1,3} [0-9]{3} [0-9]{4}",
    r"(yes|no|unknown)",
    r"[a-z]+( [a-z]+)*\.",
    r"[äöü]+",
    r" ?x",
];

/// Whole-text match by another engine than the one that restricts.
fn matches(regex: &str, text: &str) -> bool {
    let schema = json!({"type": "string", "pattern": format!("^(?:{regex})$")});
    jsonschema::validator_for(&schema).expect("a schema").is_valid(&json!(text))
}

mod slow {
    use super::*;

    #[test]
    fn every_reply_fits_or_is_refused_with_both_numbers() {
        let wanted: Vec<Wanted> = schemas()
            .into_iter()
            .map(Wanted::Schema)
            .chain(REGEXES.iter().copied().map(Wanted::Regex))
            .chain([Wanted::Anything])
            .collect();
        let (mut refused, mut fitted, mut whole) = (0, 0, 0);
        for name in ["lm-tied", "lm-untied"] {
            let mut model = model(name);
            for most in [1, 4, 12, 40] {
                let all: Vec<(Wanted, usize)> = wanted.iter().map(|wanted| (wanted.clone(), most)).collect();
                for ((wanted, most), answer) in all.iter().zip(ask(&mut model, &all)) {
                    let said = match answer {
                        Ok(said) => said,
                        Err(fault) => {
                            let text = fault.to_string();
                            assert!(text.starts_with("the shortest reply that fits the "), "{wanted:?}: {text}");
                            assert!(text.ends_with(&format!("leave {most}")), "{text}");
                            refused += 1;
                            continue;
                        }
                    };
                    assert!(said.tokens.len() <= *most, "{wanted:?}");
                    fitted += 1;
                    match wanted {
                        Wanted::Anything => whole += usize::from(!said.text.is_empty()),
                        Wanted::Schema(schema) => {
                            let json: Json = serde_json::from_str(&said.text)
                                .unwrap_or_else(|error| panic!("{most} {schema}: {error}: {}", said.text));
                            let validator =
                                jsonschema::options().should_validate_formats(true).build(schema).expect("a schema");
                            assert!(validator.is_valid(&json), "{most} {schema}: {}", said.text);
                            if *schema == json!({"type": "integer"}) {
                                // 15 digits and a sign
                                assert!(said.text.len() <= 16, "{}", said.text);
                            }
                        }
                        Wanted::Regex(regex) => assert!(matches(regex, &said.text), "{most} {regex}: {:?}", said.text),
                    }
                }
            }
        }
        assert!(refused > 20 && fitted > 150 && whole > 0, "refused {refused}, fitted {fitted}, unrestricted {whole}");
    }
}

#[test]
fn a_restriction_that_cannot_be_used_is_refused() {
    let check = |wanted: Wanted, expected: &str| {
        let fault = ask(&mut model("lm-tied"), &[(wanted, 20)]).remove(0).expect_err("refused").to_string();
        assert!(fault.contains(expected), "{fault}");
    };
    check(
        Wanted::Schema(json!({"type": "string", "not": {}})),
        "found the keyword `not` in a schema, which is not supported",
    );
    check(Wanted::Regex("(a"), "found the regular expression `(a`, which is not valid at character 1: unclosed group");
    check(Wanted::Regex("((a{1000}){1000}){1000}"), "whose shortest match has 1000000000 bytes, expected at most 2000");
    check(
        Wanted::Regex("a{100}"),
        "the shortest reply that fits the regex has 100 tokens, but `max_tokens` and the context leave 20",
    );
}

/// Asks about a list of `lines` lines that is too long for the context. Gives the reply and the shown prompt's tokens.
fn overflowing(lines: usize, first: Option<LeaveOut>, most: usize) -> Result<SayReply, Fault> {
    let list: Vec<String> = (1..=lines).map(|n| format!("[{n}] in the kitchen")).collect();
    let list = list.join("\n");
    let overflow = first.map(|first| Overflow { first, message: 0, start: 4, end: 4 + list.len() });
    let decoding = Decoding { max_tokens: Some(most), temperature: Some(0.0), ..Decoding::default() };
    let messages = vec![Message::new("user", format!("log\n{list}\nwhere?"))];
    let request = SayRequest { raw: true, decoding, overflow, ..SayRequest::new(messages) };
    let (job, answer) = Job::new(Request::Say(request), Vec::new(), 0, None);
    model("lm-tied").answer(vec![job]);
    let reply = answer.blocking_recv().expect("answered")?;
    if let Reply::Say(said) = reply { Ok(said) } else { panic!("{reply:?}") }
}

#[test]
fn lines_of_a_long_list_are_left_out_or_the_prompt_is_refused() {
    assert_eq!(overflowing(2, Some(LeaveOut::Oldest), 4).expect("fits").left_out, 0);
    for first in [LeaveOut::Oldest, LeaveOut::Middle] {
        let said = overflowing(200, Some(first), 4).expect("shortened");
        assert!((1..200).contains(&said.left_out), "{}", said.left_out);
        // a longer reply needs more room
        assert!(overflowing(200, Some(first), 40).expect("shortened").left_out > said.left_out);
    }
    let fault = overflowing(200, None, 4).expect_err("refused").to_string();
    assert!(fault.starts_with("the prompt has ") && fault.contains(" tokens; the model reads at most "), "{fault}");
}
