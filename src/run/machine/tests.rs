//! Tests of the machine: order, limits, failures and conditions, in any order of replies.

use super::*;
use crate::{
    exchange::{Decoding, Finish, Message, Request, SayReply, SayRequest},
    plan::{Answered, Ask, Step, StepError, Turn},
    plan::{Block, Formula, PlannedStep},
    value::Type,
};
use indexmap::IndexMap;
use proptest::prelude::*;

/// A step that asks `say` with a template once for each sample. Its value is the text, or the list of texts.
#[derive(Debug)]
struct Say(Template, u32);

impl Step for Say {
    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        let text = |reply: &Reply| match reply {
            Reply::Say(SayReply { text, .. }) => Value::Text(text.clone()),
            _ => Value::Nothing,
        };
        match answered {
            [] => {
                let request = say(&self.0.text(scope)?);
                let ask = |sample| Ask { role: "mind".into(), request: request.clone(), sample };
                Ok(Turn::Ask((0..self.1).map(ask).collect()))
            }
            [Answered::Replies(replies)] if self.1 == 1 => Ok(Turn::Done(text(&replies[0]))),
            [Answered::Replies(replies), ..] => Ok(Turn::Done(Value::List(replies.iter().map(text).collect()))),
            _ => Err(StepError("found an unexpected reply".into())),
        }
    }
}

/// A step that runs its block a number of times.
#[derive(Debug)]
struct Loop(Arc<Block>, usize);

impl Step for Loop {
    fn turn(&self, scope: &Scope, answered: &[Answered]) -> Result<Turn, StepError> {
        if answered.len() < self.1 {
            let scope = scope.with("round", Value::Number(answered.len() as f64 + 1.0));
            return Ok(Turn::Inner { block: self.0.clone(), scope });
        }
        let values = answered.iter().map(|answered| match answered {
            Answered::Inner(values) => Value::Record(values.clone()),
            Answered::Replies(_) => Value::Nothing,
        });
        Ok(Turn::Noted { value: Value::List(values.collect()), note: "stopped: max_rounds".into() })
    }
}

fn say(prompt: &str) -> Request {
    let decoding = Decoding { temperature: Some(0.0), ..Decoding::default() };
    Request::Say(SayRequest { decoding, ..SayRequest::new(vec![Message::new("user", prompt)]) })
}

fn template(source: &str) -> Template {
    Template::parse(source).expect("a template")
}

fn step(name: &str, verb: &'static str, step: impl Step + 'static, needs: &[usize]) -> PlannedStep {
    PlannedStep {
        name: name.into(),
        verb,
        step: Arc::new(step),
        needs: needs.to_vec(),
        uses: Vec::new(),
        lacks: None,
        when: None,
        each: None,
        at_once: 2,
        timeout: None,
        retries: None,
        or: None,
        ty: Type::Any,
    }
}

fn saying(name: &str, prompt: &str, needs: &[usize]) -> PlannedStep {
    step(name, "say", Say(template(prompt), 1), needs)
}

fn plan(steps: Vec<PlannedStep>, answer: &str) -> Plan {
    Plan {
        name: "test".into(),
        about: None,
        warnings: Vec::new(),
        notes: Vec::new(),
        sources: IndexMap::new(),
        inputs: IndexMap::new(),
        roles: IndexMap::new(),
        cast: IndexMap::new(),
        block: Arc::new(Block { steps }),
        answer: template(answer),
    }
}

/// Two independent lists, samples, a loop with an `each` inside, and a step that needs them all.
fn rich() -> Plan {
    let inner = Block {
        steps: vec![
            PlannedStep { each: Some(template("{{ ['x', 'y'] }}")), ..saying("draft", "{{ round }} {{ item }}", &[]) },
            saying("pick", "pick {{ draft }}", &[0]),
        ],
    };
    let list = |name, at_once: usize| PlannedStep {
        each: Some(template("{{ ['a', 'b', 'c', 'd', 'e'] }}")),
        at_once,
        ..saying(name, "{{ item }}{{ index }}", &[])
    };
    plan(
        vec![
            list("first", 2),
            list("second", 3),
            step("samples", "say", Say(template("sample"), 3), &[]),
            step("refine", "loop", Loop(Arc::new(inner), 2), &[2]),
            saying("end", "{{ first }} {{ second }} {{ refine }}", &[0, 1, 3]),
        ],
        "{{ end }}",
    )
}

