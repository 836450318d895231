//! The source of an agent's weights, as its file or a command names it: a path, or a repository of the model hub.

use super::{HubError, cache::is_file_name};
use std::{fmt, path::PathBuf};

/// Maximum length of the name of a quantisation, such as `Q4_K_M`.
const MAX_TAG: usize = 24;

/// The source of the weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WeightsSource {
    /// A checkpoint folder, a GGUF file, or a folder that contains one. Relative to the agent file.
    Path(PathBuf),
    /// A GGUF file. Relative to the agent file.
    Gguf(PathBuf),
    /// A repository of the model hub.
    Hub {
        /// `org/name`
        repo: String,
        /// A branch, tag or commit; `main` by default.
        revision: String,
        /// A GGUF file of the repository, or its quantisation (`Q4_K_M`); none for a checkpoint folder.
        gguf: Option<String>,
    },
}

impl WeightsSource {
    /// Parses `org/name`, with `@revision` and `:FILE.gguf` or `:Q4_K_M` behind it. `gguf` names such a file apart from
    /// the text.
    pub fn hub(text: &str, gguf: Option<&str>) -> Result<WeightsSource, HubError> {
        let (id, part) = match text.trim().split_once(':') {
            Some((id, part)) => (id, Some(part)),
            None => (text.trim(), None),
        };
        let (repo, revision) = id.split_once('@').unwrap_or((id, "main"));
        let parts: Vec<&str> = repo.split('/').collect();
        let revision_is_plain = revision.split('/').all(is_file_name);
        if parts.len() > 2 || !parts.iter().all(|part| is_file_name(part)) || !revision_is_plain {
            return Err(HubError::new(
                format!("`{text}` is not a Hugging Face id"),
                "write org/name, org/name@revision or org/name:FILE.gguf; a folder on this machine goes under `path`",
            ));
        }
        if let (Some(part), Some(gguf)) = (part, gguf) {
            return Err(HubError::new(
                format!("found two GGUF files for {repo}, `{part}` and `{gguf}`"),
                "name it once: behind the colon, or as `gguf`",
            ));
        }
        let gguf = part.or(gguf);
        if let Some(file) = gguf.filter(|file| !is_gguf(file) && !is_quantisation(file)) {
            return Err(HubError::new(
                format!("`{file}` is not the name of a GGUF file of {repo}"),
                "name a file of the repository, such as model-Q4_K_M.gguf, or a quantisation, such as Q4_K_M",
            ));
        }
        Ok(WeightsSource::Hub { repo: repo.to_owned(), revision: revision.to_owned(), gguf: gguf.map(str::to_owned) })
    }
}

/// As [`WeightsSource::hub`] reads it; `@main` is left out.
impl fmt::Display for WeightsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WeightsSource::Path(path) | WeightsSource::Gguf(path) => write!(f, "{}", path.display()),
            WeightsSource::Hub { repo, revision, gguf } => {
                f.write_str(repo)?;
                if revision != "main" {
                    write!(f, "@{revision}")?;
                }
                gguf.as_ref().map_or(Ok(()), |file| write!(f, ":{file}"))
            }
        }
    }
}

/// True for the name of a GGUF file, which may be in a folder of its repository.
fn is_gguf(name: &str) -> bool {
    name.ends_with(".gguf") && name.split('/').all(is_file_name)
}

