//! `ask_user`: a question to a person. The built-in user of a run answers it, or an agent of the cast.

use super::{Exchange, Finish, Item, MediaRef, Modalities, Modality, SayReply, ScriptReply, script};
use crate::grammar::Restriction;
use serde::{Deserialize, Serialize};

/// Asks a person for a line.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AskUserRequest {
    /// The place that asks, `DIALOGUE.STEP`. Answers that are given before the run name it, or the step alone.
    pub name: String,
    /// The question.
    pub text: String,
    /// The allowed answers. Empty if every answer is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// A JSON Schema that the answer fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// A regular expression that the whole answer matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// The answer if the person types an empty line, or if nobody can be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

impl AskUserRequest {
    /// The restriction of the answer, if it has one besides `choices`.
    pub fn restriction(&self) -> Option<Restriction<'_>> {
        let schema = self.schema.as_ref().map(Restriction::Schema);
        schema.or_else(|| self.regex.as_deref().map(Restriction::Regex))
    }

    /// The answer that a typed line means: a choice by its text or its number; JSON for a schema, where a text needs no quotes; the
    /// default for an empty line. Fails with the reason for a line that is no answer.
    pub fn answer(&self, line: &str) -> Result<String, String> {
        let line = line.trim();
        if let (true, Some(default)) = (line.is_empty(), &self.default) {
            return Ok(default.clone());
        }
        if !self.choices.is_empty() {
            return choice(line, &self.choices)
                .map(str::to_owned)
                .ok_or_else(|| format!("`{line}` is not one of the choices {}", self.choices.join(", ")));
        }
        let Some(restriction) = self.restriction() else { return Ok(line.to_owned()) };
        let Err(why) = restriction.accepts(line) else { return Ok(line.to_owned()) };
        let quoted = serde_json::Value::from(line).to_string();
        match restriction {
            Restriction::Schema(_) if restriction.accepts(&quoted).is_ok() => Ok(quoted),
            _ => Err(why),
        }
    }
}

/// The choice that a line names by its text, in any case, or by its number.
pub fn choice<'a>(line: &str, choices: &'a [String]) -> Option<&'a str> {
    let by_number = || line.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
    let by_text = choices.iter().find(|choice| choice.to_lowercase() == line.to_lowercase());
    by_text.or_else(by_number).map(String::as_str)
}

impl Exchange for AskUserRequest {
    type Reply = SayReply;
    const USUAL: Modalities = Modalities::of(&[Modality::Text]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        Vec::new()
    }

    fn items(&self) -> Vec<Item> {
        Vec::new()
    }

    fn takes(&self) -> Modalities {
        Modalities::of(&[Modality::Text])
    }

    /// A person may answer the same question in another way.
    fn repeats(&self) -> bool {
        false
    }

    fn fits(&self, reply: &SayReply) -> Result<(), String> {
        if !self.choices.is_empty() && !self.choices.contains(&reply.text) {
            return Err(format!("found `{}`, which is not one of the choices", reply.text));
        }
        self.restriction().map_or(Ok(()), |restriction| restriction.accepts(&reply.text))
    }

    fn words(&self) -> String {
        self.text.clone()
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Text(_) | ScriptReply::Count(_))
    }

    /// The line that a person would type.
    fn scripted(&self, written: &ScriptReply) -> Result<SayReply, String> {
        let line = written.text().ok_or_else(|| script::misfit(written, "a text"))?;
        let text = self.answer(&line).map_err(|why| format!("the script's reply does not fit: {why}"))?;
        Ok(SayReply::new(text, Finish::Stop))
    }

    fn text(reply: &SayReply) -> Option<&str> {
        Some(&reply.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &AskUserRequest, line: &str, expected: Result<&str, &str>) {
        let found = request.answer(line);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{line}");
        if let Ok(text) = found {
            assert_eq!(request.fits(&SayReply::new(text, Finish::Stop)), Ok(()), "{line}");
        }
    }

    #[test]
    fn a_typed_line_means_an_answer() {
        let plain = AskUserRequest::default();
        check(&plain, " next \n", Ok("next"));
        check(&plain, "", Ok(""));
        let usual = AskUserRequest { default: Some("none".into()), ..AskUserRequest::default() };
        check(&usual, "  ", Ok("none"));
        let choices = vec!["Yes".to_owned(), "No".to_owned()];
        let chosen = AskUserRequest { choices, default: Some("No".into()), ..AskUserRequest::default() };
        check(&chosen, "yes", Ok("Yes"));
        check(&chosen, "2", Ok("No"));
        check(&chosen, "", Ok("No"));
        check(&chosen, "3", Err("`3` is not one of the choices Yes, No"));
        let typed = |schema| AskUserRequest { schema: Some(schema), ..AskUserRequest::default() };
        let number = typed(serde_json::json!({ "type": "integer", "minimum": 1 }));
        check(&number, "12", Ok("12"));
        assert!(number.answer("twelve").is_err() && number.answer("0").is_err());
        let word = typed(serde_json::json!({ "enum": ["kitchen", "street"] }));
        check(&word, "kitchen", Ok("\"kitchen\""));
        check(&word, "\"street\"", Ok("\"street\""));
        let regex = AskUserRequest { regex: Some("[0-9]{2}:[0-9]{2}".into()), ..AskUserRequest::default() };
        check(&regex, "08:30", Ok("08:30"));
        assert!(regex.answer("half past").is_err());
    }
}