/// Echoes a request, or its seed if it is a sample. Fails on the prompts in `failing`.
fn answer(exchange: &DueExchange, failing: &[&str]) -> Result<Reply, Fault> {
    let Request::Say(SayRequest { messages, .. }) = &exchange.request else { panic!("only say is asked") };
    let prompt = &messages[0].content;
    if failing.contains(&prompt.as_str()) {
        return Err(Fault::failed("no"));
    }
    let text = if prompt == "sample" { format!("{}", exchange.seed) } else { format!("<{prompt}>") };
    Ok(Reply::Say(SayReply::new(text, Finish::Stop)))
}

fn no_inputs(plan: &Plan) -> Inputs {
    plan.bind(IndexMap::new()).expect("the plan takes no inputs")
}

/// Runs a plan; `choose` selects the next reply. Gives the transcript's lines in plan order, and the end.
fn run_plan(plan: &Plan, failing: &[&str], mut choose: impl FnMut(usize) -> usize) -> (Vec<String>, Ended) {
    let mut machine = Machine::new(plan, &no_inputs(plan), 7).with_digests();
    let mut lines: Vec<(PlanOrder, String)> = Vec::new();
    let mut waiting: Vec<DueExchange> = Vec::new();
    while machine.finished().is_none() {
        waiting.extend(machine.due());
        let exchange = waiting.swap_remove(choose(waiting.len()) % waiting.len());
        let reply = answer(&exchange, failing);
        lines.push((exchange.order.clone(), format!("{} {} {:?}", exchange.path, exchange.seed, reply)));
        machine.take(exchange.id, reply);
    }
    for note in machine.notes() {
        if let StepEvent::Settled(line) = note {
            lines.push((line.order.clone(), serde_json::to_string(&line).expect("a line")));
        }
    }
    lines.sort();
    (lines.into_iter().map(|(_, line)| line).collect(), machine.into_ended().expect("an end"))
}

