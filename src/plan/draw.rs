//! Drawings of a plan: Mermaid, Graphviz and SVG. A drawing shows inputs, steps in plan order and the answer.

use super::{Input, Plan};
use std::fmt::Write;

/// One box of a drawing.
#[derive(Debug, Clone, PartialEq)]
struct Shape {
    /// What stands in it, one line each; the first is its name.
    lines: Vec<String>,
    kind: ShapeKind,
    /// The boxes it depends on.
    needs: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum ShapeKind {
    Input,
    Step,
    Answer,
}

/// Inputs first, then steps in plan order, then the answer.
fn shapes(plan: &Plan) -> Vec<Shape> {
    let input = |(name, input): (&String, &Input)| {
        let lines = vec![name.clone(), input.ty.to_string()];
        Shape { lines, kind: ShapeKind::Input, needs: Vec::new() }
    };
    let mut shapes: Vec<Shape> = plan.inputs.iter().map(input).collect();
    let first_step = shapes.len();
    for step in &plan.block.steps {
        let outside = step.uses.iter().filter_map(|name| plan.inputs.get_index_of(name));
        let needs = outside.chain(step.needs.iter().map(|need| first_step + need)).collect();
        let each = step.each.as_ref().map(|each| format!("each {}", bare(&each.source)));
        let when = step.when.as_ref().map(|when| format!("when {}", bare(&when.source)));
        let what = format!("{}: {}", step.verb, step.ty);
        let lines = [step.name.clone(), what].into_iter().chain(each).chain(when).collect();
        shapes.push(Shape { lines, kind: ShapeKind::Step, needs });
    }
    let named = |name: &&str| {
        let step = plan.block.steps.iter().position(|step| step.name == **name).map(|i| first_step + i);
        step.or_else(|| plan.inputs.get_index_of(*name))
    };
    let needs = plan.answer.names().iter().filter_map(named).collect();
    shapes.push(Shape { lines: vec!["answer".into()], kind: ShapeKind::Answer, needs });
    shapes
}

/// A template that is one expression, without its braces; cut to what fits a box.
fn bare(source: &str) -> String {
    let text = source.trim();
    let inner = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}")).unwrap_or(text).trim();
    let short: String = inner.chars().take(32).collect();
    if short.len() < inner.len() { format!("{short}…") } else { short }
}

/// The characters that mean something in XML, Mermaid or HTML labels, as references.
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

/// A Mermaid flow chart.
pub fn mermaid(plan: &Plan) -> String {
    // Mermaid writes references with # instead of &
    let label = |shape: &Shape| {
        let lines: Vec<String> = shape.lines.iter().map(|line| escaped(line).replace('&', "#")).collect();
        lines.join("<br/>")
    };
    let mut out = String::from("flowchart TD\n");
    let shapes = shapes(plan);
    for (i, shape) in shapes.iter().enumerate() {
        let (open, close) = match shape.kind {
            ShapeKind::Input => ("([", "])"),
            ShapeKind::Step => ("[", "]"),
            ShapeKind::Answer => ("{{", "}}"),
        };
        let _ = writeln!(out, "    n{i}{open}\"{}\"{close}", label(shape));
    }
    for (i, shape) in shapes.iter().enumerate() {
        for need in &shape.needs {
            let _ = writeln!(out, "    n{need} --> n{i}");
        }
    }
    out
}

/// A Graphviz digraph.
pub fn dot(plan: &Plan) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
    let mut out = String::new();
    let _ = writeln!(out, "digraph \"{}\" {{\n    node [fontname=\"sans-serif\"]", quoted(&plan.name));
    let shapes = shapes(plan);
    for (i, shape) in shapes.iter().enumerate() {
        let lines: Vec<String> = shape.lines.iter().map(|line| quoted(line)).collect();
        let form = match shape.kind {
            ShapeKind::Input => "ellipse",
            ShapeKind::Step => "box",
            ShapeKind::Answer => "hexagon",
        };
        let _ = writeln!(out, "    n{i} [label=\"{}\", shape={form}]", lines.join("\\n"));
    }
    for (i, shape) in shapes.iter().enumerate() {
        for need in &shape.needs {
            let _ = writeln!(out, "    n{need} -> n{i}");
        }
    }
    out + "}\n"
}

/// Widths and gaps of the SVG, in pixels.
const LINE_HEIGHT: usize = 16;
const LETTER_WIDTH: usize = 7;
const GAP_X: usize = 24;
const GAP_Y: usize = 44;
const MARGIN: usize = 16;

