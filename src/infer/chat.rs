//! Chat templates: a checkpoint's own Jinja text that turns messages into a prompt, rendered as transformers renders it.

use super::{checkpoint::Checkpoint, config::Config};
use crate::{error::Fault, exchange::Message};
use minijinja::{
    Environment, Error, ErrorKind, Value,
    syntax::SyntaxConfig,
    value::{Kwargs, Serde},
};
use serde_json::Value as Json;
use std::time::{SystemTime, UNIX_EPOCH};

/// How messages become a prompt.
#[derive(Debug)]
pub struct Chat {
    template: Option<Environment<'static>>,
    specials: Vec<(&'static str, String)>,
}

/// A prompt, and whether the tokenizer should add its special tokens (a chat template has written them already).
#[derive(Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The text.
    pub text: String,
    /// Ask the tokenizer for its special tokens.
    pub special: bool,
}

impl Chat {
    /// Reads `chat_template.jinja`, or the template in `tokenizer_config.json`.
    pub fn open(checkpoint: &Checkpoint) -> Result<Chat, Fault> {
        let settings = checkpoint.json("tokenizer_config.json")?;
        let map = checkpoint.json("special_tokens_map.json")?;
        let source = match checkpoint.text("chat_template.jinja")? {
            Some(text) => Some(text),
            None => settings.as_ref().and_then(|c| template_of(c.get("chat_template")?)),
        };
        let special = |key: &'static str| {
            let read = |config: &Option<Config>| config.as_ref().map_or(Ok(None), |config| config.special(key));
            Ok(read(&settings)?.or(read(&map)?).map(|token| (key, token)))
        };
        let specials = ["bos_token", "eos_token", "unk_token", "pad_token"].map(special);
        let specials: Vec<Option<_>> = specials.into_iter().collect::<Result<_, Fault>>()?;
        let specials = specials.into_iter().flatten().collect();
        Ok(Chat { template: source.map(environment).transpose()?, specials })
    }

    /// The prompt for `messages`. Without a template (a model that was never taught to chat) the messages stand one after
    /// the other, parted by blank lines.
    pub fn prompt(&self, messages: &[Message], raw: bool) -> Result<Prompt, Fault> {
        let Some(environment) = self.template.as_ref().filter(|_| !raw) else {
            let texts: Vec<&str> = messages.iter().map(|m| m.content.as_str()).collect();
            return Ok(Prompt { text: texts.join("\n\n"), special: true });
        };
        let mut names: Vec<(&str, Value)> = self.specials.iter().map(|(k, v)| (*k, Value::from(v.as_str()))).collect();
        names.push(("messages", Value::from(Serde(messages))));
        names.push(("add_generation_prompt", Value::from(true)));
        names.extend(["tools", "documents"].map(|name| (name, Value::from(()))));
        let rendered = environment.get_template("chat").and_then(|t| t.render(Value::from_pairs(names)));
        let text =
            rendered.map_err(|e| Fault::failed(format!("the chat template refuses these messages: {}", said(&e))))?;
        Ok(Prompt { text, special: false })
    }
}

/// A template is text, or a list of named ones of which `default` is ours.
fn template_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Array(list) => {
            let default = list.iter().find(|t| t["name"] == "default").or_else(|| list.first())?;
            default["template"].as_str().map(str::to_owned)
        }
        _ => None,
    }
}

fn said(error: &Error) -> String {
    error.detail().map_or_else(|| error.to_string(), str::to_owned)
}

fn environment(source: String) -> Result<Environment<'static>, Fault> {
    let mut environment = Environment::new();
    let refused = |e: Error| Fault::model(format!("the chat template cannot be read: {}", said(&e)));
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(refused)?);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |text: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, text))
    });
    environment.add_function("strftime_now", |format: String| date(&format, now()));
    environment.add_filter("tojson", |value: Value, kwargs: Kwargs| -> Result<Value, Error> {
        let indent: Option<usize> = kwargs.get("indent")?;
        let json = serde_json::to_value(&value).map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))?;
        Ok(Value::from_safe_string(python_json(&json, indent, 0)))
    });
    // Generation markers only say which tokens a trainer should learn; the text between them is ordinary.
    let source = source.replace("{% generation %}", "").replace("{% endgeneration %}", "");
    let source = source.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "");
    environment.add_template_owned("chat", source).map_err(refused)?;
    Ok(environment)
}