#[test]
fn a_run_in_plan_order() {
    let (lines, _) = run_plan(&rich(), &[], |_| 0);
    let paths: Vec<&str> = lines.iter().map(|line| line.split(" 1").next().unwrap_or(line)).collect();
    assert_eq!(lines.len(), 5 + 1 + 5 + 1 + 3 + 1 + 2 * (3 + 2) + 1 + 1 + 1, "{paths:#?}");
    let at = |text: &str| lines.iter().position(|line| line.starts_with(text)).unwrap_or_else(|| panic!("{text}"));
    let order = [
        "first[0]",
        "first[4]",
        "{\"step\":\"first\"",
        "second[0]",
        "samples #1",
        "samples #3",
        "refine round 1 / draft[0]",
        "refine round 1 / draft[1]",
        "{\"step\":\"refine round 1 / draft\"",
        "refine round 1 / pick",
        "refine round 2 / draft[0]",
        "{\"step\":\"refine\"",
        "end",
    ];
    let places: Vec<usize> = order.iter().map(|text| at(text)).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(lines[at("{\"step\":\"refine\"")].contains("stopped: max_rounds"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_order_of_replies_gives_the_same_transcript(picks in proptest::collection::vec(0usize..1000, 64)) {
        let failing = ["b1", "1 y"];
        let mut picks = picks.into_iter().cycle();
        let shuffled = run_plan(&rich(), &failing, |_| picks.next().unwrap_or_default());
        prop_assert_eq!(shuffled, run_plan(&rich(), &failing, |_| 0));
    }
}

#[test]
fn at_once_limits_open_items() {
    let steps =
        vec![PlannedStep { each: Some(template("{{ range(9) }}")), at_once: 4, ..saying("many", "{{ item }}", &[]) }];
    let plan = plan(steps, "{{ many }}");
    let mut machine = Machine::new(&plan, &no_inputs(&plan), 0);
    let first = machine.due();
    assert_eq!(first.len(), 4);
    assert!(machine.due().is_empty());
    machine.take(first[2].id, answer(&first[2], &[]));
    machine.take(first[2].id, answer(&first[2], &[]));
    assert_eq!(machine.due().into_iter().map(|e| e.path).collect::<Vec<_>>(), ["many[4]"]);
}

#[test]
fn a_failed_item_is_named_and_the_others_continue() {
    let items = PlannedStep { each: Some(template("{{ ['a', 'b', 'c'] }}")), ..saying("item", "{{ item }}", &[]) };
    let steps = vec![items.clone(), saying("after", "{{ item }}", &[0]), saying("apart", "apart", &[])];
    let (lines, ended) = run_plan(&plan(steps, "{{ after }}{{ apart }}"), &["b"], |_| 0);
    let settled: Vec<&String> =
        lines.iter().filter(|line| line.contains("\"step\":") && !line.contains("value")).collect();
    assert_eq!(
        settled,
        [
            r#"{"step":"item","verb":"say","failures":[{"item":1,"why":"no (for `b`)"}]}"#,
            r#"{"step":"after","verb":"say","not_started":true}"#,
        ]
    );
    assert!(lines.iter().any(|line| line.starts_with("apart ")), "unrelated steps finish: {lines:?}");
    let failures = ended.expect_err("a failure");
    assert_eq!((failures[0].path.as_str(), failures[0].fault.message.as_str()), ("item[1]", "no (for `b`)"));

    let steps = vec![PlannedStep { or: Some(Formula::fixed(Value::Text("?".into()))), ..items }];
    let (lines, ended) = run_plan(&plan(steps, "{{ item | join }}"), &["b"], |_| 0);
    assert_eq!(ended, Ok(Value::Text("<a>?<c>".into())));
    assert!(
        lines.last().expect("a step line").contains(r#""fallbacks":[{"item":1,"why":"no (for `b`)"}]"#),
        "{lines:?}"
    );
}

#[test]
fn when_skips_a_step_or_an_item() {
    let check = |when: &str, each: Option<&str>, or: Option<Value>, expected: &str, skipped: bool| {
        let one = PlannedStep {
            when: Some(template(when)),
            each: each.map(template),
            or: or.map(Formula::fixed),
            ..saying("one", "hello", &[])
        };
        let (lines, ended) = run_plan(&plan(vec![one], "{{ one }}"), &[], |_| 0);
        assert_eq!(ended.map(|value| crate::value::json::to_json(&value).to_string()), Ok(expected.into()), "{when}");
        assert_eq!(lines.last().is_some_and(|line| line.contains("\"skipped\":true")), skipped, "{when}");
    };
    check("{{ 1 == 1 }}", None, None, "\"<hello>\"", false);
    check("{{ 1 == 2 }}", None, None, "null", true);
    check("{{ false }}", None, Some(Value::Text("x".into())), "\"x\"", true);
    check("{{ item > 1 }}", Some("{{ [1, 2] }}"), None, "[null,\"<hello>\"]", false);
    check("{{ true }}", Some("{{ [] }}"), None, "[]", false);
}

#[test]
fn an_inner_failure_keeps_its_path() {
    let inner = Block { steps: vec![saying("draft", "{{ round }}", &[])] };
    let steps = vec![step("refine", "loop", Loop(Arc::new(inner), 3), &[])];
    let failures = run_plan(&plan(steps, "{{ refine }}"), &["2"], |_| 0).1.expect_err("a failure");
    assert_eq!(failures[0].path, "refine round 2 / draft");
}
