//! A plan as boxes: the content of each box, its dependencies, and the boxes inside loops and calls.

use super::{
    super::{Block, DeclaredInput, Plan, PlannedStep},
    DrawOptions,
};
use crate::plan::Inside;
use indexmap::{IndexMap, IndexSet};

/// Maximum number of boxes in a drawing. Calls beyond it are not expanded.
const MAX_SHAPES: usize = 1000;

/// Boxes that depend on each other. `needs` point backwards only, and the last box is the result.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Graph {
    pub shapes: Vec<Shape>,
    /// The ports: one for each outer box that the group around this graph needs, in the same order.
    pub ports: Vec<usize>,
}

/// One box of a drawing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// The lines of text. The first contains the name.
    pub lines: Vec<String>,
    pub kind: ShapeKind,
    /// The boxes that it depends on.
    pub needs: Vec<usize>,
    /// The boxes inside it.
    pub inner: Option<Graph>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ShapeKind {
    Input,
    Step,
    Call,
    /// A loop or an expanded call.
    Group,
    /// The start of a round.
    Round,
    /// The end of a round: the loop ends or starts its next round.
    Until,
    Answer,
    /// A point on the border of a group where an edge enters.
    Port,
}

impl Shape {
    fn new(kind: ShapeKind, lines: Vec<String>, needs: Vec<usize>) -> Shape {
        Shape { lines, kind, needs, inner: None }
    }
}

/// The graph of a plan: inputs first, then steps in plan order, then the answer.
pub(super) fn graph(plan: &Plan, options: DrawOptions) -> Graph {
    let mut builder = Builder { plan, options, room: MAX_SHAPES };
    let mut graph = Graph::default();
    let mut known = builder.inputs(&plan.inputs, &mut graph, &|_| Vec::new());
    builder.steps(&plan.block, &mut graph, &mut known);
    let needs = known_of(&known, plan.answer.names());
    graph.shapes.push(Shape::new(ShapeKind::Answer, vec!["answer".into()], needs));
    graph
}

/// One box of each kind in the graph, with its meaning as text.
pub(super) fn legend(graph: &Graph) -> Vec<Shape> {
    fn kinds(graph: &Graph, found: &mut IndexSet<ShapeKind>) {
        for shape in &graph.shapes {
            found.insert(shape.kind);
            shape.inner.iter().for_each(|inner| kinds(inner, found));
        }
    }
    let mut found = IndexSet::new();
    kinds(graph, &mut found);
    let words = [
        (ShapeKind::Input, "input"),
        (ShapeKind::Step, "step"),
        (ShapeKind::Call, "another dialogue"),
        (ShapeKind::Round, "a round begins"),
        (ShapeKind::Until, "a round ends"),
        (ShapeKind::Answer, "answer"),
    ];
    let shown = words.into_iter().filter(|(kind, _)| found.contains(kind));
    shown.map(|(kind, word)| Shape::new(kind, vec![word.into()], Vec::new())).collect()
}

/// The box of each name.
type Known = IndexMap<String, usize>;

fn known_of<'n>(known: &Known, names: impl IntoIterator<Item = &'n str>) -> Vec<usize> {
    let found: IndexSet<usize> = names.into_iter().filter_map(|name| known.get(name).copied()).collect();
    found.into_iter().collect()
}

struct Builder<'p> {
    plan: &'p Plan,
    options: DrawOptions,
    /// The number of boxes that may still be added.
    room: usize,
}

