//! The colors of Rust code, given when the book is built.
//!
//! The classes are those that every theme of mdBook has a color for:
//! `keyword`, `built_in` (types), `title` (functions and macros), `literal`,
//! `number`, `string`, `comment`, `attr` (attributes and lifetimes).

/// A piece of code, and the class that colors it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub class: Option<&'static str>,
    pub text: &'a str,
}

/// The words that Rust keeps for itself, and the contextual ones that a reader
/// takes for such.
const KEYWORDS: [&str; 39] = [
    "as",
    "async",
    "await",
    "box",
    "break",
    "const",
    "continue",
    "crate",
    "dyn",
    "else",
    "enum",
    "extern",
    "fn",
    "for",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro_rules",
    "match",
    "mod",
    "move",
    "mut",
    "pub",
    "ref",
    "return",
    "self",
    "Self",
    "static",
    "struct",
    "super",
    "trait",
    "type",
    "unsafe",
    "use",
    "where",
    "while",
    "yield",
];

const PRIMITIVES: [&str; 17] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8",
    "i16", "i32", "i64", "i128", "isize", "f32", "f64",
];

const LITERALS: [&str; 6] = ["true", "false", "None", "Some", "Ok", "Err"];

/// Cuts any text into tokens, as Rust would read it. The tokens' texts, one
/// after the other, are the code.
pub(super) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = code;
    let mut after_fn = false;
    while let Some(first) = rest.chars().next() {
        let (class, length) = token(rest, first, after_fn);
        let (text, tail) = rest.split_at(length);
        if class.is_some() || !text.trim().is_empty() {
            after_fn = class == Some("keyword") && text == "fn";
        }
        tokens.push(Token { class, text });
        rest = tail;
    }
    tokens
}

/// The class and the length of the token that `rest` starts with.
fn token(
    rest: &str,
    first: char,
    after_fn: bool,
) -> (Option<&'static str>, usize) {
    if rest.starts_with("//") {
        return (Some("comment"), until(rest, |c| c == '\n'));
    }
    if rest.starts_with("/*") {
        return (Some("comment"), block_comment(rest));
    }
    if rest.starts_with("#[") || rest.starts_with("#![") {
        return (Some("attr"), attribute(rest));
    }
    if let Some(length) = string(rest) {
        return (Some("string"), length);
    }
    if first == '\'' {
        return quote(rest);
    }
    if first.is_ascii_digit() {
        return (Some("number"), number(rest));
    }
    if is_word_start(first) {
        let length = until(rest, |c| !is_word(c));
        return word(&rest[..length], &rest[length..], after_fn);
    }
    (None, first.len_utf8())
}

/// The length of the text before the first character that `ends` it.
fn until(text: &str, ends: impl Fn(char) -> bool) -> usize {
    text.find(ends).unwrap_or(text.len())
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn word(
    word: &str,
    rest: &str,
    after_fn: bool,
) -> (Option<&'static str>, usize) {
    let is_macro = rest.starts_with('!') && !rest.starts_with("!=");
    let class = if KEYWORDS.contains(&word) {
        Some("keyword")
    } else if LITERALS.contains(&word) {
        Some("literal")
    } else if is_macro {
        return (Some("title"), word.len() + 1);
    } else if after_fn {
        Some("title")
    } else if PRIMITIVES.contains(&word) || is_type(word) {
        Some("built_in")
    } else {
        None
    };
    (class, word.len())
}

/// `UnixStream` and `T` are types; `SOCKET_PATH` is a constant.
fn is_type(word: &str) -> bool {
    word.starts_with(char::is_uppercase)
        && (word.len() == 1 || word.contains(char::is_lowercase))
}

fn number(text: &str) -> usize {
    let mut length = until(text, |c| !is_word(c));
    let fraction = &text[length..];
    if fraction.starts_with('.')
        && fraction[1..].starts_with(|c: char| c.is_ascii_digit())
    {
        length += 1 + until(&fraction[1..], |c| !is_word(c));
    }
    length
}

/// The length of the string literal that `text` starts with, if it does:
/// `"…"`, `b"…"`, `c"…"`, `r#"…"#`, `br"…"`, `cr"…"`, and the byte `b'…'`.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""]
        .into_iter()
        .find(|prefix| text.starts_with(prefix))
        .unwrap_or_default();
    let rest = &text[prefix.len()..];
    if prefix == "b" && rest.starts_with('\'') {
        let (class, length) = quote(rest);
        return (class == Some("string")).then_some(1 + length);
    }
    if !prefix.ends_with('r') {
        return rest
            .starts_with('"')
            .then(|| prefix.len() + escaped(rest, '"'));
    }
    let hashes = until(rest, |c| c != '#');
    let inside = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(prefix.len() + hashes + 1 + length)
}

