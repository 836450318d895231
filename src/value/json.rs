//! Values as plain JSON: the form in which people and programs give inputs and get results.

use crate::value::{Scored, Type, Value};
use serde_json::{Value as Json, json};

/// JSON without type tags. A moment is `{video, start, end, clock?, text?}` with times in seconds; a medium is its
/// path.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Nothing => Json::Null,
        Value::Truth(truth) => json!(truth),
        Value::Number(number) => number_json(*number),
        Value::Text(text) => json!(text),
        Value::Video(media) | Value::Audio(media) => json!(media.path),
        Value::Image(image) => json!(image.path),
        Value::Moment(moment) => {
            let (start, end) = (number_json(moment.start.seconds()), number_json(moment.end.seconds()));
            let mut json = json!({"video": moment.media.path, "start": start, "end": end});
            if let Some(clock) = moment.clock() {
                json["clock"] = json!(clock);
            }
            if let Some(text) = &moment.text {
                json["text"] = json!(text);
            }
            json
        }
        Value::Scored(scored) => {
            json!({"text": scored.text, "score": scored.score, "probability": scored.probability})
        }
        Value::Vector(vector) => json!(vector),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Record(fields) => {
            Json::Object(fields.iter().map(|(name, value)| (name.clone(), to_json(value))).collect())
        }
    }
}

/// Writes whole numbers without a decimal point.
fn number_json(number: f64) -> Json {
    if number.fract() == 0.0 && number.abs() < 9e15 { json!(number as i64) } else { json!(number) }
}

/// Plain JSON as a value. Every object becomes a record, even one with the fields of a moment.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nothing,
        Json::Bool(truth) => Value::Truth(*truth),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(from_json).collect()),
        Json::Object(fields) => Value::Record(fields.iter().map(|(k, v)| (k.clone(), from_json(v))).collect()),
    }
}

/// Plain JSON as a value of type `ty`. Media are refused, because only a read file gives one. An error is one line: the
/// finding and the expectation.
pub fn from_json_as(json: &Json, ty: &Type) -> Result<Value, String> {
    let value = from_json(json);
    let wrong = || format!("found {}, expected {ty}", brief(json));
    match (ty, &value) {
        (Type::Any, _)
        | (Type::Text, Value::Text(_))
        | (Type::Number, Value::Number(_))
        | (Type::Truth, Value::Truth(_)) => Ok(value),
        (Type::Text, Value::Number(_)) => Ok(Value::Text(json.to_string())),
        // the command line gives every input as text: `-i count=3`
        (Type::Number, Value::Text(text)) => text.trim().parse().map(Value::Number).map_err(|_| wrong()),
        (Type::Truth, Value::Text(text)) => text.trim().parse().map(Value::Truth).map_err(|_| wrong()),
        (Type::Scored, Value::Record(fields)) => {
            let number = |name: &str| match fields.get(name) {
                Some(Value::Number(number)) => Ok(*number as f32),
                _ => Err(wrong()),
            };
            let Some(Value::Text(text)) = fields.get("text") else { return Err(wrong()) };
            let (score, probability) = (number("score")?, number("probability")?);
            Ok(Value::Scored(Scored { text: text.clone(), score, probability, floor: None }))
        }
        (Type::Vector, Value::List(items)) => {
            let number = |item: &Value| match item {
                Value::Number(number) => Ok(*number as f32),
                _ => Err(wrong()),
            };
            items.iter().map(number).collect::<Result<_, _>>().map(Value::Vector)
        }
        (Type::List(item), _) => {
            let Json::Array(items) = json else { return Err(wrong()) };
            items.iter().map(|json| from_json_as(json, item)).collect::<Result<_, _>>().map(Value::List)
        }
        (Type::Record(wanted), Value::Record(fields)) => {
            match wanted.iter().find(|(name, _)| !fields.contains_key(name)) {
                Some((name, ty)) => Err(format!("found no field `{name}`, expected {ty}")),
                None => Ok(value),
            }
        }
        _ => Err(wrong()),
    }
}

fn brief(json: &Json) -> String {
    let text = json.to_string();
    if text.chars().count() > 60 { format!("{}…", text.chars().take(60).collect::<String>()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_json_converts_to_a_type_and_back() {
        let check = |text: &str, ty: &str, expected: Result<&str, &str>| {
            let ty: Type = ty.parse().expect("a type");
            let found = from_json_as(&serde_json::from_str(text).expect("json"), &ty).map(|v| to_json(&v).to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected);
        };
        check("[1, 2.5]", "list of number", Ok("[1,2.5]"));
        check("\"3\"", "number", Ok("3"));
        check("{\"a\": null}", "record", Ok("{\"a\":null}"));
        check("\"x\"", "number", Err("found \"x\", expected number"));
        check("\"day.mp4\"", "video", Err("found \"day.mp4\", expected video"));
    }
}
