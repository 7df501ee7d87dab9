//! `driver new`: a driver's project that passes the kit as it stands.

use super::arguments::NewDriverArguments;
use super::output::{line, note};
use super::{Failure, Global, json};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A file's path within the project, and its text: with NAME for the driver's name, CLASS for its type, SDK for where that is.
type Template = (&'static str, &'static str);

const RUST: [Template; 3] = [
    ("Cargo.toml", include_str!("../../instruments/templates/rust/Cargo.toml")),
    ("src/main.rs", include_str!("../../instruments/templates/rust/main.rs")),
    ("README.md", include_str!("../../instruments/templates/rust/README.md")),
];
const PYTHON: [Template; 2] = [
    ("NAME.py", include_str!("../../instruments/templates/python/NAME.py")),
    ("README.md", include_str!("../../instruments/templates/python/README.md")),
];
/// The most letters of a name.
const NAME_LENGTH_MAX: usize = 40;

pub(super) fn new(global: &Global, it: &NewDriverArguments) -> Result<ExitCode, Failure> {
    let name = &it.name;
    let letters = name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    if !letters || !name.starts_with(|it: char| it.is_ascii_lowercase()) || name.len() > NAME_LENGTH_MAX {
        let help = "a name is small letters, digits and _, beginning with a letter: flow_reactor";
        return Err(Failure::new(format!("'{name}' is no name of a driver"), help));
    }
    let folder = it.folder.clone().unwrap_or_else(|| PathBuf::from(name));
    let templates: &[Template] = if it.python { &PYTHON } else { &RUST };
    fs::create_dir(&folder).map_err(|error| failed(&folder, &error))?;
    let mut written = Vec::new();
    for (path, text) in templates {
        let path = folder.join(path.replace("NAME", name));
        let text = text.replace("SDK", &sdk(it.sdk.as_deref())?).replace("CLASS", &class(name)).replace("NAME", name);
        let parent = path.parent().unwrap_or(&folder);
        let write = fs::create_dir_all(parent).and_then(|()| fs::write(&path, text));
        write.map_err(|error| failed(&path, &error))?;
        written.push(path.display().to_string());
    }
    if global.json {
        json::line(&json!({"written": written}));
        return Ok(ExitCode::SUCCESS);
    }
    written.iter().for_each(|path| line(path));
    note(&format!("{} says what to do next", folder.join("README.md").display()));
    Ok(ExitCode::SUCCESS)
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    let exists = error.kind() == std::io::ErrorKind::AlreadyExists;
    let help = if exists { "name another folder by --folder" } else { "" };
    Failure::new(format!("'{}' can't be written: {error}", path.display()), help)
}

/// Where the project finds the SDK: where it was said, or the sources that this program was made from.
fn sdk(given: Option<&Path>) -> Result<String, Failure> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("instruments");
    let path = given.map_or_else(|| own.is_dir().then_some(own), |given| Some(given.to_owned()));
    let Some(path) = path else { return Ok(format!("{:?}", env!("CARGO_PKG_VERSION"))) };
    let path = std::path::absolute(&path).map_err(|error| failed(&path, &error))?;
    Ok(format!("{{ path = {:?} }}", path.display().to_string()))
}

/// `flow_reactor` as a type: `FlowReactor`.
fn class(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_type() {
        assert_eq!(class("flow_reactor_2"), "FlowReactor2");
    }
}
