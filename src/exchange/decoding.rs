//! The decoding settings of language models: one table. A row gives the field of [`Decoding`], the key in dialogues and
//! agent files with its range, the flag of `elenchus try`, and the name at endpoints.

use schemars::{Schema, json_schema};
use serde::{Deserialize, Serialize};

/// The range of a number. A computed number is checked when the step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// 0 or more.
    NotNegative,
    /// 0 to 1.
    Share,
    /// More than 0, at most 1.
    PositiveShare,
    /// A factor: 0.001 to 1000.
    Factor,
    /// A penalty: -2 to 2.
    Penalty,
    /// A whole number, at least this.
    WholeFrom(u32),
}

impl Range {
    /// True for a number within the range.
    pub fn holds(self, number: f64) -> bool {
        match self {
            Range::NotNegative => number >= 0.0,
            Range::Share => (0.0..=1.0).contains(&number),
            Range::PositiveShare => number > 0.0 && number <= 1.0,
            Range::Factor => (1e-3..=1e3).contains(&number),
            Range::Penalty => (-2.0..=2.0).contains(&number),
            Range::WholeFrom(least) => number.fract() == 0.0 && (f64::from(least)..=1e9).contains(&number),
        }
    }

    /// The range as text for a message: `0 to 1`.
    pub fn expected(self) -> String {
        match self {
            Range::NotNegative => "0 or more".into(),
            Range::Share => "0 to 1".into(),
            Range::PositiveShare => "more than 0, at most 1".into(),
            Range::Factor => "0.001 to 1000".into(),
            Range::Penalty => "-2 to 2".into(),
            Range::WholeFrom(least) => format!("a whole number, {least} or more"),
        }
    }

    /// The range as a JSON Schema.
    pub fn schema(self) -> Schema {
        match self {
            Range::NotNegative => json_schema!({ "type": "number", "minimum": 0 }),
            Range::Share => json_schema!({ "type": "number", "minimum": 0, "maximum": 1 }),
            Range::PositiveShare => json_schema!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }),
            Range::Factor => json_schema!({ "type": "number", "minimum": 1e-3, "maximum": 1e3 }),
            Range::Penalty => json_schema!({ "type": "number", "minimum": -2, "maximum": 2 }),
            Range::WholeFrom(least) => json_schema!({ "type": "integer", "minimum": least, "maximum": 1e9 }),
        }
    }
}

/// The form of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingForm {
    /// A number within a range.
    Number(Range),
    /// A list of texts.
    Texts,
    /// `true` or `false`.
    Truth,
}

/// The value of one setting.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingValue {
    /// For [`SettingForm::Number`].
    Number(f64),
    /// For [`SettingForm::Texts`].
    Texts(Vec<String>),
    /// For [`SettingForm::Truth`].
    Truth(bool),
}

/// The field of a setting in the body of a chat completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireName {
    /// A field of OpenAI's protocol.
    Standard(&'static str),
    /// A field beyond the protocol, under the names that servers use. A server that does not know a field ignores it
    /// silently, so it is sent only if the agent file names it in `extensions`.
    Extension(&'static [&'static str]),
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The key in dialogues and agent files. The flag of `elenchus try` is the same word with hyphens.
    pub name: &'static str,
    /// The description for help and schemas.
    pub about: &'static str,
    /// The form of its value.
    pub form: SettingForm,
    /// The field at endpoints.
    pub wire: WireName,
    /// True if models that turn speech into text use it too.
    pub speech: bool,
    /// Reads the field; `None` if it is not set.
    pub get: fn(&Decoding) -> Option<SettingValue>,
    /// Writes the field. A value of another form changes nothing.
    pub set: fn(&mut Decoding, SettingValue),
}

impl PartialEq for Setting {
    fn eq(&self, other: &Setting) -> bool {
        self.name == other.name
    }
}

impl Setting {
    /// The JSON Schema of its value.
    pub fn schema(&self) -> Schema {
        match self.form {
            SettingForm::Number(range) => range.schema(),
            SettingForm::Texts => json_schema!({ "type": "array", "items": { "type": "string", "minLength": 1 } }),
            SettingForm::Truth => json_schema!({ "type": "boolean" }),
        }
    }
}

/// A field of [`Decoding`], read and written as a [`SettingValue`].
trait Field {
    fn get(&self) -> Option<SettingValue>;
    fn set(&mut self, value: SettingValue);
}

impl Field for Option<f32> {
    fn get(&self) -> Option<SettingValue> {
        // The shortest form: 0.7, not 0.699999988079071.
        self.map(|number| SettingValue::Number(number.to_string().parse().unwrap_or(f64::from(number))))
    }
    fn set(&mut self, value: SettingValue) {
        if let SettingValue::Number(number) = value {
            *self = Some(number as f32);
        }
    }
}

impl Field for Option<usize> {
    fn get(&self) -> Option<SettingValue> {
        self.map(|number| SettingValue::Number(number as f64))
    }
    fn set(&mut self, value: SettingValue) {
        if let SettingValue::Number(number) = value {
            *self = Some(number as usize);
        }
    }
}

impl Field for Option<bool> {
    fn get(&self) -> Option<SettingValue> {
        self.map(SettingValue::Truth)
    }
    fn set(&mut self, value: SettingValue) {
        if let SettingValue::Truth(truth) = value {
            *self = Some(truth);
        }
    }
}