/// As Python's `json.dumps(value, ensure_ascii=False)`: a space after commas and colons.
fn python_json(value: &Json, indent: Option<usize>, depth: usize) -> String {
    let line = |depth: usize| indent.map_or_else(String::new, |n| format!("\n{}", " ".repeat(n * depth)));
    let comma = if indent.is_some() { "," } else { ", " };
    let joined = |items: Vec<String>, open: char, close: char| match items.is_empty() {
        true => format!("{open}{close}"),
        false => {
            let items: Vec<String> = items.into_iter().map(|item| format!("{}{item}", line(depth + 1))).collect();
            format!("{open}{}{}{close}", items.join(comma), line(depth))
        }
    };
    match value {
        Json::Array(items) => joined(items.iter().map(|v| python_json(v, indent, depth + 1)).collect(), '[', ']'),
        Json::Object(map) => {
            let item =
                |(k, v): (&String, &Json)| format!("{}: {}", Json::from(k.as_str()), python_json(v, indent, depth + 1));
            joined(map.iter().map(item).collect(), '{', '}')
        }
        other => other.to_string(),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// `strftime` for the directives that chat templates use, in UTC.
fn date(format: &str, seconds: u64) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days: years begin in March, eras have 146,097 days.
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (month_name, day_name) = (MONTHS[(month - 1) as usize], DAYS[(days % 7) as usize]);
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        out += &match letters.next() {
            Some('d') => format!("{day:02}"),
            Some('m') => format!("{month:02}"),
            Some('Y') => year.to_string(),
            Some('y') => format!("{:02}", year % 100),
            Some('B') => month_name.to_owned(),
            Some('b') => month_name[..3].to_owned(),
            Some('A') => day_name.to_owned(),
            Some('a') => day_name[..3].to_owned(),
            Some('H') => format!("{:02}", rest / 3600),
            Some('M') => format!("{:02}", rest / 60 % 60),
            Some('S') => format!("{:02}", rest % 60),
            Some(other) => other.to_string(),
            None => String::new(),
        };
    }
    out
}

/// Every token that ends a reply: `eos_token_id` of `generation_config.json`, else of `config.json`.
pub fn end_tokens(generation: Option<&Config>, config: &Config, vocabulary: usize) -> Result<Vec<u32>, Fault> {
    let ends = generation.map_or(Ok(Vec::new()), |g| g.tokens("eos_token_id", vocabulary))?;
    if ends.is_empty() { config.tokens("eos_token_id", vocabulary) } else { Ok(ends) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_render_as_in_python() {
        let check = |source: &str| {
            let chat = Chat {
                template: Some(environment(source.to_owned()).unwrap()),
                specials: vec![("bos_token", "<s>".to_owned())],
            };
            let messages = [Message { role: "user".to_owned(), content: " Hé <b> ".to_owned(), images: vec![] }];
            chat.prompt(&messages, false).map(|p| p.text).unwrap_or_else(|e| e.to_string())
        };
        insta::assert_snapshot!(check("{{ bos_token }}{% for m in messages %}\n  {{- m.content.strip() }}|{{ m['role'].upper() }}{% endfor %}"), @"<s>Hé <b>|USER");
        insta::assert_snapshot!(check("{{ messages | tojson }}"), @r#"[{"role": "user", "content": " Hé <b> "}]"#);
        insta::assert_snapshot!(check("{% if tools is not none %}t{% endif %}{{ missing }}."), @".");
        insta::assert_snapshot!(check("{{ raise_exception('only two roles') }}"), @"the chat template refuses these messages: only two roles");
    }

    #[test]
    fn dates_are_written_as_strftime_does() {
        assert_eq!(date("%d %b %Y, %A %B %H:%M:%S %y%%", 1_709_210_096), "29 Feb 2024, Thursday February 12:34:56 24%");
        assert_eq!(date("%Y-%m-%d", 0), "1970-01-01");
    }
}
