//! Positions of the boxes of a drawing, and paths of its edges. A box is placed below all boxes that it depends on. An
//! edge that passes a rank gets a place of its own there, so that it never crosses a box. A group is laid out first and
//! then treated as one box.

use super::shapes::{Graph, Shape, ShapeKind};

/// Maximum number of places of boxes and edges together. A larger drawing is unreadable.
const MAX_PLACES: usize = 20_000;
/// Height of a line of text, in pixels, like all lengths here.
pub(super) const LINE_HEIGHT: f64 = 16.0;
const LETTER_WIDTH: f64 = 7.0;
const GAP_X: f64 = 26.0;
const GAP_Y: f64 = 46.0;
/// Width of the place of an edge that passes a rank.
const EDGE_WIDTH: f64 = 14.0;
/// Distance from a group's border to its content.
const PADDING: f64 = 22.0;
/// Height of the strip with a group's name.
pub(super) const STRIP: f64 = 24.0;
/// Width of the space for the edge back to the next round.
const BACK_EDGE: f64 = 26.0;
/// The number of passes that order ranks by their neighbours.
const SWEEPS: usize = 12;

/// A graph with positions relative to its own corner.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub width: f64,
    pub height: f64,
    /// One box for each shape.
    pub boxes: Vec<Placed>,
    /// The path of each edge: its points, from the top down.
    pub edges: Vec<Vec<(f64, f64)>>,
}

/// A box with its position and size.
#[derive(Debug, Clone, Default)]
pub(super) struct Placed {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// The inside of a group.
    pub inner: Option<Layout>,
}

/// One place in a rank: a box, or an edge that passes the rank.
struct Place {
    /// The shape; `None` for an edge.
    shape: Option<usize>,
    rank: usize,
    width: f64,
    above: Vec<usize>,
    below: Vec<usize>,
    /// The horizontal centre.
    x: f64,
}

/// The size of a box with these lines.
pub(super) fn size(shape: &Shape) -> (f64, f64) {
    let longest = shape.lines.iter().map(|line| line.chars().count()).max().unwrap_or(0) as f64;
    let lines = shape.lines.len() as f64;
    match shape.kind {
        ShapeKind::Port => (EDGE_WIDTH, 0.0),
        ShapeKind::Round => (48.0, 28.0),
        ShapeKind::Until => (longest * LETTER_WIDTH + 56.0, lines * LINE_HEIGHT + 20.0),
        _ => ((longest * LETTER_WIDTH + 24.0).max(80.0), lines * LINE_HEIGHT + 12.0),
    }
}

/// Lays a graph out. Fails if it is too large for a picture.
pub(super) fn layout(graph: &Graph) -> Result<Layout, String> {
    let mut boxes = Vec::new();
    for shape in &graph.shapes {
        let (width, height) = size(shape);
        boxes.push(match &shape.inner {
            None => Placed { width, height, ..Placed::default() },
            Some(inner) => group(shape, inner)?,
        });
    }
    let ranks_of = ranks_of(graph);
    let (mut places, chains) = places(graph, &boxes, &ranks_of)?;
    let mut ranks: Vec<Vec<usize>> = vec![Vec::new(); ranks_of.iter().max().map_or(0, |max| max + 1)];
    (0..places.len()).for_each(|i| ranks[places[i].rank].push(i));
    order(&mut ranks, &places, graph);
    set_across(&ranks, &mut places);
    let left = places.iter().map(|place| place.x - place.width / 2.0).fold(f64::INFINITY, f64::min);
    places.iter_mut().for_each(|place| place.x -= left);
    let width = places.iter().map(|place| place.x + place.width / 2.0).fold(0.0, f64::max);
    // top and bottom of each rank
    let mut rows: Vec<(f64, f64)> = Vec::new();
    for rank in &ranks {
        let heights = rank.iter().filter_map(|i| places[*i].shape).map(|shape| boxes[shape].height);
        let top = rows.last().map_or(0.0, |(_, bottom)| bottom + GAP_Y);
        rows.push((top, top + heights.fold(0.0, f64::max)));
    }
    for place in &places {
        if let Some(shape) = place.shape {
            boxes[shape].x = place.x - boxes[shape].width / 2.0;
            boxes[shape].y = rows[place.rank].0;
        }
    }
    let edges = chains.iter().map(|chain| edge_path(chain, &places, &boxes, &rows, graph)).collect();
    Ok(Layout { width, height: rows.last().map_or(0.0, |(_, bottom)| *bottom), boxes, edges })
}

