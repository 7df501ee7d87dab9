//! The adapters to what labs own, each against that project's own simulator, accepted by the kit.

use crate::driver::Driver;
use crate::kit::check;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A Python with pyvisa, pyvisa-sim and pylabrobot; in CI there has to be one.
const PYTHON: &str = "EUTECTIC_ADAPTERS_PYTHON";

/// An example driver behind the host; `None` where its packages are missing.
fn example(name: &str, more: &[(&str, &Path)]) -> Option<Driver> {
    let Ok(python) = std::env::var(PYTHON) else {
        assert!(std::env::var_os("EUTECTIC_CI").is_none(), "in CI {PYTHON} has to be set");
        eprintln!("skipped: {PYTHON} names no Python with pyvisa, pyvisa-sim and pylabrobot");
        return None;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = root.join("examples/drivers").join(format!("{name}.py")).display().to_string();
    let mut environment = vec![
        ("PYTHONPATH".to_owned(), root.join("instruments/python").display().to_string()),
        ("EUTECTIC_DRIVER_CHILD".to_owned(), "1".to_owned()),
    ];
    environment.extend(more.iter().map(|(name, path)| ((*name).to_owned(), path.display().to_string())));
    Some(Driver::host(Arc::new(tempfile::tempdir().unwrap()), name, &[python, script], &environment))
}

#[test]
fn a_supply_over_scpi_passes_the_kit() {
    let Some(mut driver) = example("supply", &[]) else { return };
    let (passed, said) = check(&mut driver, &[]);
    assert!(passed, "{said}");
}

#[test]
fn a_liquid_handler_by_pylabrobot_passes_the_kit() {
    let Some(mut driver) = example("pipettor", &[]) else { return };
    let (passed, said) = check(&mut driver, &["--argument", "volume=50"]);
    assert!(passed, "{said}");
}

/// Stands in for the program of a plate reader: each order is answered by a file, bit by bit.
fn answer_orders(export: PathBuf, done: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let orders = export.join("orders.txt");
        for count in 0_u32.. {
            if done.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
            let Ok(sample) = std::fs::read_to_string(&orders) else { continue };
            let _ = std::fs::remove_file(&orders);
            let file = export.join(format!("{}-{count}.csv", sample.trim()));
            std::fs::write(&file, "well,absorbance\n").unwrap();
            std::thread::sleep(Duration::from_millis(100));
            std::fs::write(&file, "well,absorbance\nA1,0.5\n").unwrap();
        }
    })
}

#[test]
fn a_watched_folder_passes_the_kit() {
    let export = tempfile::tempdir().unwrap();
    let Some(mut driver) = example("reader", &[("READER_EXPORT", export.path())]) else { return };
    let done = Arc::new(AtomicBool::new(false));
    let program = answer_orders(export.path().to_owned(), Arc::clone(&done));
    let (passed, said) = check(&mut driver, &["--argument", "sample=plate7"]);
    done.store(true, Ordering::Relaxed);
    program.join().unwrap();
    assert!(passed, "{said}");
    assert!(said.contains("44 ok"), "its file is read: {said}");
}
