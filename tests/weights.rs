//! Weights that are damaged, of a model that reads them at their first use: the run ends with exit code 4 and one line
//! that names the tensor, and `or` does not hide it.

use assert_cmd::Command;
use serde_json::Value as Json;
use std::{fs, path::Path};

/// A copy of a CLIP checkpoint with a number in a tensor of the text tower that is not a number. Gives the tensor.
fn damaged(folder: &Path) -> String {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures/clip-legacy");
    fs::create_dir(folder).expect("made");
    for entry in fs::read_dir(fixture).expect("files") {
        let entry = entry.expect("a file");
        fs::copy(entry.path(), folder.join(entry.file_name())).expect("copied");
    }
    let file = folder.join("model.safetensors");
    let mut bytes = fs::read(&file).expect("weights");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let tensors: Json = serde_json::from_slice(&bytes[8..8 + header]).expect("a header");
    let name = "text_model.encoder.layers.0.mlp.fc1.weight";
    assert_eq!(tensors[name]["dtype"], "F32");
    let at = 8 + header + tensors[name]["data_offsets"][0].as_u64().expect("a place") as usize;
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(file, bytes).expect("written");
    name.to_owned()
}

#[test]
fn a_tower_with_damaged_weights_ends_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let tensor = damaged(&folder.path().join("clip"));
    fs::create_dir(folder.path().join("agents")).expect("made");
    fs::write(folder.path().join("agents/eye.yaml"), "model: { path: ../clip }\n").expect("written");
    let run = |args: &[&str]| {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE", "HOME"] {
            command.env(name, folder.path().join(format!(".{}", name.to_lowercase())));
        }
        let output = command.current_dir(folder.path()).args(args).output().expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let dialogue = |or: &str| {
        let step = format!("a: {{ {or}rank: {{ agent: eye, what: a dog, among: [cat, dog] }} }}");
        format!("version: 1\ndialogue: d\ncast: {{ eye: eye }}\nsteps: {{ {step} }}\nanswer: \"{{{{ a }}}}\"\n")
    };
    for or in ["", "or: [], "] {
        fs::write(folder.path().join("d.yaml"), dialogue(or)).expect("written");
        let (code, err) = run(&["run", "d.yaml", "--trust"]);
        assert_eq!(code, Some(4), "{or}: {err}");
        let lines: Vec<&str> = err.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(matches!(lines[..], [line] if line.contains(&tensor) && line.contains("eye")), "{or}: {err}");
    }
    let (code, err) = run(&["try", "--model", "clip", "--text", "a dog", "--among", "cat,dog"]);
    assert!(code == Some(4) && err.contains(&tensor), "{err}");
}