/// True for the name of a quantisation: `Q4_K_M`, `f16`.
fn is_quantisation(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain && name.len() <= MAX_TAG && name.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// The GGUF file of a repository that `wanted` names: the file itself, or the only one with this quantisation. Fails if
/// there is none, or several.
pub fn gguf_file<'a>(
    repo: &str,
    wanted: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<&'a str, HubError> {
    let files = names.filter(|name| is_gguf(name));
    // the file of a picture encoder belongs to a language model, and is none
    let mut texts = files.clone().filter(|name| !is_projector(name));
    let found: Vec<&str> = match wanted.ends_with(".gguf") {
        true => files.clone().filter(|name| *name == wanted).collect(),
        false => texts.clone().filter(|name| has_quantisation(name, wanted)).collect(),
    };
    match found.as_slice() {
        [one] if part_of_several(one).is_some() => Err(HubError::new(
            format!("{one} of {repo} is one part of several, and only whole GGUF files are read"),
            "name a smaller quantisation, which is one file, or join the parts with llama-gguf-split --merge",
        )),
        [one] => Ok(one),
        [] => {
            let listed = files.take(20).collect::<Vec<_>>().join(", ");
            let hint = match listed.as_str() {
                "" => "the repository has no GGUF files".to_owned(),
                files => format!("its GGUF files are {files}"),
            };
            Err(HubError::new(format!("{repo} lacks {wanted}"), hint))
        }
        [first, ..] if part_of_several(first).is_some() => Err(HubError::new(
            format!("{wanted} of {repo} is in {} parts, and only whole GGUF files are read", found.len()),
            match texts.find(|name| part_of_several(name).is_none()) {
                Some(whole) => format!("name a file that is whole, such as {whole}"),
                None => "join the parts with llama-gguf-split --merge, and name the file as `path`".to_owned(),
            },
        )),
        several => Err(HubError::new(
            format!("{repo} has {} files of {wanted}", several.len()),
            format!("name one of them: {}", several.join(", ")),
        )),
    }
}

/// The projector that belongs to a GGUF file: the one in the same folder of the repository; of several, a format that
/// loses little. Only Qwen3-VL has projectors that are read, so that other models do not download theirs.
pub fn projector<'a>(repo: &str, file: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_read = format!("{repo}/{file}").to_lowercase().replace(['-', '_'], "").contains("qwen3vl");
    let folder = |name: &str| name.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let fits = |name: &&str| is_gguf(name) && is_projector(name) && folder(name) == folder(file) && *name != file;
    let mut found: Vec<&str> = names.filter(|name| is_read && fits(name)).collect();
    let rank = |name: &str| ["F16", "BF16", "Q8_0"].iter().position(|format| has_quantisation(name, format));
    found.sort_by_key(|name| (rank(name).unwrap_or(usize::MAX), *name));
    found.first().copied()
}

/// True for the name of a projector (`mmproj-….gguf`): the image tower of the model beside it.
pub fn is_projector(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|file| file.to_lowercase().contains("mmproj"))
}

/// True if the name ends with this quantisation, in letters of any case: `qwen3-1.7b-q4_k_m.gguf`.
fn has_quantisation(name: &str, wanted: &str) -> bool {
    let stem = name.trim_end_matches(".gguf");
    let stem = part_of_several(name).unwrap_or(stem).to_ascii_uppercase();
    let rest = stem.strip_suffix(&wanted.to_ascii_uppercase());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(['-', '.', '_', '/']))
}

