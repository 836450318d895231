//! Draws a plan as a self-contained SVG.

use super::{
    DrawOptions, escaped,
    layout::{self, LINE_HEIGHT, Layout, Placed, STRIP},
    shapes::{self, Graph, Shape, ShapeKind},
};
use crate::plan::Plan;
use std::fmt::Write;

/// Margin around the drawing, in pixels.
const MARGIN: f64 = 16.0;

/// A self-contained SVG. Fails if the dialogue is too large for one.
pub fn svg(plan: &Plan, options: DrawOptions) -> Result<String, String> {
    let graph = shapes::graph(plan, options);
    let layout = layout::layout(&graph)?;
    let (legend, legend_width) = legend(&graph, layout.height + MARGIN + 34.0);
    let width = layout.width.max(legend_width) + 2.0 * MARGIN;
    let height = layout.height + 2.0 * MARGIN + 62.0;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{}</title>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
         <path d=\"M0 0 L8 4 L0 8 z\" fill=\"#666\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
        escaped(&plan.name)
    );
    let left = MARGIN + (width - 2.0 * MARGIN - layout.width) / 2.0;
    draw(&graph, &layout, (left, MARGIN), &mut out);
    Ok(out + &legend + "</svg>\n")
}

/// Draws a graph with its corner at `at`: groups first, then edges, then boxes.
fn draw(graph: &Graph, layout: &Layout, at: (f64, f64), out: &mut String) {
    for (shape, place) in graph.shapes.iter().zip(&layout.boxes) {
        if let (Some(inner), Some(inside)) = (&shape.inner, &place.inner) {
            let corner = (at.0 + place.x, at.1 + place.y);
            frame(shape, inner, place, inside, corner, out);
            draw(inner, inside, corner, out);
        }
    }
    let ends = graph.shapes.iter().flat_map(|shape| shape.needs.iter().map(move |_| shape));
    for (points, to) in layout.edges.iter().zip(ends) {
        // an edge into a group continues inside
        let marker = if to.inner.is_some() { "" } else { " marker-end=\"url(#arrow)\"" };
        let _ = writeln!(out, "<path d=\"{}\" fill=\"none\" stroke=\"#666\"{marker}/>", path(points, at));
    }
    for (shape, place) in graph.shapes.iter().zip(&layout.boxes) {
        if shape.inner.is_none() && shape.kind != ShapeKind::Port {
            one(shape, place, (at.0 + place.x, at.1 + place.y), out);
        }
    }
}

/// Draws the border of a group, its name at the bottom, the edge that leaves it, and the edge back to the next round.
fn frame(shape: &Shape, inner: &Graph, place: &Placed, inside: &Layout, (x, y): (f64, f64), out: &mut String) {
    let (width, height) = (place.width, place.height);
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"8\" fill=\"#fbf7ee\" stroke=\"#b59a5b\"/>"
    );
    let Some(last) = inside.boxes.last() else { return };
    let middle = x + last.x + last.width / 2.0;
    let base = y + height - STRIP / 2.0 + 2.0;
    let (end, anchor) = if middle > x + width / 2.0 { (x + 10.0, "start") } else { (x + width - 10.0, "end") };
    let name = escaped(&shape.lines.join(", "));
    let _ = writeln!(
        out,
        "<text x=\"{end:.1}\" y=\"{base:.1}\" text-anchor=\"{anchor}\" font-weight=\"bold\">{name}</text>"
    );
    let bottom = y + last.y + last.height;
    let _ = writeln!(
        out,
        "<path d=\"M{middle:.1} {bottom:.1} L{middle:.1} {:.1}\" fill=\"none\" stroke=\"#666\"/>",
        y + height
    );
    let Some(round) = inner.shapes.iter().position(|shape| shape.kind == ShapeKind::Round) else { return };
    let round = &inside.boxes[round];
    let back = x + inside.boxes.iter().map(|place| place.x + place.width).fold(0.0, f64::max) + 20.0;
    let (from, to) = (
        (x + last.x + last.width, y + last.y + last.height / 2.0),
        (x + round.x + round.width, y + round.y + round.height / 2.0),
    );
    let _ = writeln!(
        out,
        "<path d=\"M{:.1} {:.1} L{back:.1} {:.1} L{back:.1} {:.1} L{:.1} {:.1}\" fill=\"none\" stroke=\"#666\" stroke-dasharray=\"5 4\" \
         marker-end=\"url(#arrow)\"/>",
        from.0, from.1, from.1, to.1, to.0, to.1
    );
}

