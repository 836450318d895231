//! What a dialogue answered, as far as metrics need it: the text, the moments, the confidence, and the ranking.

use super::case::{Case, CaseSpan, Choice, Worth, same_file};
use crate::{run::Outcome, session::confidence, value::Value, value::json::to_json};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::HashSet;

/// The number of candidates of a ranking that are kept.
pub const KEPT: usize = 10;

/// The answer to one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseAnswer {
    /// The answer as text. For a ranking it is the best candidate.
    pub answer: String,
    /// True if the dialogue abstained, or took the option that says so.
    #[serde(default)]
    pub abstained: bool,
    /// The moments that the answer cites.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<CaseSpan>,
    /// How sure the dialogue is, if it says so: a larger number is surer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What the answer rests on, and how well that supports it, if the dialogue says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<(String, f64)>,
    /// The ranking of candidates, if the answer is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranking: Option<Ranking>,
}

/// A ranking of candidates, best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// The place of the best right candidate, from 1; none if it was not ranked.
    pub place: Option<usize>,
    /// The number of candidates that could be ranked.
    pub of: usize,
    /// The first candidates.
    pub best: Vec<String>,
}

impl CaseAnswer {
    /// What metrics need of an outcome. A list of texts, of media, or of records with a text or a medium and a `score`
    /// is a ranking, best first. So is the field `ranking` of a record.
    pub fn of(outcome: &Outcome, case: &Case) -> CaseAnswer {
        let candidates = candidates(&outcome.value, case);
        let confidence = match &outcome.value {
            Value::Record(fields) => number(fields.get("confidence")),
            _ => None,
        };
        let basis = match &outcome.value {
            Value::Record(fields) => match confidence::of(fields) {
                (Some(basis), support) => Some((basis, support)),
                _ => None,
            },
            _ => None,
        };
        let best_score = candidates.first().and_then(|candidate| candidate.score);
        let evidence = outcome.evidence.iter().map(|line| CaseSpan {
            video: Some(line.video.clone()).filter(|video| !video.is_empty()),
            start: line.start,
            end: line.end,
        });
        let ranking = (!candidates.is_empty()).then(|| Ranking {
            place: candidates.iter().position(|candidate| candidate.is_right(case)).map(|at| at + 1),
            of: pool(case).map(Vec::len).max().unwrap_or(0).max(candidates.len()),
            best: candidates.iter().take(KEPT).map(|candidate| candidate.name.clone()).collect(),
        });
        let answer = match &ranking {
            Some(ranking) => ranking.best[0].clone(),
            None => outcome.answer.clone(),
        };
        let option = chosen(&case.options, &answer);
        let abstained = outcome.abstained || option.is_some_and(|at| case.options[at].abstains);
        CaseAnswer {
            answer,
            abstained,
            evidence: evidence.collect(),
            confidence: confidence.or(best_score).filter(|confidence| confidence.is_finite()),
            basis,
            ranking,
        }
    }
}

/// The lists of texts that a case gives to the dialogue: a ranking may rank one of them.
fn pool(case: &Case) -> impl Iterator<Item = &Vec<Json>> {
    case.all_fields().filter_map(|(_, field)| match field {
        Json::Array(items) if items.iter().all(Json::is_string) => Some(items),
        _ => None,
    })
}

fn number(value: Option<&Value>) -> Option<f64> {
    match value {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    }
}

/// One candidate of a ranking.
struct Candidate {
    name: String,
    is_file: bool,
    score: Option<f64>,
}

impl Candidate {
    fn new(name: &str, is_file: bool) -> Candidate {
        Candidate { name: name.to_owned(), is_file, score: None }
    }

    /// True if it is a right one: the same text, the same file, or the right option.
    fn is_right(&self, case: &Case) -> bool {
        let same = |right: &String| self.name.trim() == right.trim() || (self.is_file && same_file(&self.name, right));
        match case.options.is_empty() {
            true => case.answers.iter().any(same),
            false => chosen(&case.options, &self.name).is_some_and(|at| case.options[at].worth == Worth::Right),
        }
    }
}

/// True if a candidate, given as text, is a right one.
pub fn is_right(case: &Case, candidate: &str) -> bool {
    let is_file = case.field("videos").is_some();
    Candidate::new(candidate, is_file).is_right(case)
}

