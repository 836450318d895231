//! Server-sent events: the `data:` of each event, however the bytes were cut on their way.

/// Collects bytes and gives out whole events.
#[derive(Debug, Default)]
pub(super) struct Events {
    buffer: Vec<u8>,
    data: Option<String>,
}

impl Events {
    /// The data of each event that these bytes complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        // A line is decoded only when whole, so a character cut in two is never seen.
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            self.line(line.trim_end_matches(['\n', '\r']), &mut events);
        }
        events
    }

    /// What a server that forgets the last empty line left behind.
    pub fn finish(mut self) -> Vec<String> {
        self.push(b"\n\n")
    }

    fn line(&mut self, line: &str, events: &mut Vec<String>) {
        if line.is_empty() {
            events.extend(self.data.take());
        } else if let Some(data) = line.strip_prefix("data:") {
            let data = data.strip_prefix(' ').unwrap_or(data);
            match &mut self.data {
                Some(before) => *before = format!("{before}\n{data}"),
                None => self.data = Some(data.to_owned()),
            }
        } // comments, `event:`, `id:` and `retry:` say nothing to us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same events must come out wherever the stream is cut.
    fn check(stream: &str, expected: &[&str]) {
        for size in [1, 2, 3, 7, 1000] {
            let mut events = Events::default();
            let mut found: Vec<String> = stream.as_bytes().chunks(size).flat_map(|bytes| events.push(bytes)).collect();
            found.extend(events.finish());
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn events_are_found_in_any_pieces() {
        check("data: {\"a\":\"é\"}\n\ndata: [DONE]\n\n", &["{\"a\":\"é\"}", "[DONE]"]);
        check(": ping\r\n\r\nevent: x\r\ndata:one\r\ndata: two\r\n\r\n", &["one\ntwo"]);
        check("data: last", &["last"]);
        check("", &[]);
    }
}
