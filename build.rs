//! Lists the files that the binary contains: the repository's agents, prompts, label lists, casts, dialogues and
//! starter weights, of these with their digests. Writes the thesaurus in a form that needs no reading at a start.

use std::{collections::BTreeMap, env, fmt::Write as _, fs, io, path::Path};

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
    thesaurus(&fs::read_to_string(Path::new(&root).join(THESAURUS))?, Path::new(&out))?;
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

/// Writes the thesaurus as `prompt/thesaurus` reads it: `senses.txt`, sorted lines of a key and the senses that it has, each with
/// its rank; `lists.txt`, the lines of labels and of wording; `depths.rs`, the distance of each sense from its root, to which 128 is
/// added for the sense of a verb; `broader.rs`, the broader senses of all; and `starts.rs`, where those of each sense begin.
fn thesaurus(text: &str, out: &Path) -> io::Result<()> {
    let (mut senses, mut lists) = (BTreeMap::<String, String>::new(), String::new());
    let (mut depths, mut broader, mut starts) = (Vec::<u8>::new(), Vec::<u16>::new(), vec![0u16]);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (above, names) = line.split_once('\t').unwrap_or(("", line));
        let names = names.split(',').filter(|name| !name.is_empty());
        if let "apart" | "wording" = above {
            let key = if above == "apart" { english::key } else { english::stem };
            lists.push_str(&format!("{above}\t{}\n", names.map(key).collect::<Vec<_>>().join(",")));
            continue;
        }
        let place = depths.len();
        let above: Vec<u16> = above.split(' ').filter_map(|number| number.parse().ok()).collect();
        let depth = above.iter().map(|above| (depths[usize::from(*above)] & 127) + 1).min().unwrap_or(0);
        // the first root is that of all nouns
        let is_act = above.first().map_or(place > 0, |above| depths[usize::from(*above)] > 127);
        depths.push(depth + if is_act { 128 } else { 0 });
        broader.extend(above);
        starts.push(u16::try_from(broader.len()).expect("fewer than 65,536 broader senses"));
        for name in names {
            let (name, rank) = name.split_once('~').unwrap_or((name, "0"));
            write!(senses.entry(english::key(name)).or_default(), " {place}~{rank}").expect("a String takes all");
        }
    }
    let lines: String = senses.iter().map(|(key, senses)| format!("{key}\t{}\n", senses.trim_start())).collect();
    fs::write(out.join("senses.txt"), lines)?;
    fs::write(out.join("lists.txt"), lists)?;
    fs::write(out.join("depths.rs"), format!("&{depths:?}"))?;
    fs::write(out.join("broader.rs"), format!("&{broader:?}"))?;
    fs::write(out.join("starts.rs"), format!("&{starts:?}"))
}
