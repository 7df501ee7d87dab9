//! The rules of ARCHITECTURE.md that a compiler doesn't enforce. Each is also shown to be able to fail.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// Who may import whom: a room, the rooms of the main crate that it may use, and the crates of the workspace.
const MAY_IMPORT: [(&str, &[&str], &[&str]); 14] = [
    (
        "cli",
        &["closest", "doctor", "files", "host", "lab", "planning"],
        &["eutectic_planners", "eutectic_proto", "eutectic_instruments"],
    ),
    ("closest", &[], &[]),
    (
        "control",
        &["engine", "files", "gateway", "lab", "paging", "planning", "projections"],
        &["eutectic_core", "eutectic_proto"],
    ),
    ("doctor", &["engine", "journal", "planning"], &["eutectic_core"]),
    ("engine", &["gateway", "journal", "planning"], &["eutectic_core", "eutectic_failpoints"]),
    ("files", &["closest", "units"], &["eutectic_core"]),
    ("gateway", &["units"], &["eutectic_core", "eutectic_failpoints", "eutectic_proto"]),
    ("host", &["control", "engine", "journal", "lab"], &[]),
    ("journal", &[], &["eutectic_failpoints"]),
    ("lab", &["closest", "engine", "files", "gateway", "paging"], &["eutectic_core", "eutectic_proto"]),
    ("paging", &["engine", "files", "projections"], &["eutectic_core"]),
    ("planning", &[], &["eutectic_core", "eutectic_planners", "eutectic_proto"]),
    ("projections", &[], &["eutectic_core"]),
    ("units", &["closest"], &["eutectic_core"]),
];

/// The crates of the workspace beside the main one: their folder, and those they may name.
const CRATES: [(&str, &[&str]); 7] = [
    ("failpoints", &["eutectic_failpoints"]),
    ("proto", &["eutectic_proto"]),
    ("planners", &["eutectic_planners"]),
    ("instruments", &["eutectic_instruments", "eutectic_proto", "eutectic_failpoints"]),
    ("src/core", &["eutectic_core"]),
    ("benchmarks", &["eutectic_benchmarks", "eutectic", "eutectic_core", "eutectic_proto"]),
    (
        "simulation",
        &["eutectic_simulation", "eutectic", "eutectic_core", "eutectic_failpoints", "eutectic_instruments"],
    ),
];

/// What the core must not reach: clocks, randomness, IO, and orders that differ from process to process.
const CORE_MUST_NOT: [&str; 14] = [
    "std::time",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "std::sync",
    "HashMap",
    "HashSet",
    "println!",
    "rand::",
    "tokio",
    "unsafe",
];

/// The crates that the core may depend on: none of them can reach what [`CORE_MUST_NOT`] lists.
const CORE_MAY_DEPEND: [&str; 5] = ["serde", "serde_json", "sha2", "thiserror", "libm"];

/// A file that passes this asks for another design.
const MAX_LINES: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the repository, or the one file.
fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![root().join(below)];
    let mut found = Vec::new();
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            folders.extend(entries.filter(|path| path.file_name().is_none_or(|name| name != "target")));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// The code without comments and texts in it, so that a word about something isn't taken for its use.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The names that follow `prefix` in a text: of `crate::engine::Step`, with the prefix `crate::`, `engine`.
fn named<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let word = |rest: &'a str| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    };
    code.split(prefix).skip(1).map(word)
}

fn workspace_crates(code: &str) -> impl Iterator<Item = String> {
    named(code, "eutectic_").map(|name| format!("eutectic_{name}"))
}

/// The imports of a room's file that its row doesn't allow.
fn imports_against(text: &str, room: &str, rooms: &[&str], crates: &[&str]) -> Vec<String> {
    let code = code(text);
    let known = |name: &&str| MAY_IMPORT.iter().any(|(room, ..)| room == name);
    let inner = named(&code, "crate::").filter(known).filter(|name| *name != room && !rooms.contains(name));
    let outer = workspace_crates(&code).filter(|name| is_crate(name) && !crates.contains(&name.as_str()));
    inner.map(str::to_owned).chain(outer).collect()
}

