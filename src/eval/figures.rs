//! The figures of an evaluation: of all cases, of every class, of the worst class, with intervals; as JSON.

use super::{
    answered::CaseAnswer,
    bootstrap::interval,
    case::Case,
    metrics::{Graded, Measure, Part},
};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// One case with what came of it: an answer, or the reason why its run failed.
pub type CaseOutcome<'a> = (&'a Case, Result<&'a CaseAnswer, &'a str>);

/// The settings of the intervals.
#[derive(Debug, Clone, Copy)]
pub struct Resampling {
    /// The number of resamples; 0 gives no intervals.
    pub samples: usize,
    /// Their seed.
    pub seed: u64,
}

/// The figures of a set of cases.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// The number of cases.
    pub n: usize,
    /// Those whose run did not fail.
    pub scored: usize,
    /// The figure of each metric, by its name.
    #[serde(flatten)]
    pub metrics: IndexMap<String, Option<f64>>,
    /// The bounds of each figure.
    pub intervals: IndexMap<String, [f64; 2]>,
    /// The number of answers that each metric counts, where it is not all.
    pub counted: IndexMap<String, usize>,
    /// The share of unanswerable cases in which the dialogue abstained.
    pub refused_unanswerable: Option<f64>,
    /// The share of the other cases in which it did not.
    pub answered_answerable: Option<f64>,
    /// The figures of each class, by its name.
    pub kinds: IndexMap<String, ClassFigures>,
    /// The class with the worst figure of each metric.
    pub worst: IndexMap<String, WorstClass>,
}

/// The figures of a class.
#[derive(Debug, Clone, Serialize)]
pub struct ClassFigures {
    /// The number of its scored cases.
    pub n: usize,
    /// The figure of each metric.
    #[serde(flatten)]
    pub metrics: IndexMap<String, Option<f64>>,
    /// The bounds of each figure.
    pub intervals: IndexMap<String, [f64; 2]>,
}

/// The class with the worst figure.
#[derive(Debug, Clone, Serialize)]
pub struct WorstClass {
    /// Its name.
    pub kind: String,
    /// The figure.
    pub figure: f64,
    /// The number of its scored cases.
    pub n: usize,
}

/// The parts of a metric with its name.
struct Measured<'a> {
    metric: &'a dyn Measure,
    name: String,
    parts: Vec<Option<Part>>,
}

impl Measured<'_> {
    fn of(&self, cases: &[usize]) -> Vec<&Part> {
        cases.iter().filter_map(|at| self.parts[*at].as_ref()).collect()
    }
}

/// The cases with an answer: one whose run failed lacks an answer to score.
fn graded<'a>(outcomes: &[CaseOutcome<'a>]) -> Vec<Graded<'a>> {
    let answered = |(case, outcome): &CaseOutcome<'a>| Some(Graded { case, answered: outcome.as_ref().ok().copied()? });
    outcomes.iter().filter_map(answered).collect()
}

/// The parts of each metric.
fn measured<'a>(graded: &[Graded<'_>], metrics: &'a [Arc<dyn Measure>]) -> Vec<Measured<'a>> {
    let one = |metric: &'a Arc<dyn Measure>| Measured {
        name: metric.name(),
        parts: metric.parts(graded),
        metric: metric.as_ref(),
    };
    metrics.iter().map(one).collect()
}

