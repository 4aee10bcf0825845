//! The pictures in `book/diagrams/`, put into the pages as inline SVG so that
//! they follow the page's theme.

use std::fs;
use std::path::Path;

use crate::course::Course;

/// The folder of the pictures, relative to the repository's root.
pub const DIAGRAMS: &str = "book/diagrams";

/// The picture `book/diagrams/NAME.svg` as a block of HTML.
///
/// # Errors
///
/// That there is no such picture, or that it is one that somebody who cannot
/// see it would learn nothing from: it needs a `<title>` and a `<desc>`.
pub fn html(course: &Course, name: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !name.chars().all(is_name) {
        return Err(format!("`{name}` is no name of a picture"));
    }
    let path = Path::new(DIAGRAMS).join(format!("{name}.svg"));
    let svg = fs::read_to_string(course.root.join(&path))
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if !svg.starts_with("<svg ") || !svg.trim_end().ends_with("</svg>") {
        return Err(format!("{} is no SVG element", path.display()));
    }
    for part in ["role=\"img\"", "aria-labelledby=", "<title ", "<desc "] {
        if !svg.contains(part) {
            return Err(format!("{} has no `{part}`", path.display()));
        }
    }
    // A blank line would end the block of HTML in Markdown.
    let lines: Vec<&str> =
        svg.lines().filter(|line| !line.trim().is_empty()).collect();
    Ok(format!("<figure class=\"diagram\">\n{}\n</figure>", lines.join("\n")))
}
