//! A stand-in, until the real transcripts are merged.

use std::path::Path;

use crate::problem::Problem;

/// What is typed and printed in one or more terminals.
pub struct Transcript {
    text: String,
}

impl Transcript {
    /// Reads a transcript.
    ///
    /// # Errors
    ///
    /// None.
    pub fn parse(
        _info: &str,
        text: &str,
        _file: &Path,
        _line: usize,
    ) -> Result<Self, Vec<Problem>> {
        Ok(Self { text: text.to_owned() })
    }

    /// The transcript as a block of HTML without a blank line.
    pub fn html(&self, id: &str) -> String {
        let text = self.text.replace('&', "&amp;").replace('<', "&lt;");
        let text = text.replace("\n\n", "\n&#8203;\n");
        format!(
            "<pre id=\"{id}\"><code class=\"nohighlight\">{text}</code></pre>"
        )
    }
}