/// Lays a group out: its content inside the border, and its name in a strip at the bottom.
fn group(shape: &Shape, inner: &Graph) -> Result<Placed, String> {
    let mut inside = layout(inner)?;
    let name = shape.lines.iter().map(|line| line.chars().count()).sum::<usize>() as f64 * LETTER_WIDTH + 40.0;
    let is_loop = inner.shapes.iter().any(|shape| shape.kind == ShapeKind::Round);
    let content = inside.width + 2.0 * PADDING + if is_loop { BACK_EDGE } else { 0.0 };
    // the name is beside the edge that leaves at the bottom
    let width = content.max(2.0 * name);
    let shift = PADDING + (width - content) / 2.0;
    inside.boxes.iter_mut().for_each(|place| place.x += shift);
    inside.edges.iter_mut().flatten().for_each(|point| point.0 += shift);
    let height = inside.height + PADDING + STRIP;
    Ok(Placed { width, height, inner: Some(inside), ..Placed::default() })
}

/// The rank of each shape. Ports come first; every other shape is below the lowest shape that it needs.
fn ranks_of(graph: &Graph) -> Vec<usize> {
    let mut ranks = vec![0; graph.shapes.len()];
    let first = usize::from(!graph.ports.is_empty());
    // needs point backwards, so one pass is enough
    for (i, shape) in graph.shapes.iter().enumerate() {
        let least = if shape.kind == ShapeKind::Port { 0 } else { first };
        ranks[i] = shape.needs.iter().map(|need| ranks[*need] + 1).max().unwrap_or(0).max(least);
    }
    // an input moves down to just above the first box that needs it
    let mut highest: Vec<Option<usize>> = vec![None; ranks.len()];
    for (shape, rank) in graph.shapes.iter().zip(&ranks) {
        shape
            .needs
            .iter()
            .for_each(|need| highest[*need] = Some(highest[*need].map_or(*rank, |known| known.min(*rank))));
    }
    for (i, shape) in graph.shapes.iter().enumerate().filter(|(_, shape)| shape.kind == ShapeKind::Input) {
        if let (true, Some(highest)) = (shape.needs.is_empty(), highest[i]) {
            ranks[i] = highest.saturating_sub(1).max(ranks[i]);
        }
    }
    ranks
}

/// The places along an edge, from box to box.
type Chain = Vec<usize>;

fn places(graph: &Graph, boxes: &[Placed], ranks: &[usize]) -> Result<(Vec<Place>, Vec<Chain>), String> {
    let place = |shape, rank, width| Place { shape, rank, width, above: Vec::new(), below: Vec::new(), x: 0.0 };
    let mut places: Vec<Place> = (0..graph.shapes.len()).map(|i| place(Some(i), ranks[i], boxes[i].width)).collect();
    let mut chains = Vec::new();
    for (to, shape) in graph.shapes.iter().enumerate() {
        for from in &shape.needs {
            let mut chain = vec![*from];
            for rank in ranks[*from] + 1..ranks[to] {
                chain.push(places.len());
                places.push(place(None, rank, EDGE_WIDTH));
            }
            chain.push(to);
            if places.len() + chains.len() > MAX_PLACES {
                return Err(format!("the drawing needs more than {MAX_PLACES} boxes and edges"));
            }
            for pair in chain.windows(2) {
                places[pair[0]].below.push(pair[1]);
                places[pair[1]].above.push(pair[0]);
            }
            chains.push(chain);
        }
    }
    Ok((places, chains))
}

/// Orders each rank so that few edges cross (barycentre method: by the mean position of the neighbours above or below).
fn order(ranks: &mut [Vec<usize>], places: &[Place], graph: &Graph) {
    let is_round = |i: usize| places[i].shape.is_some_and(|shape| graph.shapes[shape].kind == ShapeKind::Round);
    let mut at = vec![0.0; places.len()];
    let note = |rank: &[usize], at: &mut Vec<f64>| rank.iter().enumerate().for_each(|(n, i)| at[*i] = n as f64);
    ranks.iter().for_each(|rank| note(rank, &mut at));
    let mut best = (crossings(ranks, places, &at), ranks.to_vec());
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        for n in 0..ranks.len() {
            let rank = if down { n } else { ranks.len() - 1 - n };
            let mean = |i: usize| {
                let near = if down { &places[i].above } else { &places[i].below };
                let sum: f64 = near.iter().map(|other| at[*other]).sum();
                if near.is_empty() { at[i] } else { sum / near.len() as f64 }
            };
            // the start of a round goes to the right, beside the edge back to it
            let mut keyed: Vec<(bool, f64, usize)> = ranks[rank].iter().map(|i| (is_round(*i), mean(*i), *i)).collect();
            keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            ranks[rank] = keyed.into_iter().map(|(_, _, i)| i).collect();
            note(&ranks[rank], &mut at);
        }
        let found = crossings(ranks, places, &at);
        if found < best.0 || sweep == 0 {
            best = (found, ranks.to_vec());
        }
    }
    ranks.clone_from_slice(&best.1);
}

