//! Drawings of a plan in Mermaid, Graphviz and SVG. A drawing shows inputs, steps with their agents, loops with their
//! inner steps, calls and the answer.

mod layout;
mod shapes;
mod svg;

pub(crate) use shapes::bare;
pub use svg::svg;

use super::Plan;
use shapes::{Graph, ShapeKind};
use std::fmt::Write;

/// Options of a drawing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DrawOptions {
    /// Draws the steps of called dialogues too, not only their names.
    pub expand: bool,
}

/// Replaces special characters of XML, Mermaid and HTML labels by character references.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A graph as lines in one format, one for each box, and its edges between the ids of boxes.
struct Flat {
    lines: Vec<String>,
    edges: Vec<(String, String)>,
    /// Edges from a loop's end back to its beginning.
    back: Vec<(String, String)>,
}

/// The syntax of one format for boxes and groups.
struct Writer<'a> {
    shape: &'a dyn Fn(&str, &shapes::Shape) -> String,
    open: &'a dyn Fn(&str, &shapes::Shape) -> String,
    close: &'a str,
}

impl Flat {
    fn of(graph: &Graph, writer: &Writer<'_>) -> Flat {
        let mut flat = Flat { lines: Vec::new(), edges: Vec::new(), back: Vec::new() };
        flat.add(graph, "n", 1, &[], writer);
        flat
    }

    /// Adds a graph, and returns the id of its last box. `outside` lists the ids of outer boxes for each port.
    fn add(
        &mut self,
        graph: &Graph,
        prefix: &str,
        depth: usize,
        outside: &[Vec<String>],
        writer: &Writer<'_>,
    ) -> String {
        // the ids of the boxes where an edge from each shape starts
        let mut ids: Vec<Vec<String>> = Vec::new();
        let mut round = None;
        for (i, shape) in graph.shapes.iter().enumerate() {
            let id = format!("{prefix}{i}");
            let sources: Vec<String> = shape.needs.iter().flat_map(|need| ids[*need].clone()).collect();
            if let Some(port) = graph.ports.iter().position(|port| *port == i) {
                ids.push(outside.get(port).cloned().unwrap_or_default());
                continue;
            }
            let indent = "    ".repeat(depth);
            match &shape.inner {
                Some(inner) => {
                    self.lines.push(format!("{indent}{}", (writer.open)(&id, shape)));
                    let each: Vec<Vec<String>> = shape.needs.iter().map(|need| ids[*need].clone()).collect();
                    let last = self.add(inner, &format!("{id}_"), depth + 1, &each, writer);
                    self.lines.push(format!("{indent}{}", writer.close));
                    ids.push(vec![last]);
                    continue;
                }
                None => self.lines.push(format!("{indent}{}", (writer.shape)(&id, shape))),
            }
            if shape.kind == ShapeKind::Round {
                round = Some(id.clone());
            }
            self.edges.extend(sources.into_iter().map(|source| (source, id.clone())));
            ids.push(vec![id]);
        }
        let last = ids.last().and_then(|ids| ids.first()).cloned().unwrap_or_default();
        self.back.extend(round.map(|round| (last.clone(), round)));
        last
    }
}

/// A Mermaid flow chart.
pub fn mermaid(plan: &Plan, options: DrawOptions) -> String {
    // Mermaid writes character references with # instead of &
    let label = |lines: &[String]| {
        let lines: Vec<String> = lines.iter().map(|line| escaped(line).replace('&', "#")).collect();
        lines.join("<br/>")
    };
    let shape = |id: &str, shape: &shapes::Shape| {
        let (open, close) = match shape.kind {
            ShapeKind::Input => ("([", "])"),
            ShapeKind::Call => ("[[", "]]"),
            ShapeKind::Round => ("((", "))"),
            ShapeKind::Until => ("{", "}"),
            ShapeKind::Answer => ("{{", "}}"),
            ShapeKind::Step | ShapeKind::Group | ShapeKind::Port => ("[", "]"),
        };
        format!("{id}{open}\"{}\"{close}", label(&shape.lines))
    };
    let open = |id: &str, shape: &shapes::Shape| format!("subgraph {id}[\"{}\"]", label(&shape.lines));
    let graph = shapes::graph(plan, options);
    let flat = Flat::of(&graph, &Writer { shape: &shape, open: &open, close: "end" });
    let mut out = String::from("flowchart TD\n");
    for line in &flat.lines {
        let _ = writeln!(out, "{line}");
    }
    for (from, to) in &flat.edges {
        let _ = writeln!(out, "    {from} --> {to}");
    }
    for (from, to) in &flat.back {
        let _ = writeln!(out, "    {from} -. next round .-> {to}");
    }
    let _ = writeln!(out, "    subgraph legend [legend]");
    for (i, one) in shapes::legend(&graph).iter().enumerate() {
        let _ = writeln!(out, "        {}", shape(&format!("l{i}"), one));
    }
    out + "    end\n"
}

/// A Graphviz digraph.
pub fn dot(plan: &Plan, options: DrawOptions) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
    let label = |lines: &[String]| lines.iter().map(|line| quoted(line)).collect::<Vec<_>>().join("\\n");
    let shape = |id: &str, shape: &shapes::Shape| {
        let form = match shape.kind {
            ShapeKind::Input => "ellipse",
            ShapeKind::Call => "box, peripheries=2",
            ShapeKind::Round => "circle",
            ShapeKind::Until => "diamond",
            ShapeKind::Answer => "hexagon",
            ShapeKind::Step | ShapeKind::Group | ShapeKind::Port => "box",
        };
        format!("{id} [label=\"{}\", shape={form}]", label(&shape.lines))
    };
    let open = |id: &str, shape: &shapes::Shape| format!("subgraph cluster_{id} {{ label=\"{}\"", label(&shape.lines));
    let graph = shapes::graph(plan, options);
    let flat = Flat::of(&graph, &Writer { shape: &shape, open: &open, close: "}" });
    let mut out = String::new();
    let _ = writeln!(out, "digraph \"{}\" {{\n    node [fontname=\"sans-serif\"]", quoted(&plan.name));
    for line in &flat.lines {
        let _ = writeln!(out, "{line}");
    }
    for (from, to) in &flat.edges {
        let _ = writeln!(out, "    {from} -> {to}");
    }
    for (from, to) in &flat.back {
        let _ = writeln!(out, "    {from} -> {to} [style=dashed, label=\"next round\", constraint=false]");
    }
    let _ = writeln!(out, "    subgraph cluster_legend {{ label=\"legend\"");
    for (i, one) in shapes::legend(&graph).iter().enumerate() {
        let _ = writeln!(out, "        {}", shape(&format!("l{i}"), one));
    }
    out + "    }\n}\n"
}
