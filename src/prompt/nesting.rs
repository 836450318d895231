//! Limits of a template: the depth of its syntax tree and the length of its lines. They are counted on its tokens
//! before parsing, because the parser, the walks over the tree and its destruction recurse, and a stack overflow cannot
//! be reported.

use super::ParseError;
use minijinja::machinery::{Token, tokenize};

/// Maximum nesting of one expression: operators, attributes and filters that build on each other, brackets, and the
/// branches of one `if`. It is far above any real template (minijinja itself limits brackets and blocks only), and fits
/// a stack of one MiB in a debug build.
pub(super) const MAX_NESTING: usize = 160;

/// Maximum depth of the values that statements build on each other (`{% set a = [a] %}`), in total.
const MAX_BUILT: usize = 1000;

/// Maximum length of a line, in characters. The lexer counts columns in 16 bits.
const MAX_LINE: usize = 60_000;

/// The counts inside one pair of brackets, or outside all.
#[derive(Default)]
struct Frame {
    /// Operators since the last comma. They may all build on each other.
    operators: usize,
    /// The greatest depth of a bracket among them.
    deepest: usize,
    /// The greatest depth of an expression before the last comma.
    before: usize,
}

impl Frame {
    /// The greatest depth of an expression in this frame.
    fn depth(&self) -> usize {
        self.before.max(self.operators + self.deepest)
    }
}

/// Fails where `source` becomes too deep or a line too long. The depth is an upper estimate: `a + b + c` counts as 2
/// for any precedence.
pub(super) fn check(source: &str) -> Result<(), ParseError> {
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        if line.len() > MAX_LINE && line.chars().count() > MAX_LINE {
            let message = format!("template: found a line of more than {MAX_LINE} characters");
            return Err(ParseError { message, code: "too-large", hint: Some("break it".into()), offset: start });
        }
        start += line.len();
    }
    let mut frames = vec![Frame::default()];
    // the branches of each open `if`: every `elif` is a tree inside the one before
    let mut branches: Vec<usize> = Vec::new();
    let mut opens = false;
    // the total depth of the values bound so far
    let (mut binds, mut built) = (false, 0);
    // the parser reports unreadable text
    for (token, span) in tokenize(source, false, Default::default()).map_while(Result::ok) {
        let first = std::mem::replace(&mut opens, matches!(token, Token::BlockStart));
        match token {
            Token::VariableStart | Token::BlockStart => (frames, binds) = (vec![Frame::default()], false),
            Token::BlockEnd if binds => built += top(&mut frames).depth(),
            Token::Ident("if") if first => branches.push(1),
            Token::Ident("elif") if first => branches.last_mut().into_iter().for_each(|count| *count += 1),
            Token::Ident("endif") if first => drop(branches.pop()),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                top(&mut frames).operators += 1;
                frames.push(Frame::default());
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                let depth = frames.pop().map_or(0, |frame| frame.depth());
                let around = top(&mut frames);
                around.deepest = around.deepest.max(depth);
            }
            Token::Comma => {
                let frame = top(&mut frames);
                *frame = Frame { before: frame.depth(), ..Frame::default() };
            }
            Token::Ident("set" | "with" | "for" | "macro" | "call") if first => binds = true,
            Token::Ident("not" | "and" | "or" | "if" | "else" | "is" | "in") => top(&mut frames).operators += 1,
            Token::TemplateData(_) | Token::VariableEnd | Token::BlockEnd | Token::Assign | Token::Colon => {}
            Token::Ident(_) | Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => {
            }
            _ => top(&mut frames).operators += 1,
        }
        // open brackets recurse into each other while they are parsed; closed ones count by their depth
        let open: usize = frames.iter().map(|frame| frame.operators).sum();
        let depth = open.max(top(&mut frames).depth()).max(branches.iter().sum());
        if built > MAX_BUILT {
            let message = format!("template: found statements that build more than {MAX_BUILT} levels on each other");
            return Err(ParseError { message, code: "too-large", hint: None, offset: span.start_offset as usize });
        }
        if depth > MAX_NESTING {
            let message = format!("template: found more than {MAX_NESTING} nested operators, brackets or branches");
            let hint = Some("spread it over `{% set %}` or several steps".to_owned());
            return Err(ParseError { message, code: "too-large", hint, offset: span.start_offset as usize });
        }
    }
    Ok(())
}

/// The innermost frame. A bracket without a partner leaves the outermost one.
fn top(frames: &mut Vec<Frame>) -> &mut Frame {
    if frames.is_empty() {
        frames.push(Frame::default());
    }
    let last = frames.len() - 1;
    &mut frames[last]
}