/// The candidates of a ranking; empty if the value is no ranking.
fn candidates(value: &Value, case: &Case) -> Vec<Candidate> {
    match value {
        // a list of texts is a ranking only if the case asks for one
        Value::List(items) if items.iter().all(|item| matches!(item, Value::Text(_))) => {
            let found: Option<Vec<Candidate>> = items.iter().map(candidate).collect();
            let asked = |found: &Vec<Candidate>| {
                pool(case).any(|list| {
                    let texts: HashSet<&str> = list.iter().filter_map(Json::as_str).collect();
                    found.iter().all(|one| texts.contains(one.name.as_str()))
                })
            };
            found.filter(asked).unwrap_or_default()
        }
        Value::List(items) => items.iter().map(candidate).collect::<Option<_>>().unwrap_or_default(),
        Value::Record(fields) => match fields.get("ranking") {
            Some(ranking @ Value::List(_)) => candidates(ranking, case),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn candidate(value: &Value) -> Option<Candidate> {
    match value {
        Value::Text(text) => Some(Candidate::new(text, false)),
        Value::Video(media) | Value::Audio(media) => Some(Candidate::new(&media.path, true)),
        Value::Image(image) => Some(Candidate::new(&image.path, true)),
        Value::Scored(scored) => {
            Some(Candidate { score: Some(f64::from(scored.score)), ..Candidate::new(&scored.text, false) })
        }
        Value::Record(fields) if fields.contains_key("score") => {
            let named = |name: &&str| {
                let value = fields.get(*name)?;
                match value {
                    Value::Number(_) => Some(Candidate::new(&to_json(value).to_string(), false)),
                    Value::Text(text) => Some(Candidate::new(text, !["text", "id"].contains(name))),
                    _ => candidate(value),
                }
            };
            let found = ["text", "video", "image", "audio", "id"].iter().find_map(named)?;
            Some(Candidate { score: number(fields.get("score")), ..found })
        }
        _ => None,
    }
}

/// The option that an answer takes: its text, its letter (`B`, `(b)`, `B.`), its number from 1 as `option 2`, or a letter
/// followed by a text.
pub fn chosen(options: &[Choice], answer: &str) -> Option<usize> {
    let plain = super::text::normalise;
    let said = plain(answer);
    if let Some(at) = options.iter().position(|option| option.text.trim() == answer.trim()) {
        return Some(at);
    }
    if !said.is_empty()
        && let Some(at) = options.iter().position(|option| plain(&option.text) == said)
    {
        return Some(at);
    }
    let answer = answer.trim();
    let answer = answer.strip_prefix("Answer:").unwrap_or(answer).trim_start_matches(['(', '[', ' ']);
    let lower = answer.to_lowercase();
    if let Some(number) = lower.strip_prefix("option ")
        && let Ok(number) = number.trim_end_matches(['.', ')', ':']).parse::<usize>()
    {
        return number.checked_sub(1).filter(|at| *at < options.len());
    }
    let mut chars = answer.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?.to_ascii_uppercase();
    let rest = chars.as_str();
    let at = usize::from(letter as u8 - b'A');
    let ends = rest.is_empty() || rest.starts_with([')', ']', '.', ':', ',']);
    (ends && at < options.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Scored, Time};
    use indexmap::IndexMap;
    use serde_json::json;

    fn case(json: Json) -> Case {
        serde_json::from_value(json).expect("a case")
    }

    #[test]
    fn options_are_named_by_text_letter_or_number() {
        let case = case(json!({ "answer": "a dog", "choices": ["the cat", "a dog", "A", "none of these"] }));
        let check = |answer: &str, expected: Option<usize>| {
            assert_eq!(chosen(&case.options, answer), expected, "{answer}");
        };
        check("a dog", Some(1));
        check("Dog.", Some(1));
        check(" B ", Some(1));
        check("(b) a dog, I think", Some(1));
        check("D.", Some(3));
        check("Answer: C", Some(2));
        check("option 4", Some(3));
        // the text of an option comes before its letter
        check("A", Some(2));
        check("because it barks", None);
        check("E", None);
        check("option 5", None);
        check("", None);
    }

    #[test]
    fn rankings_are_lists_of_candidates() {
        let score =
            |text: &str, score: f32| Value::Scored(Scored { text: text.into(), score, probability: 0.5, floor: None });
        let record = |name: &str, value: Value, score: f64| {
            Value::Record(IndexMap::from([(name.to_owned(), value), ("score".to_owned(), Value::Number(score))]))
        };
        let text = |text: &str| Value::Text(text.into());
        let check = |case: &Case, value: Value, expected: Option<(Option<usize>, usize)>| {
            let answered = CaseAnswer::of(&Outcome::of(value.clone()), case);
            let found = answered.ranking.as_ref().map(|ranking| (ranking.place, ranking.of));
            assert_eq!(found, expected, "{value:?}");
            answered
        };
        let captions = case(json!({ "answers": ["b", "c"], "captions": ["a", "b", "c", "d"] }));
        let two = check(&captions, Value::List(vec![score("a", 0.5), score("c", 0.25)]), Some((Some(2), 4)));
        assert_eq!((two.answer.as_str(), two.confidence), ("a", Some(0.5)));
        check(&captions, Value::List(vec![record("text", text("b"), 1.0)]), Some((Some(1), 4)));
        check(&captions, Value::List(vec![text("d"), text("a")]), Some((None, 4)));
        // texts that the case does not give are no ranking
        check(&captions, Value::List(vec![text("d"), text("else")]), None);
        let nested = Value::Record(IndexMap::from([("ranking".to_owned(), Value::List(vec![text("c")]))]));
        check(&captions, nested, Some((Some(1), 4)));
        let videos = case(json!({ "answer": "b.mp4", "videos": ["a.mp4", "b.mp4"] }));
        let zero = Time::from_seconds(0.0);
        let video = |path: &str| Value::Video(std::sync::Arc::new(crate::value::Media::new(path, "0", zero, zero)));
        check(&videos, Value::List(vec![record("video", video("x/b.mp4"), 1.0)]), Some((Some(1), 2)));
        check(&videos, Value::List(vec![video("x/a.mp4"), video("x/b.mp4")]), Some((Some(2), 2)));
        // a text with a slash is not a path
        let words = case(json!({ "answer": "his", "captions": ["her/his", "his"] }));
        check(&words, Value::List(vec![text("her/his"), text("his")]), Some((Some(2), 2)));
    }
}