impl Builder<'_> {
    fn inputs(
        &mut self,
        inputs: &IndexMap<String, DeclaredInput>,
        graph: &mut Graph,
        needs: &dyn Fn(&str) -> Vec<usize>,
    ) -> Known {
        let mut known = Known::new();
        for (name, input) in inputs {
            known.insert(name.clone(), graph.shapes.len());
            let lines = vec![name.clone(), input.ty.to_string()];
            graph.shapes.push(Shape::new(ShapeKind::Input, lines, needs(name)));
        }
        known
    }

    /// Adds the boxes of a block, and their names to `known`.
    fn steps(&mut self, block: &Block, graph: &mut Graph, known: &mut Known) {
        for step in &block.steps {
            self.room = self.room.saturating_sub(1);
            let names = step.needs.iter().map(|need| block.steps[*need].name.as_str());
            let names: Vec<&str> = names.chain(step.uses.iter().map(String::as_str)).collect();
            let needs = known_of(known, names);
            // the names of these boxes, with which boxes inside the step find them
            let wanted: IndexSet<usize> = needs.iter().copied().collect();
            let outside: Vec<(&str, usize)> =
                known.iter().filter(|(_, place)| wanted.contains(*place)).map(|(n, p)| (n.as_str(), *p)).collect();
            let mut shape = self.step(step, &outside);
            if shape.inner.is_none() {
                shape.needs = needs;
            }
            known.insert(step.name.clone(), graph.shapes.len());
            graph.shapes.push(shape);
        }
    }

    /// The box of one step. `outside` lists the names that it may use, with their boxes.
    fn step(&mut self, step: &PlannedStep, outside: &[(&str, usize)]) -> Shape {
        let each = step.each.as_ref().map(|each| format!("each {}", bare(&each.source)));
        let when = step.when.as_ref().map(|when| format!("when {}", bare(&when.source)));
        let more = each.into_iter().chain(when);
        match step.step.inside() {
            Inside::Nothing => self.plain(step, None, more.collect()),
            Inside::Asks(role) => {
                let agent = self.plan.roles.get(&role).map(|played| format!("{role}: {}", played.agent));
                self.plain(step, agent, more.collect())
            }
            Inside::Repeats { block, until } => {
                let lines = vec![format!("{}: loop", step.name)];
                let (mut graph, known) = with_ports(outside);
                self.round(&block, &mut graph, known, vec!["until".into(), until]);
                let lines = lines.into_iter().chain(more).collect();
                Shape { inner: Some(graph), ..Shape::new(ShapeKind::Group, lines, places(outside)) }
            }
            Inside::Calls { name, block, inputs, with, answer } => {
                if !self.options.expand || self.room < block.steps.len() + inputs.len() {
                    let lines = [step.name.clone(), format!("call {name}: {}", step.ty)];
                    return Shape::new(ShapeKind::Call, lines.into_iter().chain(more).collect(), Vec::new());
                }
                let (mut graph, ports) = with_ports(outside);
                let needs = |input: &str| {
                    let names = with.iter().filter(|(to, _)| to == input).flat_map(|(_, names)| names);
                    known_of(&ports, names.map(String::as_str))
                };
                let mut known = self.inputs(&inputs, &mut graph, &needs);
                self.steps(&block, &mut graph, &mut known);
                let needs = known_of(&known, answer.iter().map(String::as_str));
                graph.shapes.push(Shape::new(ShapeKind::Answer, vec![format!("answer of {name}")], needs));
                let lines = vec![format!("{}: call {name}", step.name)];
                let lines = lines.into_iter().chain(more).collect();
                Shape { inner: Some(graph), ..Shape::new(ShapeKind::Group, lines, places(outside)) }
            }
        }
    }

    fn plain(&self, step: &PlannedStep, agent: Option<String>, more: Vec<String>) -> Shape {
        let lines = [step.name.clone(), format!("{}: {}", step.verb, step.ty)].into_iter().chain(agent).chain(more);
        Shape::new(ShapeKind::Step, lines.collect(), Vec::new())
    }

    /// Adds one round of a loop: its start, its steps and its end.
    fn round(&mut self, block: &Block, graph: &mut Graph, mut known: Known, until: Vec<String>) {
        let begin = graph.shapes.len();
        graph.shapes.push(Shape::new(ShapeKind::Round, vec!["round".into()], Vec::new()));
        known.insert("round".into(), begin);
        known.insert("previous".into(), begin);
        self.steps(block, graph, &mut known);
        let mut needed = vec![false; graph.shapes.len()];
        for i in begin + 1..graph.shapes.len() {
            let shape = &mut graph.shapes[i];
            if shape.needs.is_empty() && shape.inner.is_none() {
                shape.needs.push(begin);
            }
            shape.needs.iter().for_each(|need| needed[*need] = true);
        }
        // an outer value that no step of the round uses still has an edge to the start of the round
        let idle: Vec<usize> = graph.ports.iter().copied().filter(|port| !needed[*port]).collect();
        graph.shapes[begin].needs = idle;
        let mut last: Vec<usize> = (begin + 1..graph.shapes.len()).filter(|i| !needed[*i]).collect();
        if last.is_empty() {
            last.push(begin);
        }
        graph.shapes.push(Shape::new(ShapeKind::Until, until, last));
    }
}

/// The outer boxes, each once.
fn places(outside: &[(&str, usize)]) -> Vec<usize> {
    let places: IndexSet<usize> = outside.iter().map(|(_, place)| *place).collect();
    places.into_iter().collect()
}

/// A graph with a port for each outer box.
fn with_ports(outside: &[(&str, usize)]) -> (Graph, Known) {
    let mut graph = Graph::default();
    let places = places(outside);
    for _ in &places {
        graph.ports.push(graph.shapes.len());
        graph.shapes.push(Shape::new(ShapeKind::Port, Vec::new(), Vec::new()));
    }
    let port = |(name, place): &(&str, usize)| {
        ((*name).to_owned(), places.iter().position(|known| known == place).unwrap_or_default())
    };
    let known = outside.iter().map(port).collect();
    (graph, known)
}

/// The expression of a template without its braces, cut to the width of a box.
pub(crate) fn bare(source: &str) -> String {
    let text = source.trim();
    let inner = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}")).unwrap_or(text).trim();
    let short: String = inner.chars().take(32).collect();
    if short.len() < inner.len() { format!("{short}…") } else { short }
}
