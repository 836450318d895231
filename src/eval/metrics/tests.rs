//! Tests of the metrics without a reference package. `tests/eval.rs` compares the others.

use super::*;
use crate::eval::case::{Choice, Worth};
use serde_json::{Value as Json, json};

fn case(json: Json) -> Case {
    serde_json::from_value(json).expect("a case")
}

fn answer(json: Json) -> CaseAnswer {
    serde_json::from_value(json).expect("an answer")
}

/// Compares the figure of all answers.
fn check(name: &str, given: &[(Json, Json)], expected: Option<f64>) {
    let given: Vec<(Case, CaseAnswer)> = given.iter().map(|(c, a)| (case(c.clone()), answer(a.clone()))).collect();
    let graded: Vec<Graded<'_>> = given.iter().map(|(case, answered)| Graded { case, answered }).collect();
    let metric = named(name, WordSplit::Ptb).expect("a metric").remove(0);
    let parts: Vec<Part> = metric.parts(&graded).into_iter().flatten().collect();
    let found = metric.total(&parts.iter().collect::<Vec<_>>());
    let same = found.zip(expected).map_or(found == expected, |(found, expected)| (found - expected).abs() < 1e-9);
    assert!(same, "{name} {given:?}: {found:?}, expected {expected:?}");
}

#[test]
fn every_listed_metric_can_be_named() {
    let mut seen = Vec::new();
    for listed in &METRICS {
        let name = listed.name.split(' ').next().expect("a name").replace('K', "3").replace('R', "0.3");
        let metrics = named(&name, WordSplit::Ptb).unwrap_or_else(|e| panic!("{e}"));
        assert!(!metrics.is_empty() && !listed.about.is_empty(), "{name}");
        seen.extend(metrics.iter().map(|metric| metric.name()).filter(|made| *made == name));
    }
    assert!(seen.len() >= 17, "{seen:?}");
    for wrong in ["", "bleu_5", "r@0", "r@", "coverage@1", "coverage@x", "exact-match"] {
        assert!(named(wrong, WordSplit::Ptb).is_err(), "{wrong}");
    }
}

#[test]
fn answers_match_as_their_metrics_say() {
    let one = |name: &str, said: &str, right: &str, expected: f64| {
        check(name, &[(json!({ "answer": right }), json!({ "answer": said }))], Some(expected));
    };
    one("exact_match", "in kitchen", "In the kitchen.", 1.0);
    one("exact_match", "In the garden.", "In the kitchen.", 0.0);
    one("exact_match", "", "In the kitchen.", 0.0);
    one("exact_match", "I don’t know", "I don't know.", 1.0);
    one("contains", "You left them in the kitchen, I think.", "In the kitchen", 1.0);
    one("contains", "kitchenette", "kitchen", 0.0);
    one("accuracy", " Yes. ", "Yes.", 1.0);
    one("accuracy", "yes", "Yes.", 0.0);
    one("wer", "we need milk", "We need milk.", 0.0);
    one("wer", "we knead some milk", "we need milk", 2.0 / 3.0);
    one("wer", "", "we need milk", 1.0);
    one("wer", "hello there", "", 2.0);
    one("wer", "it is 25 past 8", "It's twenty-five past eight.", 0.0);
    check("wer", &[(json!({ "answer": "" }), json!({ "answer": "" }))], None);
    let abstained = json!({ "answer": "The log does not say.", "abstained": true });
    check("exact_match", &[(json!({ "answer": "I don't know.", "kind": "unanswerable" }), abstained)], Some(1.0));
    check("exact_match", &[(json!({ "answers": ["In the hall", "hall"] }), json!({ "answer": "Hall." }))], Some(1.0));
}

#[test]
fn word_errors_are_summed_before_they_are_divided() {
    let said = |right: &str, heard: &str| (json!({ "answer": right }), json!({ "answer": heard }));
    let long = "a b c d e f g h";
    // one error in two words and none in eight is one in ten, not the mean of 0.5 and 0
    check("wer", &[said("good night", "night"), said(long, long)], Some(0.1));
    // a word that is heard in silence is an error too, and adds no reference word
    check("wer", &[said("good night", "night"), said(long, long), said("", "hello there")], Some(0.3));
}

#[test]
fn counts_are_too_high_or_too_low() {
    let count = |right: &str, said: &str| {
        (json!({ "answer": right, "question": "How many times did I wash?" }), json!({ "answer": said }))
    };
    let four =
        [count("Twice.", "3"), count("Two times.", "two"), count("5", "once"), count("3", "I washed four times.")];
    check("over_count", &four, Some(0.5));
    check("under_count", &four, Some(0.25));
    // no number, an abstention, and a question that is no count say nothing
    let other = (json!({ "answer": "At 8", "question": "When?" }), json!({ "answer": "At 9" }));
    let none =
        (json!({ "answer": "2", "question": "How often?" }), json!({ "answer": "I don't know.", "abstained": true }));
    check("over_count", &[other, none, count("two", "often")], None);
    check(
        "over_count",
        &[(json!({ "answer": "none", "kind": "count" }), json!({ "answer": "One person." }))],
        Some(1.0),
    );
}

