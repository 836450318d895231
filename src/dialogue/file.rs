//! A dialogue and its tests, exactly as written.

use super::{At, Data, Expr, Node, Pos, Reading, Span, TextExpr, Written, YamlKey, written};
use crate::{exchange::Script, value::Type};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

written! { "a dialogue",
    /// A dialogue: inputs, a cast, steps, an answer, and its own tests.
    pub struct DialogueFile {
        /// The version of the language: 1.
        #[schemars(required)]
        pub version: Option<Version>,
        /// The dialogue's name.
        #[schemars(required)]
        pub dialogue: Option<At<String>>,
        /// The purpose.
        pub about: Option<String>,
        /// The inputs of a run: name to type (or `{ type, default, about }`).
        pub inputs: Option<IndexMap<At<String>, InputWritten>>,
        /// Role to agent (`agents/NAME.yaml`), or the name of a cast (`casts/NAME.yaml`).
        pub cast: Option<CastWritten>,
        /// Label role to label list (`vocab/NAME.txt`), for `among: ROLE`. A cast may bind other lists.
        pub labels: Option<IndexMap<At<String>, At<String>>>,
        /// Roles that a cast need not fill. Without an agent for such a role, each step that asks it is skipped.
        pub optional: Option<Vec<At<String>>>,
        /// Name to step. A step depends on the steps that its templates name.
        #[schemars(transform = name_steps)]
        pub steps: IndexMap<At<String>, StepWritten>,
        /// The answer of the dialogue, as a template.
        #[schemars(required)]
        pub answer: Option<TextExpr>,
        /// Tests with scripted replies; they run without any model.
        pub tests: Option<Vec<TestWritten>>,
    }
}

/// Reserved names of templates. A step cannot have one of them.
pub const RESERVED: &[&str] = &["item", "index", "round", "previous", "loop", "true", "false", "none"];

/// Puts the rule for step names into a schema.
pub(crate) fn name_steps(schema: &mut Schema) {
    let reserved = RESERVED;
    let names = serde_json::json!({ "pattern": r"^[\p{L}_][\p{L}\p{N}_]*$", "not": { "enum": reserved } });
    schema.insert("propertyNames".into(), names);
}

/// The version of the language. Only version 1 exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version;

impl Written for Version {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        if node.data != Data::Number(1.0) {
            let message = format!("found {} for the version, expected 1", node.describe());
            let hint = Some("this program speaks version 1 of the language".to_owned());
            reading.problem("unsupported-version", node.pos, message, hint);
        }
        Some(Version)
    }
}

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": 1 })
    }
}

/// The agents of a dialogue: the name of a cast, or an agent for each role.
#[derive(Debug, Clone, PartialEq)]
pub enum CastWritten {
    /// `cast: starter`
    Named(At<String>),
    /// `cast: { eye: clip, mind: lm }`
    Roles(IndexMap<At<String>, At<String>>),
}

impl CastWritten {
    /// The roles that the dialogue itself assigns.
    pub fn roles(&self) -> impl Iterator<Item = (&At<String>, &At<String>)> {
        match self {
            CastWritten::Named(_) => None,
            CastWritten::Roles(roles) => Some(roles.iter()),
        }
        .into_iter()
        .flatten()
    }
}

impl Written for CastWritten {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        match node.data {
            Data::Text(..) => At::read(node, reading).map(CastWritten::Named),
            Data::Map(_) => IndexMap::read(node, reading).map(CastWritten::Roles),
            _ => reading.wrong(node, "the name of a cast, or a mapping from roles to agents"),
        }
    }
}

impl JsonSchema for CastWritten {
    fn schema_name() -> Cow<'static, str> {
        "Cast".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string" },
            { "type": "object", "additionalProperties": { "type": "string" } },
        ] })
    }
}

/// One input: `text`, or `{ type: number, default: 2, about: … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct InputWritten {
    /// The input's type.
    pub ty: At<Type>,
    /// The value if a run gives none.
    pub default: Option<Expr>,
    /// A description for people.
    pub about: Option<String>,
}

written! { "an input",
    /// An input with a default or a description.
    pub struct InputFields {
        /// `video`, `text`, `number`, `list of text`, …
        pub r#type: At<Type>,
        /// The value if a run gives none.
        pub default: Option<Expr>,
        /// A description for people.
        pub about: Option<String>,
    }
}

impl Written for Type {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        let text = String::read(node, reading)?;
        let ty = text.parse::<Type>();
        if let Err(message) = &ty {
            let hint = crate::problem::closest(&text, crate::value::TYPE_NAMES.iter().copied());
            reading.problem("unknown-type", node.pos, message.clone(), hint);
        }
        ty.ok()
    }
}