impl Field for Vec<String> {
    fn get(&self) -> Option<SettingValue> {
        (!self.is_empty()).then(|| SettingValue::Texts(self.clone()))
    }
    fn set(&mut self, value: SettingValue) {
        if let SettingValue::Texts(texts) = value {
            *self = texts;
        }
    }
}

/// Declares [`Decoding`] and [`SETTINGS`].
macro_rules! settings {
    ($(
        #[doc = $about:literal] $(#[serde($($serde:tt)*)])?
        $name:ident: $ty:ty, $form:expr, $wire:expr, speech: $speech:literal;
    )*) => {
        /// Decoding settings of a language model. A setting that is not set has the agent's own default.
        #[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
        pub struct Decoding {
            $(#[doc = $about] $(#[serde($($serde)*)])? pub $name: $ty,)*
        }

        /// Every setting. A new one is a row here, and its effect in `infer/`.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name),
            about: $about,
            form: $form,
            wire: $wire,
            speech: $speech,
            get: |decoding| Field::get(&decoding.$name),
            set: |decoding, value| Field::set(&mut decoding.$name, value),
        }),*];
    };
}

use SettingForm::{Number, Texts, Truth};
use WireName::{Extension, Standard};

// The first five rows keep their serialised form, which is part of the memo keys of earlier versions.
settings! {
    #[doc = "Temperature of the sampling; 0 is greedy"]
    temperature: Option<f32>, Number(Range::NotNegative), Standard("temperature"), speech: true;
    #[doc = "Probability mass of nucleus sampling, 0 to 1"]
    top_p: Option<f32>, Number(Range::Share), Standard("top_p"), speech: false;
    #[doc = "Sample only from the k most likely tokens; 0 keeps all"]
    top_k: Option<usize>, Number(Range::WholeFrom(0)), Extension(&["top_k"]), speech: false;
    #[doc = "Maximum number of generated tokens"]
    max_tokens: Option<usize>, Number(Range::WholeFrom(1)), Standard("max_tokens"), speech: true;
    #[doc = "Generation stops before any of these texts"]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stop: Vec<String>, Texts, Standard("stop"), speech: false;
    #[doc = "Sample only from tokens with at least this share of the most likely token's probability, 0 to 1"]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_p: Option<f32>, Number(Range::Share), Extension(&["min_p"]), speech: false;
    #[doc = "Divides the positive logits of tokens that occurred in prompt or reply; 1 changes nothing"]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repetition_penalty: Option<f32>, Number(Range::Factor), Extension(&["repetition_penalty", "repeat_penalty"]), speech: false;
    #[doc = "Subtracted once from the logits of tokens that occurred in the reply, -2 to 2"]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f32>, Number(Range::Penalty), Standard("presence_penalty"), speech: false;
    #[doc = "Subtracted from a token's logit for each occurrence in the reply, -2 to 2"]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f32>, Number(Range::Penalty), Standard("frequency_penalty"), speech: false;
    #[doc = "Return the log-probability of each generated token"]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>, Truth, Standard("logprobs"), speech: false;
    #[doc = "Let a model that can think write its thoughts first; the reply has them apart from its text"]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    think: Option<bool>, Truth, Extension(&["enable_thinking"]), speech: false;
}

impl Decoding {
    /// True if chance decides the reply. The agent's own default temperature may be anything, so an absent one counts
    /// as sampling.
    pub fn samples(&self) -> bool {
        self.temperature != Some(0.0)
    }

    /// These settings, and those of `other` where these are not set.
    #[must_use]
    pub fn or(&self, other: &Decoding) -> Decoding {
        let mut merged = self.clone();
        for setting in SETTINGS.iter().filter(|setting| (setting.get)(self).is_none()) {
            if let Some(value) = (setting.get)(other) {
                (setting.set)(&mut merged, value);
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_field_that_can_be_read_written_and_merged() {
        for setting in SETTINGS {
            let value = match setting.form {
                Number(range) => SettingValue::Number(if range.holds(0.5) { 0.5 } else { 3.0 }),
                Texts => SettingValue::Texts(vec!["x".into()]),
                Truth => SettingValue::Truth(true),
            };
            let mut one = Decoding::default();
            assert_eq!((setting.get)(&one), None, "{}", setting.name);
            (setting.set)(&mut one, value.clone());
            assert_eq!((setting.get)(&one), Some(value.clone()), "{}", setting.name);
            assert_eq!((setting.get)(&Decoding::default().or(&one)), Some(value), "{}", setting.name);
            // the key is the field's name in the serialised form too
            let json = serde_json::to_value(&one).expect("plain data");
            assert!(!json[setting.name].is_null(), "{json}");
            assert_eq!(serde_json::from_value::<Decoding>(json).expect("read"), one);
        }
        let (mut first, mut second) = (Decoding::default(), Decoding::default());
        (first.temperature, second.temperature) = (Some(0.2), Some(0.9));
        assert_eq!(first.or(&second).temperature, Some(0.2));
    }

    #[test]
    fn the_form_of_earlier_versions_stays() {
        let json = serde_json::to_string(&Decoding { temperature: Some(0.7), ..Decoding::default() });
        assert_eq!(json.expect("plain data"), r#"{"temperature":0.7,"top_p":null,"top_k":null,"max_tokens":null}"#);
    }
}
