//! Checks the invariants of ARCHITECTURE.md that the source shows. Each failure names the file and the rule.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Every Rust file below `src`, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src can be listed").map(|e| e.expect("entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&entry).expect("source is text");
                files.push((entry.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("inside").to_owned(), text));
            }
        }
    }
    assert!(files.len() > 20, "the walk finds the sources");
    files.sort();
    files
}

/// The lines of code of a file, without its test module, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].lines().enumerate().map(|(n, line)| (n + 1, line)).filter(|(_, l)| !l.trim_start().starts_with("//"))
}

/// True for `tests.rs`, the tests of a folder in a file of their own.
fn is_tests(path: &Path) -> bool {
    path.ends_with("tests.rs")
}

/// Fails for each line that contains one of `words` outside the `allowed` path prefixes, and for a prefix without such
/// a line.
fn only_in(words: &[&str], allowed: &[&str], rule: &str) {
    let (mut broken, mut needed) = (Vec::new(), BTreeSet::new());
    for (path, text) in sources().iter().filter(|(path, _)| !is_tests(path)) {
        let allowance = allowed.iter().find(|prefix| path.starts_with(prefix));
        for (number, line) in code(text).filter(|(_, line)| words.iter().any(|word| line.contains(word))) {
            match allowance {
                Some(prefix) => drop(needed.insert(*prefix)),
                None => broken.push(format!("{}:{number}: {}", path.display(), line.trim())),
            }
        }
    }
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
    let idle: Vec<_> = allowed.iter().filter(|prefix| !needed.contains(*prefix)).collect();
    assert!(idle.is_empty(), "{rule}: the list allows {idle:?} in vain");
}

#[test]
fn candle_stays_in_its_layer() {
    only_in(&["candle_"], &["src/infer", "src/models"], "candle is named only in infer/ and models/");
}

#[test]
fn yaml_stays_in_its_layer() {
    only_in(&["granit_parser", "serde_saphyr"], &["src/dialogue"], "YAML is read only in dialogue/");
}

#[test]
fn only_the_command_line_prints() {
    let macros = ["println!(", "print!(", "eprintln!(", "eprint!(", "dbg!("];
    only_in(&macros, &[], "these macros panic where nothing can be written; cli/print does not");
    only_in(
        &["stdout().", "stderr()."],
        &["src/cli/print.rs", "src/cli/out.rs"],
        "only cli/print writes to stdout or stderr",
    );
}

#[test]
fn only_the_command_line_reads_the_environment() {
    // `env!` reads the environment at compile time
    let reads = ["std::env::", "use std::env", "    env::{"];
    let rule = "only cli/ reads the environment; all other code gets Settings, Folders or HubSettings";
    only_in(&reads, &["src/cli"], rule);
}

#[test]
fn only_media_starts_programs() {
    only_in(&["Command::new"], &["src/media"], "only media/ starts ffmpeg or ffprobe");
}

#[test]
fn checking_is_pure() {
    let effects = ["std::fs", "tokio::", "std::thread", "std::net", "Instant::now", "SystemTime", "std::process"];
    let allowed = [
        "src/store",
        "src/hub",
        "src/media",
        "src/infer",
        "src/agent",
        "src/run",
        "src/session",
        "src/eval",
        "src/models/golden.rs",
        "src/doctor.rs",
        "src/doctor",
        "src/serve",
        "src/cli",
        "src/main.rs",
    ];
    only_in(&effects, &allowed, "plan/, steps/ and all below them touch no file, clock, thread or network");
    let inside: Vec<_> = sources().into_iter().filter(|(p, _)| p.starts_with("src/run/machine")).collect();
    assert!(!inside.is_empty(), "the machine exists");
    for (path, text) in inside {
        for (number, line) in code(&text) {
            let bad = [
                ".await;",
                ".await?",
                ".await\n",
                ").await",
                "Instant::now",
                "SystemTime",
                "mpsc",
                "oneshot",
                "tokio::",
            ];
            let found = bad.iter().find(|w| line.contains(**w));
            assert!(found.is_none(), "{}:{number}: the machine is pure: {}", path.display(), line.trim());
        }
    }
}