impl JsonSchema for Type {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Type".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = crate::value::TYPE_NAMES;
        json_schema!({ "type": "string", "examples": names, "pattern": format!("^(list of )*({}|scored|list)$", names.join("|")) })
    }
}

impl Written for InputWritten {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        if let Data::Map(_) = node.data {
            let fields = InputFields::read(node, reading);
            let unknown = InputFields { r#type: At { value: Type::Any, pos: node.pos }, default: None, about: None };
            let InputFields { r#type, default, about } = fields.unwrap_or(unknown);
            return Some(InputWritten { ty: r#type, default, about });
        }
        // an unreadable type is reported; the input still exists for the steps that name it
        let ty = At::read(node, reading).unwrap_or(At { value: Type::Any, pos: node.pos });
        Some(InputWritten { ty, default: None, about: None })
    }
}

impl JsonSchema for InputWritten {
    fn schema_name() -> Cow<'static, str> {
        "Input".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (short, long) = (generator.subschema_for::<Type>(), generator.subschema_for::<InputFields>());
        json_schema!({ "anyOf": [short, long] })
    }
}

/// One step: the keys that any step may have, and its one verb.
#[derive(Debug, Clone, PartialEq)]
pub struct StepWritten {
    /// The keys that any step may have.
    pub common: Common,
    /// The position of the step.
    pub pos: Pos,
    /// All other keys with their values, the verb among them. The check knows the list of verbs.
    pub rest: Vec<(YamlKey, Node)>,
}

written! { "a step",
    /// The keys that any step may have besides its verb.
    #[derive(Default)]
    pub struct Common {
        /// The purpose of this step.
        pub about: Option<String>,
        /// The step runs only if this is true: a name or a template.
        pub when: Option<TextExpr>,
        /// The step runs once for each item of this list (a name or a template); templates can use `item` and `index`.
        pub each: Option<TextExpr>,
        /// Maximum number of items that run at the same time.
        #[schemars(range(min = 1))]
        pub at_once: Option<At<usize>>,
        /// Maximum wait for one exchange.
        pub timeout: Option<At<Span>>,
        /// Retries after a passing failure; the agent's own number, or 2, if absent.
        pub retries: Option<At<usize>>,
        /// The value if the step, or one item of it, fails or is skipped; templates may name other steps, `item` and
        /// `index`.
        pub or: Option<Expr>,
    }
}

/// The keys of [`Common`].
pub const COMMON_KEYS: &[&str] = &["about", "when", "each", "at_once", "timeout", "retries", "or"];

impl Written for StepWritten {
    fn read(node: &Node, reading: &mut Reading) -> Option<Self> {
        let Data::Map(entries) = &node.data else { return reading.wrong(node, "a step: a mapping with one verb") };
        reading.duplicates(entries);
        let (common, rest): (Vec<_>, Vec<_>) =
            entries.iter().cloned().partition(|(key, _)| COMMON_KEYS.contains(&key.name.as_str()));
        let common = Common::read(&Node { pos: node.pos, data: Data::Map(common) }, reading).unwrap_or_default();
        Some(StepWritten { common, pos: node.pos, rest })
    }
}

impl JsonSchema for StepWritten {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }
    /// Holds the common keys only. The check adds the list of verbs.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Common::json_schema(generator);
        schema.insert("description".into(), "One thing that the dialogue does: exactly one verb.".into());
        schema
    }
}

written! { "a test",
    /// A run with scripted replies and its expected result.
    pub struct TestWritten {
        /// The purpose of the test.
        pub name: At<String>,
        /// The inputs. Media need not exist: their moments are scripted (`script: { media: … }`).
        pub given: Option<IndexMap<At<String>, Expr>>,
        /// The lines that the journal has before the run: records with `video`, `start` and `end` in seconds, `sense` and `text`.
        pub journal: Option<Expr>,
        /// Role (or `media`) to its replies.
        pub script: Option<IndexMap<At<String>, Script>>,
        /// The expected result.
        pub expect: ExpectWritten,
    }
}

written! { "`expect`",
    /// The expected result of a test; absent keys are not compared.
    pub struct ExpectWritten {
        /// The answer. For a citing answer: its text.
        pub answer: Option<Expr>,
        /// True if the answer must be an honest "I don't know".
        pub abstained: Option<At<bool>>,
        /// The entries that the answer cites, in order: each a text, or some of `{ start, end, text }`.
        pub evidence: Option<Vec<Expr>>,
    }
}
