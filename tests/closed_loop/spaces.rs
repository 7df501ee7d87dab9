//! Campaigns whose space is no box, from their files to what is proposed: mixtures, levels, plates, candidates, descriptors.

use crate::bench::{Bench, events};
use serde_json::Value;

fn settings(bench: &Bench) -> Vec<Value> {
    events(&bench.log(), "experiment_added").map(|event| event["setting"].clone()).collect()
}

fn number(setting: &Value, name: &str) -> f64 {
    setting[name]["real"].as_f64().unwrap_or_else(|| panic!("no number '{name}' in {setting}"))
}

const BLEND: &str = r#"
name = "blend"
[[parameter]]
name = "water"
range = [0, 1]
[[parameter]]
name = "ethanol"
range = [0, 1]
[[parameter]]
name = "acetone"
range = [0, 0.6]
[[parameter]]
name = "bath"
values = [20, 40, 60, 80]
unit = "degC"
shared = true
[[mixture]]
parameters = ["water", "ethanol", "acetone"]
total = 1.0
at_most = 2
[[constraint]]
require = "acetone <= 0.5 || bath <= 40"
[[outcome]]
name = "turbidity"
[[objective]]
minimize = "turbidity"
[budget]
experiments = 40
"#;

#[test]
fn a_plate_of_blends_sums_to_one_and_shares_its_bath() {
    let bench = Bench::new();
    let file = bench.write("blend.toml", BLEND);
    for _ in 0..3 {
        let before = if bench.path("data").exists() { settings(&bench).len() } else { 0 };
        bench.by_hand(&file, 5, "turbidity", |cell| 3.0 + cell("water").parse::<f64>().unwrap());
        let all = settings(&bench);
        let new = &all[before..];
        assert_eq!(new.len(), 5);
        for point in new {
            let shares = ["water", "ethanol", "acetone"].map(|name| number(point, name));
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{point}");
            assert!(shares.iter().filter(|share| **share > 0.0).count() <= 2, "{point}");
            assert!([20.0, 40.0, 60.0, 80.0].contains(&number(point, "bath")), "{point}");
            assert_eq!(point["bath"], new[0]["bath"], "one bath a plate");
            assert!(shares[2] <= 0.5 || number(point, "bath") <= 40.0, "{point}");
        }
    }
    let own = bench.write("own.csv", "water,ethanol,acetone,bath\n0.5,0.2,0.2,20\n");
    let refused = bench.run(&["enqueue", own.to_str().unwrap()]);
    assert!(refused.code == 1 && refused.err.contains("water, ethanol, acetone don't sum to 1"), "{}", refused.err);
}

#[test]
fn only_candidates_of_the_table_are_proposed_and_each_once() {
    let bench = Bench::new();
    let solvents = ["dmf", "thf", "dmso", "water"];
    let mut table = "name,heat,solvent,note\n".to_owned();
    for index in 0..40_u32 {
        table.push_str(&format!("c{index},{},{},any\n", 20 + 2 * index, solvents[index as usize % 4]));
    }
    bench.write("candidates.csv", &table);
    bench.write(
        "solvents.csv",
        "solvent,permittivity,dipole\ndmf,36.7,3.82\nthf,7.6,1.75\ndmso,46.7,3.96\nwater,80.1,1.85\n",
    );
    let file = bench.write(
        "pool.toml",
        "name = \"pool\"\n[[parameter]]\nname = \"heat\"\nrange = [20, 100]\n[[parameter]]\nname = \"solvent\"\n\
         choices = [\"dmf\", \"thf\", \"dmso\", \"water\"]\ndescriptors = \"solvents.csv\"\n[pool]\nfile = \"candidates.csv\"\n\
         [[outcome]]\nname = \"yield\"\n[[objective]]\nmaximize = \"yield\"\n[budget]\nexperiments = 60\n",
    );
    for _ in 0..4 {
        bench.by_hand(&file, 8, "yield", |cell| -(cell("heat").parse::<f64>().unwrap() - 70.0).powi(2));
    }
    let tried: Vec<(u32, String)> = settings(&bench)
        .iter()
        .map(|it| (number(it, "heat") as u32, it["solvent"]["choice"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(tried.len(), 32);
    for (heat, solvent) in &tried {
        assert_eq!(solvents[((heat - 20) / 2) as usize % 4], solvent, "{heat} {solvent} is no candidate");
    }
    let mut different = tried.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 32, "each once");
    assert!(tried.iter().any(|(heat, _)| *heat == 70), "the best candidate is among them");
    let log = bench.log();
    assert_eq!(events(&log, "pool_added").count(), 1);
    assert!(bench.run(&["doctor", "replay"]).ok().out.contains("4 of 4 plans come out the same"));
}

#[test]
fn a_simulator_beside_the_reactor_is_used_within_a_budget_of_cost_and_is_never_the_answer() {
    let bench = Bench::new();
    let file = bench.write(
        "twins.toml",
        "name = \"twins\"\n[[parameter]]\nname = \"heat\"\nrange = [20, 100]\n[[parameter]]\nname = \"source\"\n\
         choices = [\"simulator\", \"reactor\"]\n[fidelity]\nparameter = \"source\"\nreal = \"reactor\"\n[cost]\n\
         value = \"source == 'reactor' ? 10 : 1\"\n[[outcome]]\nname = \"yield\"\n[[objective]]\nmaximize = \"yield\"\n\
         [budget]\nexperiments = 100\ncost = 90\n[planner]\ninitial = 6\n",
    );
    for _ in 0..60 {
        if events(&bench.log_if_any(), "campaign_stopping").next().is_some() {
            break;
        }
        bench.by_hand(&file, 1, "yield", |cell| {
            let real = -(cell("heat").parse::<f64>().unwrap() - 71.0).powi(2) / 50.0;
            // The simulator flatters, and is a little off.
            if cell("source") == "reactor" { real } else { 5.0 + 0.9 * real }
        });
    }
    let ended = |bench: &Bench| Some(bench.run(&["--json", "result"]).ok().last()).filter(|it| it["phase"] == "ended");
    let result = bench.until("an end", ended);
    assert_eq!(result["stop"]["reason"], "cost", "{result}");
    assert_eq!(result["best"]["parameters"]["source"], "reactor", "{result}");
    assert!((result["best"]["parameters"]["heat"].as_f64().unwrap() - 71.0).abs() < 5.0, "{result}");
    let simulated = settings(&bench).iter().filter(|it| it["source"]["choice"] == "simulator").count();
    assert!(simulated >= 5, "{simulated} simulated");
}
