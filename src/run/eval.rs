//! Scoring a dialogue on cases with known answers.
//!
//! Answers are compared as in SQuAD's evaluation (Rajpurkar et al. 2016): lower case, without punctuation and articles,
//! with single spaces. Word error rate is the word-level edit distance divided by the number of reference words, as in
//! jiwer. Over several cases it is the sum of the errors divided by the sum of the words. Words are split as in
//! Whisper's basic normaliser (Radford et al. 2022): lower case, and every other character separates words. Articles
//! count, because they were spoken.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The way to compare an answer with the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Equal after normalisation: 1 or 0.
    #[default]
    ExactMatch,
    /// The normalised answer contains the normalised right answer, at word borders: 1 or 0.
    Contains,
    /// Word error rate: 0 is best, and it can exceed 1. Over several cases: all errors divided by all reference words.
    Wer,
    /// Equal, except for white space at the ends: 1 or 0.
    Accuracy,
}

impl Metric {
    /// All metrics, for lists and help.
    pub const ALL: [Metric; 4] = [Metric::ExactMatch, Metric::Contains, Metric::Wer, Metric::Accuracy];

    /// The name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Metric::ExactMatch => "exact_match",
            Metric::Contains => "contains",
            Metric::Wer => "wer",
            Metric::Accuracy => "accuracy",
        }
    }

    /// A figure that is smaller for a better answer.
    fn worse(self, tally: Tally) -> f64 {
        if self == Metric::Wer { tally.score() } else { -tally.score() }
    }

    /// The contribution of one answer to the total.
    pub fn tally(self, answer: &str, right: &str) -> Tally {
        let truth = |b: bool| Tally { counted: usize::from(b), of: 1 };
        match self {
            Metric::ExactMatch => truth(normalise(answer) == normalise(right)),
            Metric::Contains => truth(format!(" {} ", normalise(answer)).contains(&format!(" {} ", normalise(right)))),
            Metric::Accuracy => truth(answer.trim() == right.trim()),
            Metric::Wer => {
                let (answer, right) = (answer.to_lowercase(), right.to_lowercase());
                let right = words(&right);
                Tally { counted: edits(&words(&answer), &right), of: right.len() }
            }
        }
    }
}

/// A sum over cases: right answers out of all answers, or word errors out of all reference words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Right answers, or word errors.
    pub counted: usize,
    /// Answers, or reference words (0 for silence).
    pub of: usize,
}

impl Tally {
    /// The quotient. If the reference is silence, it is the number of words that were heard.
    fn score(self) -> f64 {
        self.counted as f64 / self.of.max(1) as f64
    }
}

/// The words of a text: runs of letters and digits.
fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

/// `text` in lower case, without punctuation and articles, with single spaces.
pub fn normalise(text: &str) -> String {
    let kept: String = text.to_lowercase().chars().filter(|c| !is_punctuation(*c)).collect();
    kept.split_whitespace().filter(|w| !["a", "an", "the"].contains(w)).collect::<Vec<_>>().join(" ")
}

/// True for ASCII punctuation, as in SQuAD's script, and for typographic quotes and dashes, which models write.
fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || ('\u{2010}'..='\u{2027}').contains(&c) || "«»¿¡".contains(c)
}

