//! The flags of the decoding settings, from the table of settings ([`SETTINGS`]).

use crate::exchange::{Decoding, Range, SETTINGS, Setting, SettingForm, SettingValue};
use clap::{Arg, ArgAction, ArgMatches, Command, builder::NonEmptyStringValueParser};

/// The decoding settings of a command line.
#[derive(Debug, Clone, Default)]
pub(super) struct DecodingFlags(pub Decoding);

/// `max_tokens` as a flag: `max-tokens`.
fn flag(setting: &Setting) -> String {
    setting.name.replace('_', "-")
}

fn arg(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.name).long(flag(setting)).help(setting.about);
    let arg = if setting.speech { arg } else { arg.requires("prompt") };
    match setting.form {
        SettingForm::Number(range) => {
            let name = if matches!(range, Range::WholeFrom(_)) { "N" } else { "X" };
            let read = move |text: &str| match text.parse::<f64>() {
                Ok(number) if range.holds(number) => Ok(number),
                _ => Err(format!("expected {}", range.expected())),
            };
            arg.value_name(name).value_parser(read).allow_negative_numbers(true)
        }
        SettingForm::Texts => {
            let help: String = format!("{} (can be repeated)", setting.about);
            let read = NonEmptyStringValueParser::new();
            arg.value_name("TEXT").action(ArgAction::Append).help(help).value_parser(read)
        }
        SettingForm::Truth => arg.action(ArgAction::SetTrue),
    }
}

impl clap::Args for DecodingFlags {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().fold(command, |command, setting| command.arg(arg(setting)))
    }
    fn augment_args_for_update(command: Command) -> Command {
        DecodingFlags::augment_args(command)
    }
}

impl clap::FromArgMatches for DecodingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<DecodingFlags, clap::Error> {
        let mut flags = DecodingFlags::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS {
            let value = match setting.form {
                SettingForm::Number(_) => matches.get_one::<f64>(setting.name).copied().map(SettingValue::Number),
                SettingForm::Texts => {
                    let texts = matches.get_many::<String>(setting.name);
                    texts.map(|texts| SettingValue::Texts(texts.cloned().collect()))
                }
                SettingForm::Truth => matches.get_flag(setting.name).then_some(SettingValue::Truth(true)),
            };
            if let Some(value) = value {
                (setting.set)(&mut self.0, value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    fn read(words: &[String]) -> Result<Decoding, clap::Error> {
        let command = DecodingFlags::augment_args(Command::new("x")).arg(Arg::new("prompt").long("prompt"));
        let words = ["x".to_owned(), "--prompt".into(), "p".into()].into_iter().chain(words.iter().cloned());
        command.try_get_matches_from(words).and_then(|matches| DecodingFlags::from_arg_matches(&matches)).map(|f| f.0)
    }

    #[test]
    fn every_setting_has_a_flag() {
        for setting in SETTINGS {
            let word = format!("--{}", flag(setting));
            let (words, expected) = match setting.form {
                SettingForm::Number(_) => (vec![word, "1".into()], SettingValue::Number(1.0)),
                SettingForm::Texts => (vec![word, "a".into()], SettingValue::Texts(vec!["a".into()])),
                SettingForm::Truth => (vec![word], SettingValue::Truth(true)),
            };
            assert_eq!((setting.get)(&read(&words).expect("flags")), Some(expected), "{}", setting.name);
        }
        assert_eq!(read(&["--presence-penalty".into(), "-1.5".into()]).expect("flags").presence_penalty, Some(-1.5));
        let error = read(&["--top-p".into(), "1.5".into()]).expect_err("out of range").to_string();
        assert!(error.contains("invalid value '1.5' for '--top-p <X>': expected 0 to 1"), "{error}");
        assert!(read(&["--stop".into(), String::new()]).is_err(), "an empty text occurs everywhere");
    }
}