#[test]
fn evidence_must_overlap_in_the_same_medium() {
    let hit = |moments: Json, evidence: Json| {
        (json!({ "answer": "x", "moments": moments }), json!({ "answer": "x", "evidence": evidence }))
    };
    let one = |moments: Json, evidence: Json, expected: f64| {
        check("evidence_hit_rate", &[hit(moments, evidence)], Some(expected));
    };
    one(json!([{ "start": 5, "end": 9 }]), json!([{ "start": 8, "end": 12 }]), 1.0);
    one(json!([{ "start": 5, "end": 9 }]), json!([{ "start": 9, "end": 12 }]), 0.0);
    one(json!([{ "start": 5, "end": 9 }]), json!([]), 0.0);
    // a point inside, or at the border
    one(json!([{ "start": 9, "end": 9 }]), json!([{ "start": 9, "end": 12 }]), 1.0);
    let in_video = |video: &str| json!([{ "video": video, "start": 1, "end": 2 }]);
    one(in_video("days/a.mp4"), in_video("a.mp4"), 1.0);
    one(in_video("b.mp4"), in_video("a.mp4"), 0.0);
    // without known moments it says nothing
    check("evidence_hit_rate", &[hit(json!([]), json!([{ "start": 8, "end": 12 }]))], None);
}

#[test]
fn equals_are_taken_in_every_order() {
    let sure =
        |confidence: f64, said: &str| (json!({ "answer": "x" }), json!({ "answer": said, "confidence": confidence }));
    // one right and one wrong answer that are equally sure: the risk is a half after each
    check("risk_area", &[sure(0.5, "x"), sure(0.5, "y")], Some(0.5));
    check("risk_area", &[sure(0.9, "x"), sure(0.5, "y")], Some(0.25));
    check("coverage@0.2", &[sure(0.9, "x"), sure(0.5, "y")], Some(0.5));
    check("coverage@0.2", &[sure(0.1, "x"), sure(0.5, "y")], Some(0.0));
    // an abstention is never taken
    let abstained =
        (json!({ "answer": "x" }), json!({ "answer": "I don't know.", "abstained": true, "confidence": 1 }));
    check("coverage@0.2", &[sure(0.1, "x"), abstained.clone()], Some(0.5));
    check("risk_area", &[abstained], None);
}

#[test]
fn options_are_worth_their_order() {
    let option = |text: &str, worth, abstains| Choice { text: text.to_owned(), worth, abstains };
    let mut case = case(json!({ "answer": "right", "question": "?" }));
    case.options = vec![
        option("vague", Worth::Vague, false),
        option("right", Worth::Right, false),
        option("wrong", Worth::Wrong, false),
        option("cannot", Worth::Unanswerable, true),
    ];
    let said = |text: &str| answer(json!({ "answer": text, "abstained": text == "D" }));
    let worth =
        |text: &str| Ordered.parts(&[Graded { case: &case, answered: &said(text) }])[0].clone().expect("counts")[0];
    let found = ["B", "A", "C", "D", "nonsense"].map(worth);
    assert_eq!(found, [1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]);
    let right = |text: &str| RightChoice.parts(&[Graded { case: &case, answered: &said(text) }])[0].clone();
    assert_eq!((right("right"), right("vague")), (Some(vec![1.0]), Some(vec![0.0])));
}

#[test]
fn answerability_has_an_f1() {
    let one = |unanswerable: bool, abstains: bool| {
        let kind = if unanswerable { "unanswerable" } else { "where" };
        (json!({ "answer": "x", "kind": kind }), json!({ "answer": "x", "abstained": abstains }))
    };
    // two hits, one answered wrongly, one refused wrongly: 2·2 / (2·2 + 2)
    check(
        "ans_f1",
        &[one(false, false), one(false, false), one(true, false), one(false, true), one(true, true)],
        Some(2.0 / 3.0),
    );
    check("ans_f1", &[one(true, true)], None);
}

#[test]
fn a_candidate_that_is_not_ranked_is_the_last() {
    let ranked = |place: Json| {
        let ranking = json!({ "place": place, "of": 7, "best": ["a"] });
        (json!({ "answer": "x" }), json!({ "answer": "a", "ranking": ranking }))
    };
    let three = [ranked(json!(1)), ranked(Json::Null), ranked(json!(3))];
    check("median_rank", &three, Some(3.0));
    check("median_rank", &three[..2], Some(4.0));
    check("r@3", &three, Some(2.0 / 3.0));
    check("r@10", &three, Some(2.0 / 3.0));
    check("mrr", &three, Some((1.0 + 1.0 / 3.0) / 3.0));
    check("r@1", &[(json!({ "answer": "x" }), json!({ "answer": "x" }))], None);
}
