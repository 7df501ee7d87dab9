//! Broken files, and what the program says of each. `UPDATE_GOLDEN=1 cargo test --test diagnostics` writes it anew.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use eutectic::files::{NewCampaign, load_campaign, load_lab, write};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Mutated files that are read in [`no_mutation_makes_the_reader_panic`].
const MUTATIONS: u64 = 3_000;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken").join(name)
}

/// Compares what `said` tells of every file in a folder with the text beside it.
fn golden(name: &str, least: usize, said: impl Fn(&Path) -> String) {
    let folder = folder(name);
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
    files.sort();
    assert!(files.len() >= least, "only {} broken files", files.len());
    let mut others = Vec::new();
    for file in files {
        // Without the places that differ from machine to machine.
        let said = said(&file).replace(&format!("{}/", folder.display()), "").trim_end().to_owned() + "\n";
        assert!(said.contains("error:") || said.contains("warning:"), "{}:\n{said}", file.display());
        let expected = file.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected, &said).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != said {
            others.push(format!("{}:\n{said}", file.display()));
        }
    }
    assert!(others.is_empty(), "said otherwise than before:\n{}", others.join("\n"));
}

#[test]
fn broken_campaign_files_are_told_apart() {
    golden("campaigns", 50, |file| load_campaign(file).map_or_else(|it| it.to_string(), |it| it.warnings.to_string()));
}

#[test]
fn broken_lab_files_are_told_apart() {
    golden("labs", 10, |file| load_lab(file).map_or_else(|it| it.to_string(), |it| it.warnings.to_string()));
}

#[test]
fn what_the_instruments_cannot_do_is_told_before_anything_moves() {
    let data = tempfile::tempdir().unwrap();
    golden("drivers", 7, |file| {
        let output = Command::new(env!("CARGO_BIN_EXE_eutectic"))
            .arg("--data")
            .arg(data.path())
            .arg("check")
            .arg(file)
            .arg("--lab")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/snar/lab.toml"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap()
    });
    for process in ["reactor", "hplc"].map(|name| data.path().join("lab").join(format!("{name}.address"))) {
        if let Some(process) = std::fs::read_to_string(process).unwrap_or_default().lines().nth(1) {
            let _ = Command::new("kill").args(["-9", process]).stderr(Stdio::null()).status();
        }
    }
}

/// A campaign file with one line added.
fn with(line: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/by-hand/campaign.toml"));
    format!("{}\n{line}\n", text.unwrap())
}

fn told(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("campaign.toml");
    std::fs::write(&file, bytes).unwrap();
    load_campaign(&file).map_or_else(|report| report.to_string(), |_| "it is fine".into())
}

#[test]
fn files_that_are_no_text_or_too_large_are_refused_unread() {
    let binary = told(&[b'n', b'a', 0xff, 0xfe, 0, 1, 2]);
    assert!(binary.contains("UTF-8") && binary.contains("byte"), "{binary}");
    let large = told(format!("# {}\n", "x".repeat(30 * 1024 * 1024)).as_bytes());
    assert!(large.contains("MiB") || large.contains("bytes"), "{large}");
    assert!(large.len() < 1_000);
    let folder = tempfile::tempdir().unwrap();
    assert!(load_campaign(folder.path()).is_err(), "a folder is no file");
    assert!(load_lab(&folder.path().join("nowhere.toml")).is_err());
}

#[test]
fn expressions_of_any_shape_are_read_or_refused() {
    let long = |part: &str, end: &str, times: usize| format!("{}{end}", part.repeat(times));
    let shapes = [
        long("(", "1 <= 2", 4000),
        long("-", "temperature <= 2", 4000),
        long("- ", "temperature <= 2", 2000),
        long("!", "(temperature <= 2)", 4000),
        long("1 + ", "temperature <= 2", 1000),
        long("temperature <= 2 || ", "temperature <= 2", 200),
        long("temperature <= 2 ? true : ", "false", 150),
        long("abs(", "1 <= 2", 1000),
        long("[", "1", 4000),
        long("{'a': ", "1", 600),
        long("a.", "b <= 2", 2000),
        long("\\u0000", " <= 2", 10),
        long("temperature", " <= 2", 390),
        "temperature <= 1e999".into(),
        "temperature <= 99999999999999999999999999".into(),
        "temperature / 0 <= 1".into(),
    ];
    for shape in shapes {
        let said = told(with(&format!("[[constraint]]\nrequire = '''{shape}'''")).as_bytes());
        assert!(said.len() < 10_000, "{said}");
    }
}

/// Removes, doubles, replaces or moves a part of a text.
fn mutated(text: &str, source: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=source.next_u64() % 3 {
        let below = |source: &mut ChaCha8Rng, bound: usize| (source.next_u64() % bound.max(1) as u64) as usize;
        let start = below(source, bytes.len());
        let end = (start + 1 + below(source, 12)).min(bytes.len());
        let part = bytes[start..end].to_vec();
        let to = below(source, bytes.len());
        match source.next_u64() % 5 {
            0 => drop(bytes.drain(start..end)),
            1 => drop(bytes.splice(to..to, part)),
            2 => drop(bytes.splice(start..end, [b"[]{}\"'=.,#-+()@$&|<>01e9nan\n\\\xff\x00"[below(source, 30)]])),
            3 => drop(bytes.splice(start..end, "\u{1f9ea}é".bytes())),
            _ => bytes.truncate(end),
        }
    }
    bytes
}

#[test]
fn no_mutation_makes_the_reader_panic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts = ["examples/snar/campaign.toml", "examples/by-hand/campaign.toml", "examples/snar/lab.toml"]
        .map(|file| std::fs::read_to_string(root.join(file)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mutated.toml");
    let (mut read, mut refused) = (0, 0);
    for seed in 0..MUTATIONS {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        let text = &texts[(seed % 3) as usize];
        std::fs::write(&file, mutated(text, &mut source)).unwrap();
        let report = match seed % 3 {
            2 => load_lab(&file).err(),
            _ => load_campaign(&file).err(),
        };
        match report {
            None => read += 1,
            Some(report) => {
                assert!(report.errors() > 0 && !report.to_string().is_empty(), "seed {seed}");
                refused += 1;
            }
        }
    }
    assert!(read > 50 && refused > 500, "{read} read, {refused} refused");
}

#[test]
fn what_new_writes_is_read_back_as_it_was_meant() {
    let wanted = NewCampaign {
        name: "suzuki".into(),
        parameters: ["temperature=30..110 degC", "ligand=XPhos|SPhos", "n=1..8 integer"].map(str::to_owned).to_vec(),
        maximize: vec!["yield=%".into()],
        minimize: Vec::new(),
        outcomes: vec!["impurity=%".into()],
        requirements: vec!["impurity <= 2".into(), "temperature <= 100".into()],
        budget: 30,
    };
    let text = write(&wanted).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("campaign.toml");
    std::fs::write(&file, &text).unwrap();
    let spec = load_campaign(&file).unwrap_or_else(|report| panic!("{report}\n{text}")).spec;
    assert_eq!(spec.name.as_str(), "suzuki");
    assert_eq!(spec.parameters.len(), 3);
    assert_eq!((spec.parameter_constraints.len(), spec.outcome_constraints.len()), (1, 1));
    assert_eq!(spec.budget.experiments, 30);
}
