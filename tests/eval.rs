//! `elenchus eval` from outside, and its metrics against the reference packages. `tests/parity/make_eval_fixtures.py` wrote
//! the stored values; `ELENCHUS_EVAL_CASES=FILE cargo test --test eval` compares those of another file.

use assert_cmd::Command;
use elenchus::eval::{
    Case, CaseAnswer, Graded, Measure, Ranking,
    metrics::{Part, named},
    text::{WordSplit, tokens, whisper},
};
use serde_json::{Value as Json, json};
use std::{fs, path::Path, sync::Arc};

fn fixture() -> Json {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures/eval.json");
    let path = std::env::var_os("ELENCHUS_EVAL_CASES").map_or(stored, Into::into);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

fn texts(json: &Json) -> Vec<String> {
    json.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn case(answers: &[String]) -> Case {
    serde_json::from_value(json!({ "answers": answers })).expect("a case")
}

fn answer(text: &str) -> CaseAnswer {
    serde_json::from_value(json!({ "answer": text })).expect("an answer")
}

fn metric(name: &str) -> Arc<dyn Measure> {
    named(name, WordSplit::Spaces).expect("a metric").remove(0)
}

/// The figure of all answers, and of each alone.
fn figures(metric: &dyn Measure, cases: &[(Case, CaseAnswer)]) -> (f64, Vec<f64>) {
    let graded: Vec<Graded<'_>> = cases.iter().map(|(case, answered)| Graded { case, answered }).collect();
    let parts: Vec<Part> = metric.parts(&graded).into_iter().map(|part| part.expect("counts")).collect();
    let all: Vec<&Part> = parts.iter().collect();
    (metric.total(&all).expect("a figure"), parts.iter().map(|part| metric.total(&[part]).expect("a figure")).collect())
}

fn near(name: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{name}: {found}, the package has {expected}");
}

#[test]
fn transcripts_are_normalised_as_in_whisper() {
    let fixture = fixture();
    let pairs = fixture["whisper"].as_array().expect("pairs");
    assert!(pairs.len() > 50);
    for pair in pairs.iter().map(texts) {
        assert_eq!(whisper::normalise(&pair[0]), pair[1], "{:?}", pair[0]);
    }
}

#[test]
fn word_error_rate_equals_jiwer() {
    let fixture = fixture();
    let pairs: Vec<Vec<String>> = fixture["wer"]["pairs"].as_array().expect("pairs").iter().map(texts).collect();
    let cases: Vec<_> = pairs.iter().map(|pair| (case(&pair[..1]), answer(&pair[1]))).collect();
    let (all, each) = figures(metric("wer").as_ref(), &cases);
    near("wer", all, fixture["wer"]["wer"].as_f64().expect("a rate"));
    for ((pair, found), expected) in pairs.iter().zip(each).zip(numbers(&fixture["wer"]["each"])) {
        near(&format!("{pair:?}"), found, expected);
    }
}

#[test]
fn caption_metrics_equal_pycocoevalcap() {
    for set in fixture()["captions"].as_array().expect("sets") {
        let cases: Vec<_> = set["cases"]
            .as_array()
            .expect("cases")
            .iter()
            .map(|one| (case(&texts(&one["answers"])), answer(one["answer"].as_str().expect("a text"))))
            .collect();
        let check = |name: &str, whole: &Json, each: &Json| {
            let (found, alone) = figures(metric(name).as_ref(), &cases);
            near(name, found, whole.as_f64().expect("a figure"));
            for ((found, expected), (_, answered)) in alone.into_iter().zip(numbers(each)).zip(&cases) {
                near(&format!("{name} of {:?}", answered.answer), found, expected);
            }
        };
        for n in 0..4 {
            check(&format!("bleu_{}", n + 1), &set["bleu"][n], &set["each_bleu"][n]);
        }
        check("rouge_l", &set["rouge_l"], &set["each_rouge_l"]);
        check("cider_d", &set["cider_d"], &set["each_cider_d"]);
    }
}

#[test]
fn captions_are_split_as_the_treebank_tokenizer_splits_them() {
    let fixture = fixture();
    let pairs: Vec<Vec<String>> = fixture["treebank"].as_array().expect("pairs").iter().map(texts).collect();
    let differs = |pair: &&Vec<String>| tokens(&pair[0], WordSplit::Ptb).join(" ") != pair[1];
    let other: Vec<_> = pairs.iter().filter(differs).collect();
    if std::env::var_os("ELENCHUS_EVAL_CASES").is_some() {
        for pair in &other {
            println!("{}\n  here    {}\n  package {}", pair[0], tokens(&pair[0], WordSplit::Ptb).join(" "), pair[1]);
        }
        println!("{} of {} captions differ", other.len(), pairs.len());
    } else {
        assert!(other.is_empty(), "{other:#?}");
    }
}

#[test]
fn ranks_and_risks_equal_their_formulas() {
    let fixture = fixture();
    let ranks = &fixture["ranks"];
    let ranked = |place: f64| CaseAnswer {
        ranking: Some(Ranking { place: Some(place as usize + 1), of: 1000, best: vec!["x".to_owned()] }),
        ..answer("x")
    };
    let cases: Vec<_> =
        numbers(&ranks["places"]).into_iter().map(|place| (case(&["x".to_owned()]), ranked(place))).collect();
    for name in ["r@1", "r@5", "r@10", "median_rank"] {
        near(name, figures(metric(name).as_ref(), &cases).0, ranks[name].as_f64().expect("a figure"));
    }
    let risks = &fixture["risks"];
    let cases: Vec<_> = numbers(&risks["confidence"])
        .into_iter()
        .zip(numbers(&risks["wrong"]))
        .map(|(sure, wrong)| {
            let text = if wrong == 1.0 { "wrong" } else { "right" };
            (case(&["right".to_owned()]), CaseAnswer { confidence: Some(sure), ..answer(text) })
        })
        .collect();
    near("risk_area", figures(metric("risk_area").as_ref(), &cases).0, risks["risk_area"].as_f64().expect("an area"));
    for limit in ["0.05", "0.1", "0.2"] {
        let name = format!("coverage@{limit}");
        near(&name, figures(metric(&name).as_ref(), &cases).0, risks["coverage"][limit].as_f64().expect("a share"));
    }
}

/// A project with scripted agents, and a benchmark of two questions and two videos (a third one is missing).
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temp");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    // the script answers in order, so that a question that is asked again gets another answer
    write("agents/one.yaml", "about: Answers once.\nscript: [B]\n");
    write("agents/teller.yaml", "about: Tells.\nscript: { '': D }\n");
    let dialogue = |name: &str, inputs: &str, agent: &str| {
        format!(
            "version: 1\ndialogue: {name}\ninputs: {{ {inputs} }}\ncast: {{ mind: {agent} }}\nsteps:\n  a: {{ say: {{ agent: mind, \
             text: \"{{{{ question }}}} {{{{ video }}}}\" }} }}\nanswer: \"{{{{ a }}}}\"\n"
        )
    };
    let inputs = "video: video, question: text";
    write("one.yaml", &dialogue("one", inputs, "one"));
    write(
        "mc.yaml",
        &dialogue("mc", &format!("{inputs}, choices: list of text"), "teller")
            .replace("video }}", "video }} {{ choices }}"),
    );
    write("other.yaml", &dialogue("other", inputs, "teller"));
    let question = |id: &str| json!({ "q_uid": id, "question": "Why?", "option 0": "a", "option 1": "b", "option 2": "c", "option 3": "d", "option 4": "e" });
    write("es/questions.json", &json!([question("q1"), question("q2"), question("q3")]).to_string());
    write("es/subset_answers.json", r#"{"q1": 1, "q2": 3, "q3": 0}"#);
    let blank = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/eval/blank.mp4");
    for video in ["q1", "q2"] {
        fs::create_dir_all(folder.path().join("es/videos")).expect("made");
        fs::copy(&blank, folder.path().join(format!("es/videos/{video}.mp4"))).expect("copied");
    }
    folder
}

/// Runs the program in a folder: its output and its notes.
fn run(folder: &Path, args: &[&str], code: i32) -> (String, String) {
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    for name in ["ELENCHUS_HOME", "ELENCHUS_DATA", "ELENCHUS_CACHE", "HOME"] {
        command.env(name, folder.join(format!(".{}", name.to_lowercase())));
    }
    let output = command.current_dir(folder).args(args).output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    (out, err)
}

#[test]
fn a_benchmark_is_reported_with_all_that_its_figures_depend_on() {
    let project = project();
    let args = ["eval", "mc.yaml", "--data", "egoschema:es", "--json", "--blind", "--report", "report.md"];
    let (out, err) = run(project.path(), &args, 0);
    let figures: Json = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&figures["n"], &figures["choice"], &figures["blind"]["choice"]), (&json!(2), &json!(0.5), &json!(0.5)));
    assert_eq!(figures["answer_lm"], json!({ "role": "mind", "agent": "teller", "model": "script" }));
    let missing = "1 of 3 videos are missing in es (q3.mp4); 1 case is left out";
    let data = json!([{ "data": "egoschema:es", "cases": 2, "split": "subset", "task": "choice", "missing": missing }]);
    assert_eq!(figures["data"], data);
    assert!(err.contains(&format!("warning: {missing}")), "{err}");
    assert_eq!(figures["intervals"]["choice"], json!([0.0, 1.0]));
    let report = fs::read_to_string(project.path().join("report.md")).expect("written");
    for line in [
        "- Answer LM: teller (role `mind`), script",
        "- Data: `egoschema:es`: 2 cases, split subset, task choice",
        "| choice | 0.5000 | 0.0000 to 1.0000 | 2 | 0.5000 |",
        "- Cases: 2, scored 2, failed 0",
    ] {
        assert!(report.lines().any(|one| one == line), "{line}\n{report}");
    }
}