/// The figures of these outcomes.
pub fn figures(outcomes: &[CaseOutcome<'_>], metrics: &[Arc<dyn Measure>], resampling: Resampling) -> Figures {
    let graded = graded(outcomes);
    let measured = measured(&graded, metrics);
    let all: Vec<usize> = (0..graded.len()).collect();
    let mut classes: IndexMap<&str, Vec<usize>> = IndexMap::new();
    for (at, one) in graded.iter().enumerate() {
        one.case.kinds.iter().for_each(|kind| classes.entry(kind).or_default().push(at));
    }
    classes.sort_unstable_keys();
    let (figures_of_all, intervals) = of(&measured, &all, resampling);
    let counted = measured.iter().filter_map(|one| {
        let counted = one.of(&all).len();
        (counted < all.len()).then(|| (one.name.clone(), counted))
    });
    let kinds: IndexMap<String, ClassFigures> = classes
        .iter()
        .map(|(kind, cases)| {
            let (metrics, intervals) = of(&measured, cases, resampling);
            ((*kind).to_owned(), ClassFigures { n: cases.len(), metrics, intervals })
        })
        .collect();
    let worst = measured.iter().filter_map(|one| Some((one.name.clone(), worst(one, &kinds)?))).collect();
    let share = |unanswerable: bool, test: fn(&CaseAnswer) -> bool| {
        let of: Vec<_> = graded.iter().filter(|one| one.case.is_unanswerable() == unanswerable).collect();
        let hits = of.iter().filter(|one| test(one.answered)).count();
        (!of.is_empty()).then(|| rounded(hits as f64 / of.len() as f64))
    };
    Figures {
        n: outcomes.len(),
        scored: graded.len(),
        metrics: figures_of_all,
        intervals,
        counted: counted.collect(),
        refused_unanswerable: share(true, |answered| answered.abstained),
        answered_answerable: share(false, |answered| !answered.abstained),
        kinds,
        worst,
    }
}

/// The figures of some cases, and their intervals.
type WithIntervals = (IndexMap<String, Option<f64>>, IndexMap<String, [f64; 2]>);

fn of(measured: &[Measured<'_>], cases: &[usize], resampling: Resampling) -> WithIntervals {
    let (mut figures, mut intervals) = (IndexMap::new(), IndexMap::new());
    for one in measured {
        let parts = one.of(cases);
        figures.insert(one.name.clone(), one.metric.total(&parts).map(rounded));
        if let Some(bounds) = interval(one.metric, &parts, resampling.samples, resampling.seed) {
            intervals.insert(one.name.clone(), bounds.map(rounded));
        }
    }
    (figures, intervals)
}

/// The class with the worst figure; of equals, the larger one.
fn worst(one: &Measured<'_>, kinds: &IndexMap<String, ClassFigures>) -> Option<WorstClass> {
    let badness = |figure: f64| if one.metric.lower_is_better() { figure } else { -figure };
    let known = kinds.iter().filter_map(|(kind, class)| {
        let figure = class.metrics.get(&one.name).copied().flatten()?;
        Some(WorstClass { kind: kind.clone(), figure, n: class.n })
    });
    known.max_by(|a, b| badness(a.figure).total_cmp(&badness(b.figure)).then(a.n.cmp(&b.n)))
}

/// A figure with six decimals, so that it can be compared with the reference packages.
fn rounded(figure: f64) -> f64 {
    (figure * 1e6).round() / 1e6
}

impl Figures {
    /// The figures as JSON.
    pub fn json(&self) -> Map<String, Json> {
        match json!(self) {
            Json::Object(map) => map,
            _ => Map::new(),
        }
    }
}

/// The figures of one case: the right answer that fits best, and the figure of each metric.
#[derive(Debug, Clone, Default)]
pub struct CaseScores {
    /// The right answer; of several, the best match by the first metric.
    pub expected: String,
    /// The figure of each metric that says something about the case.
    pub scores: IndexMap<String, f64>,
}

/// The figures of each case. A case whose run failed has none.
pub fn scores(outcomes: &[CaseOutcome<'_>], metrics: &[Arc<dyn Measure>]) -> Vec<CaseScores> {
    let measured = measured(&graded(outcomes), metrics);
    let mut next = 0;
    let one = |(case, outcome): &CaseOutcome<'_>| {
        let expected = case.answers.first().cloned().unwrap_or_default();
        let Ok(answered) = outcome else { return CaseScores { expected, scores: IndexMap::new() } };
        let at = next;
        next += 1;
        let of = |one: &Measured<'_>| Some((one.name.clone(), rounded(one.metric.total(&[one.parts[at].as_ref()?])?)));
        let scores = measured.iter().filter_map(of).collect();
        let expected =
            metrics.first().and_then(|metric| best_match(case, answered, metric.as_ref())).unwrap_or(expected);
        CaseScores { expected, scores }
    };
    outcomes.iter().map(one).collect()
}

/// The right answer that fits best; of equals, the first.
fn best_match(case: &Case, answered: &CaseAnswer, metric: &dyn Measure) -> Option<String> {
    if case.answers.len() < 2 || !case.options.is_empty() || answered.ranking.is_some() {
        return None;
    }
    let alone = |right: &String| Case {
        answers: vec![right.clone()],
        kinds: Vec::new(),
        fields: IndexMap::new(),
        shared: Arc::default(),
        ..case.clone()
    };
    let variants: Vec<Case> = case.answers.iter().map(alone).collect();
    let graded: Vec<Graded<'_>> = variants.iter().map(|case| Graded { case, answered }).collect();
    let badness = |part: &Option<Part>| {
        let figure = part.as_ref().and_then(|part| metric.total(&[part])).unwrap_or(0.0);
        if metric.lower_is_better() { figure } else { -figure }
    };
    let parts: Vec<f64> = metric.parts(&graded).iter().map(badness).collect();
    let best = (0..parts.len()).min_by(|a, b| parts[*a].total_cmp(&parts[*b]))?;
    Some(case.answers[best].clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{metrics::named, text::WordSplit};

    /// A case of a kind, and its answer.
    fn one(kind: &str, right: &str, outcome: Result<(&str, bool), &str>) -> (Case, Result<CaseAnswer, String>) {
        let case = json!({ "kind": kind, "answer": right, "question": "q?" });
        let answered = outcome.map(|(answer, abstained)| {
            serde_json::from_value(json!({ "answer": answer, "abstained": abstained })).expect("an answer")
        });
        (serde_json::from_value(case).expect("a case"), answered.map_err(str::to_owned))
    }

    fn of(cases: &[(Case, Result<CaseAnswer, String>)], names: &[&str]) -> (Figures, Vec<CaseScores>) {
        let outcomes: Vec<CaseOutcome<'_>> =
            cases.iter().map(|(case, answer)| (case, answer.as_ref().map_err(String::as_str))).collect();
        let metrics: Vec<_> = names.iter().flat_map(|name| named(name, WordSplit::Ptb).expect("a metric")).collect();
        (figures(&outcomes, &metrics, Resampling { samples: 200, seed: 1 }), scores(&outcomes, &metrics))
    }

    #[test]
    fn figures_add_up_by_kind() {
        let cases = [
            one("where", "in the kitchen", Ok(("In the kitchen.", false))),
            one("where", "in the garden", Ok(("I don't know.", true))),
            one("unanswerable", "I don't know.", Ok(("The log does not say.", true))),
            one("where", "in the hall", Err("no such video")),
            one("who", "Ada", Ok(("Grace", false))),
        ];
        let (figures, scores) = of(&cases, &["exact_match", "evidence_hit_rate"]);
        let figures = Json::Object(figures.json());
        insta::assert_json_snapshot!(figures, @r#"
        {
          "n": 5,
          "scored": 4,
          "exact_match": 0.5,
          "evidence_hit_rate": null,
          "intervals": {
            "exact_match": [
              0.0,
              1.0
            ]
          },
          "counted": {
            "evidence_hit_rate": 0
          },
          "refused_unanswerable": 1.0,
          "answered_answerable": 0.666667,
          "kinds": {
            "unanswerable": {
              "n": 1,
              "exact_match": 1.0,
              "evidence_hit_rate": null,
              "intervals": {}
            },
            "where": {
              "n": 2,
              "exact_match": 0.5,
              "evidence_hit_rate": null,
              "intervals": {
                "exact_match": [
                  0.0,
                  1.0
                ]
              }
            },
            "who": {
              "n": 1,
              "exact_match": 0.0,
              "evidence_hit_rate": null,
              "intervals": {}
            }
          },
          "worst": {
            "exact_match": {
              "kind": "who",
              "figure": 0.0,
              "n": 1
            }
          }
        }
        "#);
        let scores: Vec<Option<&f64>> = scores.iter().map(|one| one.scores.get("exact_match")).collect();
        assert_eq!(scores, [Some(&1.0), Some(&0.0), Some(&1.0), None, Some(&0.0)]);
    }

    #[test]
    fn the_best_of_several_right_answers_is_named() {
        let check = |metric: &str, answer: &str, expected: &str, score: f64| {
            let case = json!({ "answers": ["In the kitchen.", "Kitchen."] });
            let answered = serde_json::from_value(json!({ "answer": answer })).expect("an answer");
            let (_, scores) = of(&[(serde_json::from_value(case).expect("a case"), Ok(answered))], &[metric]);
            assert_eq!((scores[0].expected.as_str(), scores[0].scores[metric]), (expected, score), "{metric} {answer}");
        };
        check("exact_match", "kitchen", "Kitchen.", 1.0);
        check("exact_match", "in the kitchen", "In the kitchen.", 1.0);
        check("exact_match", "garden", "In the kitchen.", 0.0);
        check("wer", "kitchen", "Kitchen.", 0.0);
    }

    #[test]
    fn the_worst_class_depends_on_the_direction() {
        let cases = [
            one("a", "red blue", Ok(("red blue", false))),
            one("b", "red blue", Ok(("blue", false))),
            one("c", "x", Err("y")),
        ];
        let (figures, _) = of(&cases, &["wer", "exact_match"]);
        let worst = |name: &str| (figures.worst[name].kind.as_str(), figures.worst[name].figure, figures.worst[name].n);
        assert_eq!((worst("wer"), worst("exact_match")), (("b", 0.5, 1), ("b", 0.0, 1)));
    }
}