/// A smooth path: curves between ranks, straight lines within them.
fn path(points: &[(f64, f64)], at: (f64, f64)) -> String {
    let mut path = String::new();
    let mut last: Option<(f64, f64)> = None;
    for point in points {
        let (x, y) = (point.0 + at.0, point.1 + at.1);
        let _ = match last {
            None => write!(path, "M{x:.1} {y:.1}"),
            Some((from, _)) if (from - x).abs() < 0.05 => write!(path, " L{x:.1} {y:.1}"),
            Some((from, above)) => {
                let middle = (above + y) / 2.0;
                write!(path, " C{from:.1} {middle:.1} {x:.1} {middle:.1} {x:.1} {y:.1}")
            }
        };
        last = Some((x, y));
    }
    path
}

/// Draws one box with its lines.
fn one(shape: &Shape, place: &Placed, (x, y): (f64, f64), out: &mut String) {
    let Placed { width, height, .. } = place;
    let (fill, round) = match shape.kind {
        ShapeKind::Input => ("#e8f0fe", 14.0),
        ShapeKind::Answer => ("#e6f4ea", 14.0),
        ShapeKind::Round => ("#fff4d6", height / 2.0),
        _ => ("#f6f6f6", 3.0),
    };
    let rect = |inset: f64, out: &mut String| {
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{round:.0}\" fill=\"{fill}\" stroke=\"#555\"/>",
            x + inset,
            y + inset,
            width - 2.0 * inset,
            height - 2.0 * inset
        );
    };
    if shape.kind == ShapeKind::Until {
        let (left, right, bottom, middle) = (x + 16.0, x + width - 16.0, y + height, y + height / 2.0);
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {middle:.1} L{left:.1} {y:.1} L{right:.1} {y:.1} L{:.1} {middle:.1} L{right:.1} {bottom:.1} L{left:.1} {bottom:.1} z\" \
             fill=\"#fff4d6\" stroke=\"#555\"/>",
            x + width
        );
    } else {
        rect(0.0, out);
        if shape.kind == ShapeKind::Call {
            rect(3.0, out);
        }
    }
    let first = y + (height - shape.lines.len() as f64 * LINE_HEIGHT) / 2.0 + 12.0;
    for (row, line) in shape.lines.iter().enumerate() {
        let (centre, base) = (x + width / 2.0, first + row as f64 * LINE_HEIGHT);
        let weight = if row == 0 && shape.kind != ShapeKind::Round { " font-weight=\"bold\"" } else { "" };
        let _ = writeln!(
            out,
            "<text x=\"{centre:.1}\" y=\"{base:.1}\" text-anchor=\"middle\"{weight}>{}</text>",
            escaped(line)
        );
    }
}

/// Draws the kinds of boxes and arrows in a row. Returns the SVG and its width in pixels.
fn legend(graph: &Graph, top: f64) -> (String, f64) {
    let mut out = String::new();
    let mut x = MARGIN;
    let mut has_loop = false;
    for shape in shapes::legend(graph) {
        let (width, height) = layout::size(&shape);
        let width = width.max(shape.lines[0].chars().count() as f64 * 7.0 + 24.0);
        has_loop |= shape.kind == ShapeKind::Round;
        let place = Placed { width, height: height.min(28.0), ..Placed::default() };
        one(&shape, &place, (x, top), &mut out);
        x += width + 12.0;
    }
    let mut arrow = |word: &str, more: &str, x: &mut f64| {
        let (start, middle) = (*x, top + 14.0);
        let _ = writeln!(
            out,
            "<path d=\"M{start:.1} {middle:.1} L{:.1} {middle:.1}\" fill=\"none\" stroke=\"#666\"{more} marker-end=\"url(#arrow)\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\">{word}</text>",
            start + 32.0,
            start + 38.0,
            middle + 4.0
        );
        *x += 38.0 + word.chars().count() as f64 * 7.0 + 12.0;
    };
    arrow("is used by", "", &mut x);
    if has_loop {
        arrow("next round", " stroke-dasharray=\"5 4\"", &mut x);
    }
    (out, x - MARGIN)
}