/// A box with its place.
struct Placed {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

/// Layers from the top: a box stands one layer below the lowest box it depends on.
fn layers(shapes: &[Shape]) -> Vec<Vec<usize>> {
    let mut layer_of = vec![0; shapes.len()];
    let mut layers: Vec<Vec<usize>> = Vec::new();
    // needs point backwards, so one pass is enough
    for (i, shape) in shapes.iter().enumerate() {
        layer_of[i] = shape.needs.iter().map(|need| layer_of[*need] + 1).max().unwrap_or(0);
        if layers.len() <= layer_of[i] {
            layers.resize(layer_of[i] + 1, Vec::new());
        }
        layers[layer_of[i]].push(i);
    }
    // boxes stand below what they depend on: sorted by the mean place of their needs
    let mut place = vec![0.0; shapes.len()];
    for layer in &mut layers {
        let centre = |i: &usize| {
            let needs = &shapes[*i].needs;
            needs.iter().map(|need| place[*need]).sum::<f64>() / needs.len().max(1) as f64
        };
        let mut sorted: Vec<(f64, usize)> = layer.iter().map(|i| (centre(i), *i)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        *layer = sorted.into_iter().map(|(_, i)| i).collect();
        let half = layer.len() as f64 / 2.0;
        layer.iter().enumerate().for_each(|(at, i)| place[*i] = at as f64 + 0.5 - half);
    }
    layers
}

fn placed(shapes: &[Shape]) -> (Vec<Placed>, usize, usize) {
    let width = |shape: &Shape| {
        let longest = shape.lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
        (longest * LETTER_WIDTH + 2 * 12).max(80)
    };
    let height = |shape: &Shape| shape.lines.len() * LINE_HEIGHT + 12;
    let layers = layers(shapes);
    let row_width =
        |row: &Vec<usize>| row.iter().map(|i| width(&shapes[*i]) + GAP_X).sum::<usize>().saturating_sub(GAP_X);
    let total = layers.iter().map(row_width).max().unwrap_or(0);
    let mut boxes: Vec<Placed> = shapes.iter().map(|_| Placed { x: 0, y: 0, width: 0, height: 0 }).collect();
    let mut y = MARGIN;
    for row in &layers {
        let mut x = MARGIN + (total - row_width(row)) / 2;
        let tallest = row.iter().map(|i| height(&shapes[*i])).max().unwrap_or(0);
        for i in row {
            boxes[*i] = Placed { x, y, width: width(&shapes[*i]), height: height(&shapes[*i]) };
            x += boxes[*i].width + GAP_X;
        }
        y += tallest + GAP_Y;
    }
    (boxes, total + 2 * MARGIN, (y + MARGIN).saturating_sub(GAP_Y))
}

/// An SVG that stands on its own.
pub fn svg(plan: &Plan) -> String {
    let shapes = shapes(plan);
    let (boxes, width, height) = placed(&shapes);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
        escaped(&plan.name)
    );
    for (shape, to) in shapes.iter().zip(&boxes) {
        for from in shape.needs.iter().map(|need| &boxes[*need]) {
            let (x1, y1) = (from.x + from.width / 2, from.y + from.height);
            let (x2, y2) = (to.x + to.width / 2, to.y);
            let middle = (y1 + y2) / 2;
            let _ = writeln!(
                out,
                "<path d=\"M{x1} {y1} C{x1} {middle} {x2} {middle} {x2} {y2}\" fill=\"none\" stroke=\"#888\"/>"
            );
        }
    }
    for (shape, place) in shapes.iter().zip(&boxes) {
        let (fill, round) = match shape.kind {
            ShapeKind::Input => ("#e8f0fe", 14),
            ShapeKind::Step => ("#f6f6f6", 3),
            ShapeKind::Answer => ("#e6f4ea", 14),
        };
        let Placed { x, y, width, height } = place;
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\" fill=\"{fill}\" stroke=\"#555\"/>"
        );
        for (row, line) in shape.lines.iter().enumerate() {
            let (centre, base) = (x + width / 2, y + 18 + row * LINE_HEIGHT);
            let weight = if row == 0 { " font-weight=\"bold\"" } else { "" };
            let _ = writeln!(
                out,
                "<text x=\"{centre}\" y=\"{base}\" text-anchor=\"middle\"{weight}>{}</text>",
                escaped(line)
            );
        }
    }
    out + "</svg>\n"
}
