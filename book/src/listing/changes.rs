//! What a step changes in a file of the step before it.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::items::Item;

/// The lines that were added, and those that were removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changes {
    /// For each line as it is now: whether it is new. A blank line is
    /// new only between two lines that are.
    pub is_new: Vec<bool>,
    /// The lines that are gone, in order.
    pub removed: Vec<Removed>,
}

/// A line that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Removed {
    /// The line, as it is counted now, before which it stood.
    pub before: usize,
    /// Whether new lines stand in its place, from `before` on.
    pub is_replaced: bool,
    /// The line.
    pub text: String,
}

/// A version of a file.
#[derive(Clone, Copy)]
pub(super) struct Version<'a> {
    pub lines: &'a [&'a str],
    pub items: &'a [Item],
}

/// Compares two versions, line by line.
///
/// A line of a function is only ever compared with lines of the function of
/// the same name, so that code which moves as a whole is not a change, and no
/// closing brace of one function is taken for another's.
pub(super) fn changes(old: Version, new: Version) -> Changes {
    let old_keys = keys(old, new);
    let new_keys = keys(new, old);
    let mut is_new = vec![false; new.lines.len()];
    let mut removed = Vec::new();
    for op in capture_diff_slices(Algorithm::Patience, &old_keys, &new_keys) {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        for line in op.new_range() {
            is_new[line] = !is_moved(new, old, line);
        }
        let mut gone: Vec<usize> =
            op.old_range().filter(|line| !is_moved(old, new, *line)).collect();
        let is_blank = |line: &usize| old.lines[*line].trim().is_empty();
        while gone.last().is_some_and(is_blank) {
            gone.pop();
        }
        let gone = gone.into_iter().skip_while(is_blank);
        removed.extend(gone.map(|line| Removed {
            before: op.new_range().start,
            is_replaced: !op.new_range().is_empty(),
            text: old.lines[line].to_owned(),
        }));
    }
    mark_blank_lines(&mut is_new, new.lines);
    Changes { is_new, removed }
}

/// The outermost item that a line belongs to.
fn item_of<'a>(version: Version<'a>, line: usize) -> Option<&'a Item> {
    version.items.iter().find(|item| item.lines.contains(&line))
}

/// The item of this name and kind in the other version.
fn same_item<'a>(item: &Item, in_version: Version<'a>) -> Option<&'a Item> {
    in_version.items.iter().find(|other| other.name() == item.name())
}

/// What to compare of each line: itself, and the item that it belongs to, if
/// both versions have it.
fn keys<'a>(version: Version<'a>, other: Version) -> Vec<(&'a str, &'a str)> {
    let key = |(number, line): (usize, &&'a str)| {
        let item = item_of(version, number)
            .filter(|item| same_item(item, other).is_some());
        (item.map(Item::name).unwrap_or_default(), *line)
    };
    version.lines.iter().enumerate().map(key).collect()
}

/// Whether the line belongs to an item that the other version has, too, word
/// for word, in another place.
fn is_moved(version: Version, other: Version, line: usize) -> bool {
    let Some(item) = item_of(version, line) else { return false };
    let same = same_item(item, other);
    same.is_some_and(|same| {
        version.lines[item.lines.clone()] == other.lines[same.lines.clone()]
    })
}

fn mark_blank_lines(is_new: &mut [bool], lines: &[&str]) {
    let is_blank = |line: usize| lines[line].trim().is_empty();
    let mut previous = false;
    for line in 0..lines.len() {
        if !is_blank(line) {
            previous = is_new[line];
            continue;
        }
        let next = (line..lines.len()).find(|next| !is_blank(*next));
        is_new[line] &= previous && next.is_some_and(|next| is_new[next]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::items::items;
    use super::*;

    fn compare(old: &str, new: &str) -> Changes {
        let (old_items, new_items) = (items(old).unwrap(), items(new).unwrap());
        let old_lines: Vec<&str> = old.lines().collect();
        let new_lines: Vec<&str> = new.lines().collect();
        changes(
            Version { lines: &old_lines, items: &old_items.items },
            Version { lines: &new_lines, items: &new_items.items },
        )
    }

    /// The lines of the change in the notation of diff.
    fn diff(old: &str, new: &str) -> String {
        let changes = compare(old, new);
        let mut diff = String::new();
        for (number, line) in new.lines().chain([""]).enumerate() {
            for removed in &changes.removed {
                if removed.before == number {
                    diff += &format!("-{}\n", removed.text);
                }
            }
            if changes.is_new.get(number).is_some_and(|new| *new) {
                diff += &format!("+{line}\n");
            }
        }
        diff
    }

    #[test]
    fn an_inserted_function_is_new_from_its_first_to_its_last_line() {
        let old = "fn a() {\n    b();\n}\n\nfn c() {\n    d();\n}\n";
        let new = "fn a() {\n    b();\n}\n\nfn x() {\n    d();\n\n    e();\n}\n\
                   \nfn c() {\n    d();\n}\n";
        assert_eq!(diff(old, new), "+fn x() {\n+    d();\n+\n+    e();\n+}\n");
    }

    #[test]
    fn a_function_that_moves_does_not_change() {
        let old = "fn a() {\n    1;\n}\nfn b() {\n    2;\n    3;\n}\n";
        let new = "fn b() {\n    2;\n    3;\n}\nfn a() {\n    1;\n}\n";
        assert_eq!(diff(old, new), "");
    }

    #[test]
    fn a_replaced_line_stands_before_the_line_in_its_place() {
        let old = "use std::io::Read;\nfn a() {\n    1;\n    2;\n}\n";
        let new = "use std::io::{self, Read};\nfn a() {\n    1;\n    3;\n}\n";
        assert_eq!(
            diff(old, new),
            "-use std::io::Read;\n+use std::io::{self, Read};\n\
             -    2;\n+    3;\n"
        );
    }

    #[test]
    fn blank_lines_alone_are_no_change() {
        let old = "fn a() {\n    1;\n    2;\n}\n";
        let new = "fn a() {\n    1;\n\n    2;\n}\n\n";
        assert_eq!(diff(old, new), "");
        assert_eq!(diff(new, old), "");
    }

    proptest! {
        /// Taking the new lines away and putting the removed lines back
        /// gives the version before, blank lines aside.
        #[test]
        fn changes_lead_back(
            old in prop::collection::vec(0..6u8, 0..12),
            new in prop::collection::vec(0..6u8, 0..12),
        ) {
            let text = |numbers: &[u8]| -> String {
                let lines = numbers.iter().map(|n| format!("// {n}\n"));
                lines.collect()
            };
            let (old, new) = (text(&old), text(&new));
            let changes = compare(&old, &new);
            let mut back = String::new();
            for (number, line) in new.lines().chain([""]).enumerate() {
                for removed in &changes.removed {
                    if removed.before == number {
                        back += &format!("{}\n", removed.text);
                    }
                }
                if changes.is_new.get(number) == Some(&false) {
                    back += &format!("{line}\n");
                }
            }
            prop_assert_eq!(back, old);
        }
    }
}
