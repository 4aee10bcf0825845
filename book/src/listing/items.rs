//! The items of a source file, and how a listing names them.

use std::ops::Range;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{ImplItem, TraitItem};

/// An item: its names and its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// The ways to name it, the full name first.
    pub names: Vec<String>,
    /// Its lines in the file, counted from 0.
    pub lines: Range<usize>,
    /// The line on which its body, in braces, opens.
    pub body: Option<usize>,
}

impl Item {
    /// The name that tells it from all others.
    pub fn name(&self) -> &str {
        &self.names[0]
    }
}

/// What [`items`] found in a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Items {
    /// Every item, in the order of the file, an item before those inside it.
    pub items: Vec<Item>,
    /// The lines of the `use` declarations at the top.
    uses: Vec<Range<usize>>,
    /// The lines of the file's own comment and attributes.
    head: Option<Range<usize>>,
}

/// Finds the items of a Rust file.
///
/// # Errors
///
/// The line, counted from 1, on which it is not Rust, and why.
pub(super) fn items(text: &str) -> Result<Items, (usize, String)> {
    let file = syn::parse_file(text)
        .map_err(|error| (error.span().start().line, error.to_string()))?;
    let mut finder = Finder {
        lines: text.lines().map(str::trim).collect(),
        found: Items::default(),
    };
    finder.found.head = file
        .attrs
        .iter()
        .map(|attribute| lines(attribute.span()))
        .reduce(|first, last| first.start..last.end);
    finder.in_module("", &file.items);
    Ok(finder.found)
}

impl Items {
    /// The lines that `name` means.
    ///
    /// # Errors
    ///
    /// That nothing, or more than one thing, has this name, and what to write
    /// instead.
    pub fn find(&self, name: &str) -> Result<Vec<Range<usize>>, String> {
        if name == "use" && !self.uses.is_empty() {
            return Ok(self.uses.clone());
        }
        if name == "//!"
            && let Some(head) = &self.head
        {
            return Ok(vec![head.clone()]);
        }
        let named = |exactly: bool| -> Vec<&Item> {
            let is_named = |item: &&Item| match exactly {
                true => item.name() == name,
                false => item.names.iter().any(|other| other == name),
            };
            self.items.iter().filter(is_named).collect()
        };
        let mut found = named(true);
        if found.is_empty() {
            found = named(false);
        }
        match found.as_slice() {
            [item] => Ok(vec![item.lines.clone()]),
            [] => Err(format!("has no `{name}`; it has {}", self.names())),
            several => {
                let places: Vec<String> = several
                    .iter()
                    .map(|item| {
                        let line = item.lines.start + 1;
                        format!("`{}` in line {line}", item.name())
                    })
                    .collect();
                Err(format!(
                    "has several `{name}`: {}; write a full name, or show \
                     what is around it",
                    places.join(", ")
                ))
            }
        }
    }

    fn names(&self) -> String {
        let head = self.head.iter().map(|_| "//!");
        let uses = self.uses.iter().take(1).map(|_| "use");
        let items = self.items.iter().map(Item::name);
        head.chain(uses).chain(items).collect::<Vec<_>>().join(" ")
    }
}

struct Finder<'a> {
    /// The file's lines, trimmed.
    lines: Vec<&'a str>,
    found: Items,
}

