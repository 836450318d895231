//! Messages and hints for the most common mistakes in YAML: tabs, indentation, templates without quotes.

/// The parser's error about this line, as a message and a hint.
pub(super) fn syntax(info: &str, line: &str) -> (String, Option<String>) {
    if line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t') {
        let hint = "use spaces: YAML allows no tabs there";
        return ("YAML: found a tab in the indentation, expected spaces".into(), Some(hint.into()));
    }
    if info.contains("did not find expected key") || info.contains("expected <block end>") {
        let hint = "start this line in the same column as the keys that it belongs to";
        return ("YAML: found a line whose indentation fits none of the lines above it".into(), Some(hint.into()));
    }
    (format!("YAML: {info}"), None)
}

/// The hint for a template without quotes, the most common mistake: YAML reads `{{` as a mapping.
pub(super) fn unquoted(line: &str) -> Option<String> {
    let value = ["{{", "{%"].iter().find_map(|open| {
        let (before, rest) = line.split_once(*open)?;
        let before = before.trim_end();
        (before.is_empty() || before.ends_with([':', '-', ',', '[', '{'])).then(|| format!("{open}{rest}"))
    })?;
    let close = if value.starts_with("{{") { "}}" } else { "%}" };
    let template = value.split_once(close).map_or(value.trim_end().to_owned(), |(inner, _)| format!("{inner}{close}"));
    Some(format!("put the template in quotes: `\"{template}\"`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_without_quotes_are_found() {
        let check = |line: &str, expected: Option<&str>| {
            let expected = expected.map(|text| format!("put the template in quotes: `\"{text}\"`"));
            assert_eq!(unquoted(line), expected, "{line}");
        };
        check("answer: {{ say1 }}", Some("{{ say1 }}"));
        check("  - {{ a }} and b", Some("{{ a }}"));
        check("  x: {% if a %}b", Some("{% if a %}"));
        check("answer: \"{{ say1 }}\"", None);
        check("answer: text {{ say1 }}", None);
        check("answer: { a: 1 }", None);
    }
}