#[test]
fn a_stopped_evaluation_repeats_nothing() {
    let project = project();
    // the scripted agent has one reply; without the file of results the second start would need two
    let details = ["eval", "one.yaml", "--data", "egoschema:es", "--no-memo", "--details", "d.jsonl", "--json"];
    run(project.path(), &[&details[..], &["--limit", "1"]].concat(), 0);
    let (out, err) = run(project.path(), &details, 0);
    assert!(err.contains("1 of the answers are known from an earlier start"), "{err}");
    let figures: Json = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&figures["n"], &figures["scored"], &figures["choice"]), (&json!(2), &json!(2), &json!(0.5)));
    let lines = fs::read_to_string(project.path().join("d.jsonl")).expect("written");
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> =
        lines.iter().map(|line| (line["id"].as_str(), line["answer"].as_str(), line["score"].as_f64())).collect();
    assert_eq!(told, [(Some("q1"), Some("B"), Some(1.0)), (Some("q2"), Some("B"), Some(0.0))]);
    // scored again, by another metric
    let again = ["eval", "--answers", "d.jsonl", "--data", "egoschema:es", "--metric", "choice,risk_area", "--json"];
    let figures: Json = serde_json::from_str(&run(project.path(), &again, 0).0).expect("JSON");
    assert_eq!((&figures["choice"], &figures["risk_area"]), (&json!(0.5), &json!(0.5)));
    let (_, refused) =
        run(project.path(), &["eval", "other.yaml", "--data", "egoschema:es", "--details", "d.jsonl"], 2);
    assert!(refused.contains("d.jsonl:1: this answer is of another dialogue, cast, model or seed"), "{refused}");
}