/// The length of a literal between two `delimiter`s in which a backslash
/// takes the next character's meaning away.
fn escaped(text: &str, delimiter: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == delimiter {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// A character (`'a'`, `'\n'`) or a lifetime (`'a`).
fn quote(text: &str) -> (Option<&'static str>, usize) {
    let mut inside = text[1..].chars();
    match (inside.next(), inside.next()) {
        (Some('\\'), Some(_)) => (Some("string"), escaped(text, '\'')),
        (Some(c), Some('\'')) if c != '\'' => {
            (Some("string"), c.len_utf8() + 2)
        }
        (Some(c), _) if is_word_start(c) => {
            (Some("attr"), 1 + until(&text[1..], |c| !is_word(c)))
        }
        _ => (None, 1),
    }
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += c.len_utf8();
        }
    }
    at
}

/// `#[…]` and `#![…]`, with the brackets and strings in it.
fn attribute(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if let Some(length) = string(&text[at..]) {
            at += length;
            continue;
        }
        at += c.len_utf8();
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return at,
            ']' => depth -= 1,
            _ => {}
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The classes, each with its text, as `class:text`.
    fn classes(code: &str) -> Vec<String> {
        tokens(code)
            .iter()
            .filter_map(|token| {
                Some(format!("{}:{}", token.class?, token.text))
            })
            .collect()
    }

    #[test]
    fn a_lifetime_is_not_a_character() {
        assert_eq!(
            classes(r"'a 'x' '\'' b'\n' b' ' '_ 'static"),
            [
                "attr:'a",
                "string:'x'",
                r"string:'\''",
                r"string:b'\n'",
                "string:b' '",
                "attr:'_",
                "attr:'static",
            ]
        );
    }

    #[test]
    fn strings_end_where_rust_ends_them() {
        assert_eq!(
            classes(r##""a\"b" r"\" r#"a"b"# br"x" c"y" b"z" r#in"##),
            [
                r#"string:"a\"b""#,
                r#"string:r"\""#,
                r##"string:r#"a"b"#"##,
                r#"string:br"x""#,
                r#"string:c"y""#,
                r#"string:b"z""#,
                "keyword:in",
            ]
        );
    }

    #[test]
    fn names_are_told_apart() {
        assert_eq!(
            classes("fn run(path: &Path) -> u8 { println!(MAX != 1..0x2f) }"),
            [
                "keyword:fn",
                "title:run",
                "built_in:Path",
                "built_in:u8",
                "title:println!",
                "number:1",
                "number:0x2f",
            ]
        );
    }

    #[test]
    fn comments_nest_and_attributes_close() {
        assert_eq!(
            classes("/* a /* b */ c */ #[doc = \"]\"] // d\n1.5"),
            [
                "comment:/* a /* b */ c */",
                "attr:#[doc = \"]\"]",
                "comment:// d",
                "number:1.5",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_is_lost(code in any::<String>()) {
            let text: String = tokens(&code).iter().map(|t| t.text).collect();
            prop_assert_eq!(text, code);
        }

        #[test]
        fn no_code_is_lost(code in r##"[a-z'"#/*!\[\]\\br0.\n é]{0,40}"##) {
            let text: String = tokens(&code).iter().map(|t| t.text).collect();
            prop_assert_eq!(text, code);
        }
    }
}
