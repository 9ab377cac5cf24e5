//! The pages of `docs/`: their sections and fenced blocks.

use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block: its language, its text, the file it is the content of, and why it is not run.
pub struct Block {
    pub kind: String,
    pub text: String,
    pub file: Option<String>,
    pub excuse: Option<String>,
}

/// A part of a page below one heading of the second level; before the first it has no title.
pub struct Section {
    pub title: String,
    pub blocks: Vec<Block>,
    /// Lines of blocks that are only indented, which have no language and which nothing reads.
    pub indented: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The names of all pages.
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().display().to_string());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    names
}

/// The sections of a page.
pub fn sections(name: &str) -> Vec<Section> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    text.split("\n## ").map(section).collect()
}

/// The section with a title.
#[track_caller]
pub fn section_of(name: &str, title: &str) -> Section {
    let found = sections(name).into_iter().find(|section| section.title == title);
    found.unwrap_or_else(|| panic!("{name} has no section {title}"))
}

fn section(text: &str) -> Section {
    let title = text.lines().next().unwrap_or_default().to_owned();
    let mut section = Section { title, blocks: Vec::new(), indented: Vec::new() };
    let mut before = "";
    let mut is_after_gap = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let between = |start, end| {
                let inner = before.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
                inner.map(str::to_owned)
            };
            section.blocks.push(Block {
                kind: kind.to_owned(),
                text: inside.join("\n") + "\n",
                file: between("`", "`:"),
                excuse: between("<!-- not run: ", " -->"),
            });
        } else if is_after_gap && line.starts_with("    ") {
            section.indented.push(line.to_owned());
        }
        is_after_gap = line.is_empty();
        if !line.is_empty() {
            before = line;
        }
    }
    section
}