/// The name without `-00001-of-00003.gguf`, if it is one of several parts.
fn part_of_several(name: &str) -> Option<&str> {
    let (rest, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (rest, number) = rest.rsplit_once('-')?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(count) && is_number(number) && count != "00001").then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_hub(text: &str, expected: Option<(&str, &str, Option<&str>)>) {
        let found = WeightsSource::hub(text, None).ok();
        let expected = expected.map(|(repo, revision, gguf)| WeightsSource::Hub {
            repo: repo.into(),
            revision: revision.into(),
            gguf: gguf.map(Into::into),
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_hub_model_is_an_id_with_an_optional_revision_and_file() {
        check_hub("org/name", Some(("org/name", "main", None)));
        check_hub("org/name@v1.0", Some(("org/name", "v1.0", None)));
        check_hub("gpt2@refs/pr/1", Some(("gpt2", "refs/pr/1", None)));
        check_hub("org/name:m-Q8_0.gguf", Some(("org/name", "main", Some("m-Q8_0.gguf"))));
        check_hub("org/name@v2:Q4_K_M", Some(("org/name", "v2", Some("Q4_K_M"))));
        for bad in
            ["", "a/b/c", "../x", "org/name@", "org/na me", "org/name@../../x", "o/n:", "o/n:../x.gguf", "o/n:a b"]
        {
            check_hub(bad, None);
        }
        for bad in ["model.bin", "../model.gguf", "/model.gguf", ""] {
            assert!(WeightsSource::hub("org/name", Some(bad)).is_err(), "{bad}");
        }
        assert!(WeightsSource::hub("org/name:Q4_K_M", Some("a.gguf")).is_err());
        for text in ["org/name", "org/name@v2:Q4_K_M", "org/name:m-Q8_0.gguf"] {
            assert_eq!(WeightsSource::hub(text, None).expect("parsed").to_string(), text);
        }
    }

    #[test]
    fn a_model_that_sees_has_a_projector() {
        let check =
            |repo: &str, file: &str, names: &[&str]| projector(repo, file, names.iter().copied()).map(str::to_owned);
        let names = ["m-Q4_K_M.gguf", "mmproj-F32.gguf", "mmproj-m-F16.gguf", "sub/mmproj-F16.gguf", "sub/m.gguf"];
        assert_eq!(check("Qwen/Qwen3-VL-2B-GGUF", "m-Q4_K_M.gguf", &names).as_deref(), Some("mmproj-m-F16.gguf"));
        assert_eq!(check("o/Qwen3VL", "sub/m.gguf", &names).as_deref(), Some("sub/mmproj-F16.gguf"));
        assert_eq!(check("o/gemma-3", "m-Q4_K_M.gguf", &names), None);
        assert_eq!(check("o/Qwen3VL", "mmproj-F32.gguf", &["mmproj-F32.gguf"]), None);
    }

    #[test]
    fn a_quantisation_names_one_file() {
        let check = |wanted: &str, names: &[&str]| {
            gguf_file("o/n", wanted, names.iter().copied()).map_or_else(|error| error.line(), str::to_owned)
        };
        let names = ["README.md", "m-IQ4_XS.gguf", "m-q4_k_m.gguf", "sub/m.Q8_0.gguf", "mmproj-F16.gguf", "m-F16.gguf"];
        assert_eq!(check("Q4_K_M", &names), "m-q4_k_m.gguf");
        assert_eq!(check("q8_0", &names), "sub/m.Q8_0.gguf");
        assert_eq!(check("F16", &names), "m-F16.gguf");
        assert_eq!(check("mmproj-F16.gguf", &names), "mmproj-F16.gguf");
        insta::assert_snapshot!(check("Q4_XS", &names), @"o/n lacks Q4_XS (hint: its GGUF files are m-IQ4_XS.gguf, m-q4_k_m.gguf, sub/m.Q8_0.gguf, mmproj-F16.gguf, m-F16.gguf)");
        insta::assert_snapshot!(check("Q4_K_M", &["m-Q4_K_M.gguf", "m-UD-Q4_K_M.gguf"]), @"o/n has 2 files of Q4_K_M (hint: name one of them: m-Q4_K_M.gguf, m-UD-Q4_K_M.gguf)");
        let parts = ["m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf", "m-Q4_0.gguf"];
        insta::assert_snapshot!(check("Q8_0", &parts), @"Q8_0 of o/n is in 2 parts, and only whole GGUF files are read (hint: name a file that is whole, such as m-Q4_0.gguf)");
        insta::assert_snapshot!(check("m-Q8_0-00001-of-00002.gguf", &parts), @"m-Q8_0-00001-of-00002.gguf of o/n is one part of several, and only whole GGUF files are read (hint: name a smaller quantisation, which is one file, or join the parts with llama-gguf-split --merge)");
        assert_eq!(check("Q8_0", &["../../m-Q8_0.gguf"]), "o/n lacks Q8_0 (hint: the repository has no GGUF files)");
    }
}
