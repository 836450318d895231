//! Server-sent events: the `data:` of each event, from chunks of bytes that may end anywhere.

/// The error for a line or an event that exceeds the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Collects bytes and gives complete events. Each byte is read once. A line or event of more than `limit` bytes is an
/// error.
#[derive(Debug)]
pub(super) struct Events {
    limit: usize,
    buffer: Vec<u8>,
    data: Option<String>,
}

impl Events {
    pub(super) fn new(limit: usize) -> Events {
        Events { limit, buffer: Vec::new(), data: None }
    }

    /// The data of each event that these bytes complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLarge> {
        let (mut events, mut rest) = (Vec::new(), bytes);
        // A line is decoded when it is complete, so that a character split between two chunks is decoded whole.
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.keep(&rest[..end])?;
            let line = std::mem::take(&mut self.buffer);
            self.line(String::from_utf8_lossy(&line).trim_end_matches('\r'), &mut events)?;
            rest = &rest[end + 1..];
        }
        self.keep(rest)?;
        Ok(events)
    }

    /// The last event of a stream without a final empty line.
    pub(super) fn finish(mut self) -> Result<Vec<String>, TooLarge> {
        self.push(b"\n\n")
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.buffer.len() + bytes.len() > self.limit {
            return Err(TooLarge);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn line(&mut self, line: &str, events: &mut Vec<String>) -> Result<(), TooLarge> {
        if line.is_empty() {
            events.extend(self.data.take());
        } else if let Some(data) = line.strip_prefix("data:") {
            let data = data.strip_prefix(' ').unwrap_or(data);
            match &mut self.data {
                Some(before) if before.len() + data.len() >= self.limit => return Err(TooLarge),
                Some(before) => {
                    before.push('\n');
                    before.push_str(data);
                }
                None => self.data = Some(data.to_owned()),
            }
        } // comments, `event:`, `id:` and `retry:` are ignored
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that the events are the same wherever the stream is split.
    fn check(limit: usize, stream: &str, expected: Result<&[&str], TooLarge>) {
        for size in [1, 2, 3, 7, 1000] {
            let mut events = Events::new(limit);
            let found = stream.as_bytes().chunks(size).map(|bytes| events.push(bytes)).collect::<Result<Vec<_>, _>>();
            let found = found.and_then(|found| Ok([found.concat(), events.finish()?].concat()));
            let expected =
                expected.map(|events| events.iter().map(|event| (*event).to_owned()).collect::<Vec<String>>());
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn events_do_not_depend_on_the_chunks() {
        check(100, "data: {\"a\":\"é\"}\n\ndata: [DONE]\n\n", Ok(&["{\"a\":\"é\"}", "[DONE]"]));
        check(100, ": ping\r\n\r\nevent: x\r\ndata:one\r\ndata: two\r\n\r\n", Ok(&["one\ntwo"]));
        check(100, "data: last", Ok(&["last"]));
        check(100, "", Ok(&[]));
    }

    #[test]
    fn a_line_and_an_event_have_a_maximum_length() {
        check(10, "data: 1234\n\n", Ok(&["1234"]));
        check(10, "data: 12345\n\n", Err(TooLarge));
        check(10, "no line end at all", Err(TooLarge));
        check(10, "data:123\ndata:456\ndata:789\n\n", Err(TooLarge));
    }

    #[test]
    fn a_stream_of_short_lines_is_read_in_one_pass() {
        let lines = "data:\n".repeat(1 << 20);
        let mut events = Events::new(8 << 20);
        assert_eq!(events.push(lines.as_bytes()), Ok(Vec::new()));
        assert_eq!(events.finish().map(|events| events[0].len()), Ok((1 << 20) - 1));
    }
}