#[test]
fn files_have_a_header_and_a_bounded_length() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//!") {
            broken.push(format!("{} does not start with //!", path.display()));
        }
        let end = if is_tests(&path) { 0 } else { text.find("#[cfg(test)]\nmod ").unwrap_or(text.len()) };
        let outside_tests = text[..end].lines().count();
        if outside_tests > 400 || text.lines().count() > 600 {
            broken.push(format!("{} has {outside_tests} lines outside tests", path.display()));
        }
        for word in ["todo!(", "unimplemented!(", "TODO", "FIXME", "XXX"] {
            if text.contains(word) {
                broken.push(format!("{} contains {word}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn unsafe_is_in_at_most_one_place() {
    let places: Vec<_> = sources()
        .into_iter()
        .flat_map(|(path, text)| {
            code(&text)
                .filter(|(_, l)| l.contains("unsafe {"))
                .map(|(n, _)| format!("{}:{n}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(places.len() <= 1, "unsafe is in more than one place: {places:?}");
}

/// The names of the public types (visible outside of their module) that a file declares.
fn public_types(text: &str) -> impl Iterator<Item = (usize, String)> {
    let types = code(text).filter_map(|(number, line)| {
        let rest = line.trim_start().strip_prefix("pub")?;
        let rest = rest.strip_prefix('(').map_or(rest, |scope| scope.split_once(')').map_or("", |(_, rest)| rest));
        let rest =
            ["struct ", "enum ", "trait ", "type "].iter().find_map(|word| rest.trim_start().strip_prefix(word))?;
        Some((number, rest.chars().take_while(|c| c.is_alphanumeric()).collect()))
    });
    // a macro declares `$name`
    types.filter(|(_, name): &(usize, String)| !name.is_empty())
}

#[test]
fn no_public_type_name_is_used_twice() {
    let mut seen = std::collections::BTreeMap::<String, Vec<String>>::new();
    for (path, text) in sources().iter().filter(|(path, _)| !is_tests(path)) {
        for (number, name) in public_types(text) {
            seen.entry(name).or_default().push(format!("{}:{number}", path.display()));
        }
    }
    assert!(seen.len() > 200, "types are found: {}", seen.len());
    // each command has its own `Args`: the file says whose
    let twice: Vec<_> = seen.iter().filter(|(name, places)| *name != "Args" && places.len() > 1).collect();
    assert!(twice.is_empty(), "two public types have one name: {twice:?}");
}

#[test]
fn every_kind_of_request_has_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/exchange");
    for kind in elenchus::Kind::ALL {
        let file = root.join(format!("{}.rs", kind.word()));
        let text = fs::read_to_string(&file).unwrap_or_else(|_| panic!("{} is missing", file.display()));
        let request = format!("impl Exchange for {kind:?}Request");
        assert!(text.contains(&request), "{} does not contain `{request}`", file.display());
    }
    let list = fs::read_to_string(root.join("mod.rs")).expect("the list of kinds");
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("src/exchange")) {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("UTF-8 name");
        if code(text).any(|(_, line)| line.starts_with("impl Exchange for ")) {
            assert!(list.contains(&format!("\"{stem}\"")), "{} is not in the list of kinds", path.display());
        }
    }
}

#[test]
fn every_member_of_a_catalogue_is_listed() {
    for folder in ["models", "steps", "eval/metrics", "eval/readers", "cli"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
        let list = fs::read_to_string(root.join("mod.rs")).expect("each catalogue has a list");
        for entry in fs::read_dir(&root).expect("listed").map(|e| e.expect("entry").path()) {
            let stem = entry.file_stem().and_then(|s| s.to_str()).expect("UTF-8 name").to_owned();
            if stem != "mod" {
                // a verb may be a keyword of Rust
                let listed = list.contains(&format!("mod {stem};")) || list.contains(&format!("mod r#{stem};"));
                assert!(listed, "{} is not listed in {folder}/mod.rs", entry.display());
            }
        }
    }
}

#[test]
fn the_readme_names_what_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("README.md");
    for word in readme.split(|c: char| c.is_whitespace() || "`()[]\"'<>,;:=".contains(c)) {
        let word = word.trim_end_matches('.');
        if ["examples/", "agents/", "prompts/", "vocab/", "casts/", "training/", "benches/"]
            .iter()
            .any(|p| word.starts_with(p))
            && !word.contains(['*', '…', '$'])
            && !word.contains("NAME")
            && word.chars().all(|c| !c.is_uppercase() || word.ends_with(".md"))
        {
            // dialogues name label lists and prompts without their extension
            let there = ["", ".txt", ".md", ".yaml"].iter().any(|end| root.join(format!("{word}{end}")).exists());
            assert!(there, "README.md names {word}, which does not exist");
        }
    }
}

/// The example of the library's front page, which is a doctest, without its hidden lines.
#[test]
fn the_readme_has_the_example_of_the_library() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("read");
    let (lib, readme) = (read("src/lib.rs"), read("README.md"));
    let example = lib.split("//! ```\n").nth(1).expect("an example");
    let lines = example.lines().map(|line| line.trim_start_matches("//!").strip_prefix(' ').unwrap_or_default());
    let shown: Vec<&str> = lines.filter(|line| *line != "#" && !line.starts_with("# ")).collect();
    assert!(shown.len() > 20, "{shown:?}");
    let block = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example in Rust");
    assert_eq!(block.lines().collect::<Vec<_>>(), shown, "README.md and src/lib.rs show another example");
}

/// Checks that the library does not need the crates of the command line. (`make lint` checks that it compiles without
/// it.)
#[test]
fn the_library_needs_no_crate_of_the_command_line() {
    let tree = |more: &[&str]| -> BTreeSet<String> {
        let args = ["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--locked", "--offline"];
        let output = Command::new(env!("CARGO")).current_dir(env!("CARGO_MANIFEST_DIR")).args(args).args(more).output();
        let output = output.expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        String::from_utf8_lossy(&output.stdout).lines().map(name).collect()
    };
    let (program, library) = (tree(&[]), tree(&["--no-default-features"]));
    for name in ["clap", "clap_complete", "indicatif", "tracing-subscriber", "axum", "prometheus-client", "rmcp"] {
        assert!(program.contains(name) && !library.contains(name), "{name}: in the program alone");
    }
}

/// The folders and files of `src/`, lowest first, as the code map of ARCHITECTURE.md lists them.
fn layers() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(path).expect("ARCHITECTURE.md");
    let map = text.split("## Code map").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a code map");
    let names = map.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    names.map(|name| name.trim_end_matches('/').to_owned()).collect()
}

/// The first part of every `crate::…` path in the code of a file, with its line number.
fn imports(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<(usize, &str)> = code(text).collect();
    let mut found = Vec::new();
    for (place, (number, line)) in lines.iter().enumerate() {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let word =
                |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || "_#".contains(*c)).collect::<String>();
            if !rest.starts_with('{') {
                found.push((*number, word(rest)));
                continue;
            }
            // a group: the words at its own depth, up to the closing brace
            let (mut depth, mut expects_name) = (0, false);
            'group: for (number, line) in std::iter::once((*number, rest)).chain(lines[place + 1..].iter().copied()) {
                let mut chars = line.char_indices();
                while let Some((at, c)) = chars.next() {
                    match c {
                        '{' => (depth, expects_name) = (depth + 1, depth == 0),
                        '}' if depth == 1 => break 'group,
                        '}' => depth -= 1,
                        ',' => expects_name = depth == 1,
                        c if depth == 1 && expects_name && (c.is_alphanumeric() || c == '_') => {
                            let name = word(&line[at..]);
                            for _ in name.chars().skip(1) {
                                chars.next();
                            }
                            found.push((number, name));
                            expects_name = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn imports_never_go_up() {
    let layers = layers();
    let level = |name: &str| layers.iter().position(|layer| layer == name);
    let (mut broken, mut seen) = (Vec::new(), 0);
    for (path, text) in sources() {
        let parts: Vec<&str> = path.iter().skip(1).filter_map(|part| part.to_str()).collect();
        let own = parts[0].trim_end_matches(".rs");
        if is_tests(&path) || ["lib", "main"].contains(&own) {
            continue;
        }
        let Some(own_level) = level(own) else {
            broken.push(format!("{} is in no layer of ARCHITECTURE.md", path.display()));
            continue;
        };
        for (number, name) in imports(&text).into_iter().filter(|(_, name)| name != own) {
            seen += 1;
            // macros and types at the crate's root belong to no layer
            let goes_up = level(&name).is_none_or(|level| level > own_level);
            if goes_up {
                broken.push(format!("{}:{number} imports crate::{name}, which is above {own}", path.display()));
            }
        }
    }
    assert!(seen > 300, "imports are found: {seen}");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The label of a list in a form that its other spellings share: one case, no spaces, hyphens or plurals.
fn plain(label: &str) -> String {
    let label = label.to_lowercase().replace('\'', "");
    let singular = |word: &str| match word {
        "people" => "person".to_owned(),
        "children" => "child".to_owned(),
        "leaves" => "leaf".to_owned(),
        "knives" => "knife".to_owned(),
        _ if word.len() > 4 && word.ends_with("ies") => format!("{}y", &word[..word.len() - 3]),
        _ if ["ches", "shes", "xes", "sses", "oes"].iter().any(|end| word.ends_with(end)) => {
            word[..word.len() - 2].to_owned()
        }
        _ if word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") => word[..word.len() - 1].to_owned(),
        _ => word.to_owned(),
    };
    label.split(|c: char| !c.is_alphanumeric()).map(singular).collect()
}

#[test]
fn world_labels_are_grouped_and_unique() {
    for (name, least) in [("places", 400), ("things", 1500), ("activities", 600), ("sounds", 300)] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("vocab/world/{name}.txt"));
        let text = fs::read_to_string(file).expect("the list");
        let (mut seen, mut last, mut wrong) = (BTreeSet::new(), String::new(), Vec::new());
        for line in text.lines() {
            if line.is_empty() || line.starts_with('#') {
                last.clear();
                continue;
            }
            if line.trim() != line || !line.chars().all(|c| c.is_ascii_alphanumeric() || " '-".contains(c)) {
                wrong.push(format!("`{line}`: a label has letters, digits, single spaces, hyphens and apostrophes"));
            }
            if name == "activities" && !line.split(' ').any(|word| word.ends_with("ing")) {
                wrong.push(format!("`{line}`: an activity has an -ing form"));
            }
            if !seen.insert(plain(line)) {
                wrong.push(format!("`{line}` is there twice, perhaps in another spelling"));
            }
            if line.to_lowercase() < last {
                wrong.push(format!("`{line}` is out of order in its group"));
            }
            last = line.to_lowercase();
        }
        assert!(wrong.is_empty(), "vocab/world/{name}.txt:\n{}", wrong.join("\n"));
        assert!(seen.len() >= least, "vocab/world/{name}.txt has {} labels, expected at least {least}", seen.len());
    }
}
