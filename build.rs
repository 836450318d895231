//! Lists the files that the binary contains: the repository's agents, prompts, label lists, casts, dialogues and
//! starter weights, of these with their digests. Writes the stems of the thesaurus, which a start would take long to find.

use std::{env, fmt::Write as _, fs, io, path::Path};

#[path = "src/dialogue/resource.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest of the table")]
mod resource;

#[path = "src/prompt/english.rs"]
#[allow(dead_code, unreachable_pub, reason = "the library uses the rest")]
mod english;

/// Words that share a sense, and broader senses.
const THESAURUS: &str = "src/prompt/thesaurus.txt";

/// The starter cast's checkpoints, with all their files.
const WEIGHTS: &str = "agents/starter";

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let mut code = String::from("&[\n");
    // Files of these folders with the right ending are embedded as text.
    for (folder, ending) in resource::Resource::ALL.map(|kind| (kind.folder(), kind.ending())) {
        // A missing folder is named too: cargo then runs this script each time, and notices a new folder.
        // The program brings no schemas, so that this folder would make each build run the script.
        if folder != resource::Resource::Schema.folder() {
            println!("cargo::rerun-if-changed={folder}");
        }
        // Label lists may be in subfolders: a cast's lists are in one folder.
        let mut files = listed(Path::new(&root), folder, folder == resource::Resource::Labels.folder())?;
        files.retain(|file| Path::new(file).extension().is_some_and(|found| found == ending));
        for file in files {
            writeln!(code, "    (\"{file}\", text!(\"{file}\")),").expect("a String takes all");
        }
    }
    code.push_str("]\n");
    let mut weights = String::from("&[\n");
    for file in listed(Path::new(&root), WEIGHTS, true)? {
        let digest = blake3::hash(&fs::read(Path::new(&root).join(&file))?);
        writeln!(weights, "    Carried {{ path: \"{file}\", bytes: weights!(\"{file}\"), digest: \"{digest}\" }},")
            .expect("a String takes all");
    }
    weights.push_str("]\n");
    let stems = thesaurus(&fs::read_to_string(Path::new(&root).join(THESAURUS))?);
    fs::write(Path::new(&out).join("thesaurus.txt"), stems)?;
    println!("cargo::rerun-if-changed={THESAURUS}");
    println!("cargo::rerun-if-changed=src/prompt/english.rs");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={WEIGHTS}");
    fs::write(Path::new(&out).join("embedded.rs"), code)?;
    fs::write(Path::new(&out).join("weights.rs"), weights)
}

/// The files of a folder, relative to `root` and sorted; with `deep`, also those of its subfolders. Empty if it does
/// not exist.
fn listed(root: &Path, folder: &str, deep: bool) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return Ok(found) };
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // Hidden and temporary files are left out.
        if name.starts_with('.') || name.ends_with(".tmp") || name.ends_with(".part") {
            continue;
        }
        let path = format!("{folder}/{name}");
        match entry.file_type()?.is_dir() {
            true if deep => found.extend(listed(root, &path, true)?),
            true => {}
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

/// The lines of the thesaurus with the keys of names in place of names; `prompt/thesaurus` reads them.
fn thesaurus(text: &str) -> String {
    let line = |line: &str| {
        let (broader, names) = line.split_once('\t').unwrap_or(("", line));
        let key = |name: &str| match (broader, name.split_once('~')) {
            ("wording", _) => english::stem(name),
            (_, Some((name, rank))) => format!("{}~{rank}", english::key(name)),
            (_, None) => english::key(name),
        };
        let keys: Vec<String> = names.split(',').filter(|name| !name.is_empty()).map(key).collect();
        format!("{broader}\t{}\n", keys.join(","))
    };
    text.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}