#[test]
fn retrieval_ranks_the_candidates_of_the_data() {
    let folder = tempfile::tempdir().expect("temp");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    fs::create_dir_all(folder.path().join("vtt/videos")).expect("made");
    let blank = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/eval/blank.mp4");
    for video in ["video1", "video2"] {
        fs::copy(&blank, folder.path().join(format!("vtt/videos/{video}.mp4"))).expect("copied");
    }
    write(
        "vtt/MSRVTT_JSFUSION_test.csv",
        "key,vid_key,video_id,sentence\nret0,msr1,video1,a man sings\nret1,msr2,video2,a dog runs\n",
    );
    let dialogue = |name: &str, inputs: &str, of: &str, field: &str| {
        let steps = format!(
            "steps:\n  a: {{ each: \"{{{{ {of} }}}}\", compute: {{ {field}: \"{{{{ item }}}}\", score: \"{{{{ 1 / (index + 1) }}}}\" }} }}\n"
        );
        write(
            &format!("{name}.yaml"),
            &format!("version: 1\ndialogue: {name}\ninputs: {{ {inputs} }}\n{steps}answer: \"{{{{ a }}}}\"\n"),
        );
    };
    dialogue("v2t", "video: video, captions: list of text", "captions", "text");
    dialogue("t2v", "text: text, videos: list of video", "videos", "video");
    for (dialogue, task) in [("v2t", "video_to_text"), ("t2v", "text_to_video")] {
        let args =
            ["eval", &format!("{dialogue}.yaml"), "--data", "msrvtt:vtt", "--split", "1k-A", "--json", "--blind"];
        let figures: Json = serde_json::from_str(&run(folder.path(), &args, 0).0).expect("JSON");
        // the candidates stay in their order: right at the first place, then at the second
        assert_eq!(
            (&figures["r@1"], &figures["r@5"], &figures["median_rank"]),
            (&json!(0.5), &json!(1.0), &json!(1.5))
        );
        assert_eq!((&figures["data"][0]["task"], &figures["data"][0]["captions_per_video"]), (&json!(task), &json!(1)));
        assert_eq!(figures["blind"].is_null(), dialogue == "t2v", "{figures}");
    }
    let (_, refused) = run(
        folder.path(),
        &["eval", "t2v.yaml", "--data", "msrvtt:vtt", "--split", "1k-A", "--task", "video_to_text"],
        2,
    );
    assert!(refused.contains("msrvtt:vtt gives video, captions, but t2v needs `text` too"), "{refused}");
}
