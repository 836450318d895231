//! Texts with a `format`: patterns where llguidance allows more than the standards that a validator follows. It allows
//! 29 February in every year, second 60 at any time, and names of any length in addresses.

use serde_json::{Value as Json, json};

/// Years with a 29 February.
const LEAP: &str = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29";
const DAY: &str = "[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))";
const TIME: &str =
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
/// Labels of a domain: at most 4 of 40 characters.
const DOMAIN: &str =
    r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,38}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,38}[a-zA-Z0-9])?){0,3}";
/// The part of an address before `@`: at most 62 characters.
const LOCAL: &str = r"[a-zA-Z0-9_+-]{1,20}(?:\.[a-zA-Z0-9_+-]{1,20}){0,2}";

/// The pattern of a format; `None` if the one of llguidance suffices.
fn pattern(format: &str) -> Option<String> {
    let text = match format {
        "date" => format!("{DAY}|{LEAP}"),
        "time" => TIME.to_owned(),
        "date-time" => format!("(?:{DAY}|{LEAP})T{TIME}"),
        "email" => format!("{LOCAL}@{DOMAIN}"),
        "hostname" => DOMAIN.to_owned(),
        _ => return None,
    };
    Some(format!("^(?:{text})$"))
}

/// The same keywords with a pattern for `format`, if it needs one.
pub(super) fn tightened(keywords: &mut serde_json::Map<String, Json>) {
    let Some(pattern) = keywords.get("format").and_then(Json::as_str).and_then(pattern) else { return };
    match keywords.contains_key("pattern") {
        false => drop(keywords.insert("pattern".to_owned(), pattern.into())),
        true => {
            let all = keywords.entry("allOf").or_insert_with(|| json!([]));
            if let Json::Array(all) = all {
                all.push(json!({"type": "string", "pattern": pattern}));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_allows_only_what_a_validator_allows() {
        let check = |format: &str, text: &str, expected: bool| {
            let found = regex::Regex::new(&pattern(format).expect("a pattern")).expect("a regex").is_match(text);
            assert_eq!(found, expected, "{format} {text}");
            let schema = json!({"type": "string", "format": format});
            let validator = super::super::typed::validator(&schema).expect("a schema");
            assert!(!found || validator.is_valid(&json!(text)), "{format} {text}");
        };
        for (text, expected) in [
            ("2024-02-29", true),
            ("2000-02-29", true),
            ("1900-02-29", false),
            ("2023-02-29", false),
            ("2023-12-31", true),
            ("2023-11-31", false),
            ("2023-00-10", false),
        ] {
            check("date", text, expected);
            check("date-time", &format!("{text}T07:15:00Z"), expected);
        }
        check("time", "07:15:59.123+01:00", true);
        check("time", "07:15:60Z", false);
        check("time", "24:00:00Z", false);
        check("email", "anna.lee@example.org", true);
        check("email", &format!("{}@example.org", "a".repeat(65)), false);
        let longest = "a".repeat(20);
        check("email", &format!("{longest}.{longest}.{longest}@{}", ["b".repeat(40).as_str(); 4].join(".")), true);
        check("hostname", &["b".repeat(40).as_str(); 4].join("."), true);
        check("hostname", "-a", false);
    }
}