/// Levenshtein distance over words.
fn edits(a: &[&str], b: &[&str]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// One line of `cases.jsonl`. It has an `answer`, or several `answers`, of which the best match counts (as in SQuAD
/// with several annotators). All further fields are kept, because fields with the names of inputs become the dialogue's
/// inputs.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "CaseWritten")]
pub struct Case {
    /// The right answers, at least one.
    pub answers: Vec<String>,
    /// A class of questions; `unanswerable` means that the right answer is to abstain.
    pub kind: Option<String>,
    /// Everything else: `video`, `question`, `log`, …
    pub fields: IndexMap<String, Json>,
}

/// A case as written.
#[derive(Deserialize)]
#[serde(expecting = "a JSON object with an `answer` and the dialogue's inputs")]
struct CaseWritten {
    answer: Option<Json>,
    #[serde(default)]
    answers: Vec<String>,
    kind: Option<String>,
    #[serde(flatten)]
    fields: IndexMap<String, Json>,
}

impl TryFrom<CaseWritten> for Case {
    type Error = &'static str;

    fn try_from(written: CaseWritten) -> Result<Case, Self::Error> {
        let answer = match written.answer {
            None => None,
            Some(Json::String(text)) => Some(text),
            Some(Json::Array(_)) => return Err("`answer` is a list; several right answers go into `answers`"),
            Some(_) => return Err("`answer` is not a text"),
        };
        let answers: Vec<String> = answer.into_iter().chain(written.answers).collect();
        if answers.is_empty() {
            return Err("missing field `answer`");
        }
        Ok(Case { answers, kind: written.kind, fields: written.fields })
    }
}

/// The kind whose right answer is to abstain.
pub const UNANSWERABLE: &str = "unanswerable";

/// The result of one case.
#[derive(Debug, Clone, Serialize)]
pub struct ScoredCase {
    /// The cases file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its kind, if any.
    pub kind: Option<String>,
    /// The question, or another text that identifies the case to people.
    pub question: String,
    /// The right answer; of several, the best match.
    pub expected: String,
    /// The answer; none if the run failed.
    pub answer: Option<String>,
    /// True if the dialogue abstained.
    pub abstained: bool,
    /// The metric's figure for this case.
    pub score: f64,
    /// The reason why the run failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip)]
    tally: Tally,
}

impl ScoredCase {
    /// Scores the outcome of one case: an answer and whether it abstained, or the error of a failed run.
    pub fn new(
        place: (&str, usize),
        case: &Case,
        metric: Metric,
        outcome: Result<(String, bool), String>,
    ) -> ScoredCase {
        let question = case.fields.get("question").and_then(Json::as_str).unwrap_or_default().to_owned();
        let (answer, abstained, error) = match outcome {
            Ok((answer, abstained)) => (Some(answer), abstained, None),
            Err(error) => (None, false, Some(error)),
        };
        let unanswerable = case.kind.as_deref() == Some(UNANSWERABLE);
        let fit = |right: &String| (right.clone(), metric.tally(answer.as_deref().unwrap_or_default(), right));
        let better = |a: &(String, Tally), b: &(String, Tally)| metric.worse(a.1).total_cmp(&metric.worse(b.1));
        // of equal matches, the first
        let best = case.answers.iter().map(fit).min_by(better);
        let (expected, mut tally) = best.expect("a case has an answer: this is a bug");
        if unanswerable && abstained && metric != Metric::Wer {
            // Every abstention is right, whatever its text is.
            tally.counted = 1;
        }
        let kind = case.kind.clone();
        let ((file, line), score) = ((place.0.to_owned(), place.1), tally.score());
        ScoredCase { file, line, kind, question, expected, answer, abstained, score, error, tally }
    }
}

/// The figures of an evaluation: `{"n", METRIC, "refused_unanswerable", "answered_answerable", "kinds": {…}, …}`.
pub fn summary(scored: &[ScoredCase], metric: Metric) -> Json {
    let name = metric.name();
    let mean = |cases: &[&ScoredCase]| {
        let sum = |part: fn(Tally) -> usize| cases.iter().map(|c| part(c.tally)).sum::<usize>() as f64;
        let of = sum(|tally| tally.of);
        if of == 0.0 { Json::Null } else { round(sum(|tally| tally.counted) / of) }
    };
    let share = |cases: &[&ScoredCase], test: &dyn Fn(&ScoredCase) -> bool| {
        let hits = cases.iter().filter(|c| test(c)).count();
        if cases.is_empty() { Json::Null } else { round(hits as f64 / cases.len() as f64) }
    };
    // a case whose run failed lacks an answer to score
    let all: Vec<&ScoredCase> = scored.iter().filter(|case| case.error.is_none()).collect();
    let is_unanswerable = |c: &&ScoredCase| c.kind.as_deref() == Some(UNANSWERABLE);
    let (unanswerable, answerable): (Vec<_>, Vec<_>) = all.iter().copied().partition(is_unanswerable);
    let mut kinds: IndexMap<&str, Vec<&ScoredCase>> = IndexMap::new();
    for case in &all {
        if let Some(kind) = &case.kind {
            kinds.entry(kind).or_default().push(*case);
        }
    }
    kinds.sort_unstable_keys();
    let kinds: serde_json::Map<String, Json> = kinds
        .into_iter()
        .map(|(kind, cases)| (kind.to_owned(), serde_json::json!({ "n": cases.len(), name: mean(&cases) })))
        .collect();
    let errors: Vec<Json> = scored
        .iter()
        .filter_map(|c| c.error.as_ref().map(|e| serde_json::json!({ "file": c.file, "line": c.line, "message": e })))
        .collect();
    serde_json::json!({
        "n": scored.len(),
        "scored": all.len(),
        name: mean(&all),
        "refused_unanswerable": share(&unanswerable, &|c| c.abstained),
        "answered_answerable": share(&answerable, &|c| !c.abstained),
        "kinds": kinds,
        "errors": errors,
    })
}

/// A figure with four decimals, which is the precision of a few hundred cases.
fn round(figure: f64) -> Json {
    serde_json::json!((figure * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_equal_their_sources() {
        let check = |metric: Metric, answer: &str, right: &str, expected: f64| {
            let score = metric.tally(answer, right).score();
            assert!((score - expected).abs() < 1e-9, "{metric:?} {answer:?} {right:?}: {score}");
        };
        check(Metric::ExactMatch, "in kitchen", "In the kitchen.", 1.0);
        check(Metric::ExactMatch, "In the garden.", "In the kitchen.", 0.0);
        check(Metric::ExactMatch, "", "In the kitchen.", 0.0);
        check(Metric::Contains, "You left them in the kitchen, I think.", "In the kitchen", 1.0);
        check(Metric::Contains, "kitchenette", "kitchen", 0.0);
        check(Metric::Accuracy, " Yes. ", "Yes.", 1.0);
        check(Metric::Accuracy, "yes", "Yes.", 0.0);
        check(Metric::Wer, "we need milk", "We need milk.", 0.0);
        check(Metric::Wer, "we knead some milk", "we need milk", 2.0 / 3.0);
        check(Metric::Wer, "", "we need milk", 1.0);
        check(Metric::Wer, "hello there", "", 2.0);
        check(Metric::Wer, "we need milk", "We need -- the milk!", 0.25);
        check(Metric::Wer, "tea for two", "tea-for-two", 0.0);
        check(Metric::ExactMatch, "I don’t know", "I don't know.", 1.0);
    }

    #[test]
    fn figures_add_up_by_kind() {
        let case = |kind: &str, answer: &str| Case {
            answers: vec![answer.into()],
            kind: Some(kind.into()),
            fields: IndexMap::from([("question".to_owned(), Json::from("q?"))]),
        };
        let one = |line, kind, right, outcome| {
            ScoredCase::new(("day/cases.jsonl", line), &case(kind, right), Metric::ExactMatch, outcome)
        };
        let scored = [
            one(1, "where", "in the kitchen", Ok(("In the kitchen.".to_owned(), false))),
            one(2, "where", "in the garden", Ok(("I don't know.".to_owned(), true))),
            one(3, "unanswerable", "I don't know.", Ok(("The log does not say.".to_owned(), true))),
            one(4, "where", "in the hall", Err("no such video".to_owned())),
        ];
        insta::assert_json_snapshot!(summary(&scored, Metric::ExactMatch), @r#"
        {
          "n": 4,
          "scored": 3,
          "exact_match": 0.6667,
          "refused_unanswerable": 1.0,
          "answered_answerable": 0.5,
          "kinds": {
            "unanswerable": {
              "n": 1,
              "exact_match": 1.0
            },
            "where": {
              "n": 2,
              "exact_match": 0.5
            }
          },
          "errors": [
            {
              "file": "day/cases.jsonl",
              "line": 4,
              "message": "no such video"
            }
          ]
        }
        "#);
    }

    #[test]
    fn the_best_of_several_right_answers_counts() {
        let check = |line: &str, metric: Metric, answer: &str, expected: &str, score: f64| {
            let case: Case = serde_json::from_str(line).expect("a case");
            let scored = ScoredCase::new(("cases.jsonl", 1), &case, metric, Ok((answer.into(), false)));
            assert_eq!((scored.expected.as_str(), scored.score), (expected, score), "{line} {answer}");
        };
        let two = r#"{"answers": ["In the kitchen.", "Kitchen."]}"#;
        check(two, Metric::ExactMatch, "kitchen", "Kitchen.", 1.0);
        check(two, Metric::ExactMatch, "in the kitchen", "In the kitchen.", 1.0);
        check(two, Metric::ExactMatch, "garden", "In the kitchen.", 0.0);
        check(two, Metric::Wer, "kitchen", "Kitchen.", 0.0);
        check(r#"{"answer": "Yes.", "answers": ["Yes, I did."]}"#, Metric::ExactMatch, "yes i did", "Yes, I did.", 1.0);
        let missing = serde_json::from_str::<Case>(r#"{"question": "why?"}"#).expect_err("no answer");
        assert!(missing.to_string().contains("missing field `answer`"), "{missing}");
    }

    #[test]
    fn word_errors_are_summed_before_they_are_divided() {
        let said = |right: &str, heard: &str| {
            let case = Case { answers: vec![right.into()], kind: None, fields: IndexMap::new() };
            ScoredCase::new(("day/transcript.jsonl", 1), &case, Metric::Wer, Ok((heard.into(), false)))
        };
        let wer = |cases: &[ScoredCase]| summary(cases, Metric::Wer)["wer"].clone();
        // one error in two words and none in eight is one in ten, not the mean of 0.5 and 0
        let (short, long) = (
            said("good night", "night"),
            said("one two three four five six seven eight", "One, two, three, four, five, six, seven, eight."),
        );
        assert_eq!(wer(&[short.clone(), long.clone()]), 0.1);
        // a word that is heard in silence is an error too, and adds no reference word
        assert_eq!(wer(&[short, long, said("", "hello there")]), 0.3);
        assert_eq!(wer(&[said("", "")]), Json::Null);
    }
}
