//! A case: what a dialogue is asked, and what is known about the right answer.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::sync::Arc;

/// The kind whose right answer is to abstain.
pub const UNANSWERABLE: &str = "unanswerable";

/// One case. In a file of cases it is one line of JSON with an `answer`, or several `answers`, of which the best match
/// counts (as in SQuAD with several annotators). All fields are kept, because fields with the names of inputs become
/// the dialogue's inputs.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "CaseWritten")]
pub struct Case {
    /// The case's name in its benchmark; empty if it has none.
    pub id: String,
    /// The right answers, at least one.
    pub answers: Vec<String>,
    /// The classes of questions that it belongs to. [`UNANSWERABLE`] means that the right answer is to abstain.
    pub kinds: Vec<String>,
    /// The options of a question with choices.
    pub options: Vec<Choice>,
    /// The moments that show the answer, if they are known.
    pub moments: Option<Vec<CaseSpan>>,
    /// What may become an input: `video`, `question`, `log`, …
    pub fields: IndexMap<String, Json>,
    /// The same for fields that many cases have in common, such as all candidates of a retrieval.
    pub shared: Arc<SharedFields>,
    /// Media of which only the beginning may be seen and heard: paths, with the end in seconds.
    pub until: IndexMap<String, f64>,
}

/// Fields that many cases have in common.
#[derive(Debug, Default)]
pub struct SharedFields {
    fields: IndexMap<String, Json>,
    digest: [u8; 32],
}

impl SharedFields {
    /// These fields.
    pub fn new(fields: IndexMap<String, Json>) -> Arc<SharedFields> {
        let digest = *blake3::hash(&serde_json::to_vec(&fields).unwrap_or_default()).as_bytes();
        Arc::new(SharedFields { fields, digest })
    }
}

impl Case {
    /// A case of no class, without options, moments or shared fields.
    pub fn new(id: String, answers: Vec<String>, fields: IndexMap<String, Json>) -> Case {
        let (kinds, options, moments) = (Vec::new(), Vec::new(), None);
        Case { id, answers, kinds, options, moments, fields, shared: Arc::default(), until: IndexMap::new() }
    }

    /// True if the right answer is to abstain.
    pub fn is_unanswerable(&self) -> bool {
        self.kinds.iter().any(|kind| kind == UNANSWERABLE)
    }

    /// What may become the input of this name.
    pub fn field(&self, name: &str) -> Option<&Json> {
        self.fields.get(name).or_else(|| self.shared.fields.get(name))
    }

    /// All fields, its own first.
    pub fn all_fields(&self) -> impl Iterator<Item = (&String, &Json)> {
        self.fields.iter().chain(&self.shared.fields)
    }

    /// A digest of everything that is asked.
    pub fn digest(&self) -> String {
        let own = serde_json::to_vec(&(&self.id, &self.fields, &self.until)).unwrap_or_default();
        let digest = blake3::Hasher::new().update(&own).update(&self.shared.digest).finalize();
        digest.to_hex()[..16].to_owned()
    }

    /// A text that identifies the case to people: its question, else its name.
    pub fn question(&self) -> &str {
        self.fields.get("question").and_then(Json::as_str).unwrap_or(&self.id)
    }
}

/// One option of a question with choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The text.
    pub text: String,
    /// How good it is.
    pub worth: Worth,
    /// True for the option that says that the question cannot be answered.
    pub abstains: bool,
}

/// How good an option is. SuperMemory-VQA orders options so: right, vague, wrong, unanswerable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Worth {
    /// The right option.
    Right,
    /// True, but too general to help.
    Vague,
    /// Wrong.
    Wrong,
    /// To abstain although there is an answer.
    Unanswerable,
}

/// A stretch of a medium, in seconds of presentation time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseSpan {
    /// The path of the medium; absent if a case has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<String>,
    /// The start.
    pub start: f64,
    /// The end, not before the start.
    pub end: f64,
}

impl CaseSpan {
    /// True if both lie in the same medium and share more than a point, or if one is a point inside the other.
    pub fn overlaps(&self, other: &CaseSpan) -> bool {
        let same = match (&self.video, &other.video) {
            (Some(one), Some(two)) => same_file(one, two),
            _ => true,
        };
        let (from, to) = (self.start.max(other.start), self.end.min(other.end));
        let is_point = |span: &CaseSpan| span.end <= span.start;
        same && (from < to || (from == to && (is_point(self) || is_point(other))))
    }
}

/// True if two paths name one file, as far as their texts tell: one may leave out the folders of the other.
pub fn same_file(one: &str, two: &str) -> bool {
    let (one, two) = (std::path::Path::new(one.trim()), std::path::Path::new(two.trim()));
    one.file_name().is_some() && (one.ends_with(two) || two.ends_with(one))
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
    type Error = String;

    fn try_from(written: CaseWritten) -> Result<Case, Self::Error> {
        let fields = written.fields;
        let options: Vec<String> = match fields.get("choices") {
            // `choices` may be an input of another type
            Some(Json::Array(items)) if items.iter().all(Json::is_string) => {
                items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let answer = match written.answer {
            None => None,
            Some(Json::String(text)) => Some(text),
            Some(Json::Array(_)) => return Err("`answer` is a list; several right answers go into `answers`".into()),
            Some(_) => return Err("`answer` is not a text".into()),
        };
        let answers: Vec<String> = answer.into_iter().chain(written.answers).collect();
        if answers.is_empty() {
            return Err("missing field `answer`".into());
        }
        let worth = |text: &String| if answers.contains(text) { Worth::Right } else { Worth::Wrong };
        let options: Vec<Choice> =
            options.into_iter().map(|text| Choice { worth: worth(&text), abstains: false, text }).collect();
        if !options.is_empty() && !options.iter().any(|option| option.worth == Worth::Right) {
            return Err("no text of `choices` is the `answer`".into());
        }
        let moments = match fields.get("moments") {
            None | Some(Json::Null) => None,
            Some(json) => Some(serde_json::from_value(json.clone()).map_err(|e| format!("`moments`: {e}"))?),
        };
        let id = match fields.get("id") {
            Some(Json::String(id)) => id.clone(),
            Some(Json::Number(id)) => id.to_string(),
            _ => String::new(),
        };
        let kinds = written.kind.into_iter().collect();
        Ok(Case { id, answers, kinds, options, moments, fields, shared: Arc::default(), until: IndexMap::new() })
    }
}