/// The number of crossings of edges between adjacent ranks.
fn crossings(ranks: &[Vec<usize>], places: &[Place], at: &[f64]) -> usize {
    let between = |rank: &Vec<usize>| {
        let mut edges: Vec<(f64, f64)> =
            rank.iter().flat_map(|i| places[*i].below.iter().map(|to| (at[*i], at[*to]))).collect();
        edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        // the work grows with the square, so the first edges stand for a large drawing
        edges.truncate(500);
        let crossed = |(n, edge): (usize, &(f64, f64))| {
            edges[..n].iter().filter(|other| other.0 < edge.0 && other.1 > edge.1).count()
        };
        edges.iter().enumerate().map(crossed).sum::<usize>()
    };
    ranks.iter().map(between).sum()
}

/// Sets the horizontal centres as near to the neighbours above and below as the order allows.
fn set_across(ranks: &[Vec<usize>], places: &mut [Place]) {
    for rank in ranks {
        let mut x = 0.0;
        for i in rank {
            x += places[*i].width / 2.0;
            places[*i].x = x;
            x += places[*i].width / 2.0 + GAP_X;
        }
    }
    for sweep in 0..SWEEPS * 2 {
        let down = sweep % 2 == 0;
        for n in 0..ranks.len() {
            let rank = &ranks[if down { n } else { ranks.len() - 1 - n }];
            let wanted = |i: usize| {
                let place = &places[i];
                let near = match (down, place.above.is_empty(), place.below.is_empty()) {
                    (_, true, true) => return (place.x, 1.0),
                    (true, false, _) | (false, false, true) => &place.above,
                    _ => &place.below,
                };
                // a higher weight keeps an edge straight that passes several ranks
                let weight = if place.shape.is_none() { 4.0 } else { 1.0 };
                (near.iter().map(|other| places[*other].x).sum::<f64>() / near.len() as f64, weight)
            };
            let wanted: Vec<(f64, f64)> = rank.iter().map(|i| wanted(*i)).collect();
            let apart: Vec<f64> =
                rank.windows(2).map(|pair| (places[pair[0]].width + places[pair[1]].width) / 2.0 + GAP_X).collect();
            for (i, x) in rank.iter().zip(spread(&wanted, &apart)) {
                places[*i].x = x;
            }
        }
    }
}

/// The positions nearest to the wanted ones (with weights) that keep the distances `apart`: isotonic regression by
/// pooling neighbours.
fn spread(wanted: &[(f64, f64)], apart: &[f64]) -> Vec<f64> {
    let mut offset = 0.0;
    // (mean of the wanted positions minus offsets, weight, count)
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    let mut offsets = Vec::new();
    for (n, (x, weight)) in wanted.iter().enumerate() {
        if n > 0 {
            offset += apart[n - 1];
        }
        offsets.push(offset);
        let mut pool = (x - offset, *weight, 1);
        while let Some(last) = pools.last().copied().filter(|last| last.0 > pool.0) {
            pools.pop();
            let weight = last.1 + pool.1;
            pool = ((last.0 * last.1 + pool.0 * pool.1) / weight, weight, last.2 + pool.2);
        }
        pools.push(pool);
    }
    let flat = pools.into_iter().flat_map(|(x, _, many)| std::iter::repeat_n(x, many));
    flat.zip(offsets).map(|(x, offset)| x + offset).collect()
}

/// The points of an edge. It may bend between ranks; within a rank it goes straight down in its own place.
fn edge_path(
    chain: &[usize],
    places: &[Place],
    boxes: &[Placed],
    rows: &[(f64, f64)],
    graph: &Graph,
) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let [from, .., to] = chain else { return points };
    let start = leaves_at(*from, places, boxes);
    points.push((start, boxes[*from].y + boxes[*from].height));
    points.push((start, rows[places[*from].rank].1));
    for i in &chain[1..chain.len() - 1] {
        let (top, bottom) = rows[places[*i].rank];
        points.extend([(places[*i].x, top), (places[*i].x, bottom)]);
    }
    points.extend(enters_at(*from, *to, places, boxes, graph));
    points
}

/// The x of the point where an edge leaves a box: the centre, or below the last box of a group.
fn leaves_at(from: usize, places: &[Place], boxes: &[Placed]) -> f64 {
    let inner = boxes[from].inner.as_ref().and_then(|inner| inner.boxes.last());
    inner.map_or(places[from].x, |last| boxes[from].x + last.x + last.width / 2.0)
}

/// The point where an edge enters a box: at the centre, or at the port of a group.
fn enters_at(from: usize, to: usize, places: &[Place], boxes: &[Placed], graph: &Graph) -> Vec<(f64, f64)> {
    let shape = &graph.shapes[to];
    let port = shape.needs.iter().position(|need| *need == from);
    let inner = boxes[to].inner.as_ref().zip(shape.inner.as_ref()).zip(port);
    let port = inner.and_then(|((layout, graph), port)| layout.boxes.get(*graph.ports.get(port)?));
    let x = port.map_or(places[to].x, |port| boxes[to].x + port.x + port.width / 2.0);
    vec![(x, boxes[to].y)]
}