impl Finder<'_> {
    fn in_module(&mut self, path: &str, items: &[syn::Item]) {
        for item in items {
            self.item(path, item);
        }
    }

    fn item(&mut self, path: &str, item: &syn::Item) {
        let span = item.span();
        let (name, body) = match item {
            syn::Item::Const(item) => (item.ident.to_string(), None),
            syn::Item::Static(item) => (item.ident.to_string(), None),
            syn::Item::Type(item) => (item.ident.to_string(), None),
            syn::Item::Macro(item) => match &item.ident {
                Some(name) => (name.to_string(), None),
                None => return,
            },
            syn::Item::Struct(item) => {
                let body = match &item.fields {
                    syn::Fields::Named(fields) => Some(fields.brace_token),
                    _ => None,
                };
                (item.ident.to_string(), body)
            }
            syn::Item::Union(item) => {
                (item.ident.to_string(), Some(item.fields.brace_token))
            }
            syn::Item::Enum(item) => {
                (item.ident.to_string(), Some(item.brace_token))
            }
            syn::Item::Fn(item) => {
                (item.sig.ident.to_string(), Some(item.block.brace_token))
            }
            syn::Item::Mod(item) => {
                let name = item.ident.to_string();
                let body = item.content.as_ref().map(|(brace, _)| *brace);
                self.add(spellings(path, &[&name]), span, body);
                if let Some((_, items)) = &item.content {
                    self.in_module(&format!("{path}{name}::"), items);
                }
                return;
            }
            syn::Item::Trait(item) => return self.of_trait(path, item),
            syn::Item::Impl(item) => return self.of_impl(path, item),
            syn::Item::Use(_) if path.is_empty() => {
                let lines = self.with_comment(lines(span));
                self.found.uses.push(lines);
                return;
            }
            _ => return,
        };
        self.add(spellings(path, &[&name]), span, body);
    }

    fn of_trait(&mut self, path: &str, item: &syn::ItemTrait) {
        let name = item.ident.to_string();
        self.add(
            spellings(path, &[&name]),
            item.span(),
            Some(item.brace_token),
        );
        for part in &item.items {
            let (part_name, body) = match part {
                TraitItem::Const(part) => (&part.ident, None),
                TraitItem::Type(part) => (&part.ident, None),
                TraitItem::Fn(part) => {
                    let body = part.default.as_ref().map(|b| b.brace_token);
                    (&part.sig.ident, body)
                }
                _ => continue,
            };
            let names = spellings(path, &[&format!("{name}::{part_name}")]);
            self.add(names, part.span(), body);
        }
    }

    fn of_impl(&mut self, path: &str, item: &syn::ItemImpl) {
        let Some(name) = type_name(&item.self_ty) else { return };
        let of_trait = item.trait_.as_ref().and_then(|(path, _)| {
            path.segments.last().map(|segment| segment.ident.to_string())
        });
        let block = match &of_trait {
            Some(of_trait) => format!("{name}::{of_trait}"),
            None => format!("{name}::impl"),
        };
        self.add(
            spellings(path, &[&block]),
            item.span(),
            Some(item.brace_token),
        );
        for part in &item.items {
            let (part_name, body) = match part {
                ImplItem::Const(part) => (&part.ident, None),
                ImplItem::Type(part) => (&part.ident, None),
                ImplItem::Fn(part) => {
                    (&part.sig.ident, Some(part.block.brace_token))
                }
                _ => continue,
            };
            let short = format!("{name}::{part_name}");
            let names = match of_trait {
                Some(_) => vec![format!("{block}::{part_name}"), short],
                None => vec![short],
            };
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            self.add(spellings(path, &names), part.span(), body);
        }
    }

    fn add(
        &mut self,
        names: Vec<String>,
        span: Span,
        body: Option<syn::token::Brace>,
    ) {
        let item = Item {
            names,
            lines: self.with_comment(lines(span)),
            body: body.map(|brace| brace.span.open().start().line - 1),
        };
        self.found.items.push(item);
    }

    /// `syn` does not see comments that are not documentation.
    fn with_comment(&self, lines: Range<usize>) -> Range<usize> {
        let above = self.lines[..lines.start].iter().rev();
        let comment = above.take_while(|line| {
            line.starts_with("//") && !line.starts_with("//!")
        });
        lines.start - comment.count()..lines.end
    }
}

/// The names of an item in the module `path`: with the path, and without.
fn spellings(path: &str, names: &[&str]) -> Vec<String> {
    let mut spellings: Vec<String> =
        names.iter().map(|name| format!("{path}{name}")).collect();
    if !path.is_empty() {
        spellings.extend(names.iter().map(|name| name.to_string()));
    }
    spellings
}

/// `SocketName` for `&mut SocketName`.
fn type_name(of: &syn::Type) -> Option<String> {
    match of {
        syn::Type::Path(of) => Some(of.path.segments.last()?.ident.to_string()),
        syn::Type::Reference(of) => type_name(&of.elem),
        _ => None,
    }
}

fn lines(span: Span) -> Range<usize> {
    span.start().line - 1..span.end().line
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
//! Head.

use std::fs;
// Why.
use std::io;

const A: u8 = 1;

// Not documentation.
/// Documentation.
#[derive(Debug)]
struct Name {
    a: u8,
}

impl Drop for Name {
    /// Removes it.
    fn drop(&mut self) {
    }
}

impl Name {
    fn new() -> Self {
        Self { a: 1 }
    }
}

mod inner {
    pub fn new() {}
    pub fn only() {}
}

fn drop() {}
";

    fn found(name: &str) -> Result<Vec<Range<usize>>, String> {
        items(TEXT).unwrap().find(name)
    }

    #[test]
    fn every_kind_of_name_is_found() {
        let places: [(&str, &[(usize, usize)]); 13] = [
            ("//!", &[(0, 1)]),
            ("use", &[(2, 3), (3, 5)]),
            ("A", &[(6, 7)]),
            ("Name", &[(8, 14)]),
            ("Name::Drop", &[(15, 20)]),
            ("Name::drop", &[(16, 19)]),
            ("Name::Drop::drop", &[(16, 19)]),
            ("Name::impl", &[(21, 26)]),
            ("Name::new", &[(22, 25)]),
            ("inner", &[(27, 31)]),
            ("inner::new", &[(28, 29)]),
            ("only", &[(29, 30)]),
            ("drop", &[(32, 33)]),
        ];
        for (name, lines) in places {
            let found: Vec<(usize, usize)> = found(name)
                .unwrap()
                .into_iter()
                .map(|lines| (lines.start, lines.end))
                .collect();
            assert_eq!(found, lines, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_told_what_there_is() {
        assert_eq!(
            found("b").unwrap_err(),
            "has no `b`; it has //! use A Name Name::Drop Name::Drop::drop \
             Name::impl Name::new inner inner::new inner::only drop"
        );
    }

    #[test]
    fn a_name_that_two_items_have_is_refused() {
        let text = "mod a { fn f() {} }\nmod b { fn f() {} }\n";
        let error = items(text).unwrap().find("f").unwrap_err();
        assert!(
            error.starts_with(
                "has several `f`: `a::f` in line 1, `b::f` in line 2"
            ),
            "{error}"
        );
    }

    #[test]
    fn what_is_not_rust_is_told_by_line() {
        assert_eq!(items("fn a() {}\nfn (").unwrap_err().0, 2);
    }
}