fn is_crate(name: &str) -> bool {
    CRATES.iter().any(|(_, names)| names.first() == Some(&name))
}

#[test]
fn every_room_is_in_the_table() {
    let entries = std::fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().path());
    for path in entries {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let room = MAY_IMPORT.iter().any(|(room, ..)| *room == name);
        assert!(room || ["core", "lib", "main"].contains(&name.as_str()), "src/{name} is in no row of MAY_IMPORT");
    }
}

#[test]
fn rooms_import_only_what_the_architecture_lets_them() {
    for (room, rooms, crates) in MAY_IMPORT {
        let file = format!("src/{room}.rs");
        let place = if root().join(&file).exists() { file } else { format!("src/{room}") };
        for (path, text) in sources(&place) {
            let against = imports_against(&text, room, rooms, crates);
            assert!(against.is_empty(), "{} imports {against:?}", path.display());
        }
    }
    // The check sees what it is there to see.
    assert_eq!(imports_against("use crate::engine::Step;", "journal", &[], &[]), ["engine"]);
    assert_eq!(imports_against("use eutectic_proto::v1;", "journal", &[], &[]), ["eutectic_proto"]);
    assert!(imports_against("// crate::engine\nuse crate::journal::Log;", "journal", &[], &[]).is_empty());
}

#[test]
fn crates_know_only_what_stands_below_them() {
    let against = |text: &str, allowed: &[&str]| {
        workspace_crates(&code(text))
            .filter(|name| is_crate(name) && !allowed.contains(&name.as_str()))
            .collect::<Vec<_>>()
    };
    for (folder, allowed) in CRATES {
        for (path, text) in sources(folder) {
            let against = against(&text, allowed);
            assert!(against.is_empty(), "{} names {against:?}", path.display());
        }
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        for line in manifest.lines().filter(|line| line.starts_with("eutectic-")) {
            let name = line.split(' ').next().unwrap().replace('-', "_");
            assert!(allowed.contains(&name.as_str()), "{folder}/Cargo.toml depends on {name}");
        }
    }
    assert_eq!(against("use eutectic_core::Event;", &["eutectic_planners"]), ["eutectic_core"]);
}

fn reaches(text: &str) -> Vec<&'static str> {
    let code = code(text);
    CORE_MUST_NOT.into_iter().filter(|word| code.contains(word)).collect()
}

#[test]
fn the_core_reaches_no_clock_no_randomness_and_no_io() {
    for (path, text) in sources("src/core") {
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let found = reaches(&text);
        assert!(found.is_empty(), "{} reaches {found:?}", path.display());
    }
    let manifest = std::fs::read_to_string(root().join("src/core/Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for name in dependencies.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name) {
        assert!(CORE_MAY_DEPEND.contains(&name), "the core depends on {name}");
    }
    assert_eq!(reaches("let now = std::time::SystemTime::now();"), ["std::time"]);
    assert_eq!(reaches("use std::collections::HashMap; // std::fs"), ["HashMap"]);
}

#[test]
fn no_file_outgrows_its_room() {
    for folder in ["src", "planners", "instruments", "proto", "failpoints", "simulation", "tests"] {
        for (path, text) in sources(folder) {
            assert!(text.lines().count() <= MAX_LINES, "{} has more than {MAX_LINES} lines", path.display());
        }
    }
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    // Split, so that this file doesn't find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("unimpl", "emented!")];
    for folder in ["src", "planners", "instruments", "proto", "failpoints", "simulation", "tests", "examples"] {
        for (path, text) in sources(folder) {
            let found: Vec<_> = marks.iter().filter(|mark| text.contains(**mark)).collect();
            assert!(found.is_empty(), "{} has {found:?}", path.display());
        }
    }
}
