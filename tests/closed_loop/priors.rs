//! Past campaigns that a new one learns from: by name, by file, and ones that mislead.

use crate::bench::{Bench, events};
use std::path::PathBuf;

impl Bench {
    /// A campaign of two parameters by hand, which learns from these.
    fn learning(&self, name: &str, priors: &str) -> PathBuf {
        self.write(
            &format!("{name}.toml"),
            &format!(
                "name = \"{name}\"\n[[parameter]]\nname = \"heat\"\nrange = [20, 100]\n[[parameter]]\nname = \"time\"\n\
                 range = [1, 60]\nscale = \"log\"\n[[outcome]]\nname = \"yield\"\n[[objective]]\nmaximize = \"yield\"\n\
                 [budget]\nexperiments = 60\n{priors}"
            ),
        )
    }
}

fn hill(cell: &dyn Fn(&str) -> String) -> f64 {
    let (heat, time): (f64, f64) = (cell("heat").parse().unwrap(), cell("time").parse().unwrap());
    90.0 - ((heat - 75.0) / 10.0).powi(2) - 12.0 * (time / 12.0).ln().powi(2)
}

#[test]
fn a_campaign_learns_from_an_earlier_one_and_says_what_it_counts() {
    let bench = Bench::new();
    let old = bench.learning("old", "");
    for _ in 0..3 {
        bench.by_hand(&old, 8, "yield", |cell| 0.8 * hill(cell) - 5.0);
    }
    let mut wrong = "heat,time,yield\n".to_owned();
    for index in 0..20_u32 {
        let (heat, time) = (22 + 4 * (index * 7 % 20), 1 + 3 * (index * 11 % 20));
        let cell = |name: &str| if name == "heat" { heat.to_string() } else { time.to_string() };
        wrong.push_str(&format!("{heat},{time},{}\n", -hill(&cell)));
    }
    bench.write("wrong.csv", &wrong);
    let priors = "[[prior]]\ncampaign = \"old\"\n[[prior]]\nfile = \"wrong.csv\"\n";
    let new = bench.learning("new", priors);
    bench.by_hand(&new, 6, "yield", hill);
    bench.by_hand(&new, 4, "yield", hill);
    let log = bench.log();
    let added: Vec<_> =
        events(&log, "prior_added").map(|it| (it["prior"].clone(), it["rows"].as_array().unwrap().len())).collect();
    assert_eq!(added, [("old".into(), 24), ("wrong.csv".into(), 20)]);
    let of_new = |it: &&serde_json::Value| it["campaign"] == "new";
    let whys: Vec<_> = events(&log, "experiment_added").filter(of_new).map(|it| it["why"]["kind"].clone()).collect();
    assert_eq!(whys.iter().filter(|it| **it == "past").count(), 1, "{whys:?}");
    let result = bench.run(&["--json", "result", "new", "--explain"]).ok().last();
    let weight = |place: usize| result["explanation"]["priors"][place]["weights"][0].as_f64().unwrap();
    assert!(weight(0) > 0.3 && weight(1) == 0.0, "{}", result["explanation"]["priors"]);
    assert!(result["best"]["outcomes"]["yield"].as_f64().unwrap() > 85.0, "{}", result["best"]);
    let told = bench.run(&["result", "new", "--explain"]).ok().out;
    assert!(told.contains("What past campaigns count") && told.contains("wrong.csv"), "{told}");
    assert!(bench.run(&["doctor", "replay"]).ok().out.contains("5 of 5 plans come out the same"));
}

#[test]
fn a_past_campaign_that_is_not_there_or_tells_nothing_is_refused() {
    let bench = Bench::new();
    let refused = |bench: &Bench, name: &str, prior: &str| {
        let file = bench.learning(name, &format!("[[prior]]\ncampaign = \"{prior}\"\n"));
        let said = bench.run(&["suggest", "-n", "2", "--file", file.to_str().unwrap()]);
        assert_eq!(said.code, 1, "{}", said.out);
        said.err
    };
    assert!(refused(&bench, "first", "nobody").contains("there is no campaign 'nobody' here to learn from"));
    let empty = bench.learning("empty", "");
    bench.run(&["suggest", "-n", "2", "--file", empty.to_str().unwrap()]).ok();
    assert!(refused(&bench, "second", "empty").contains("nothing that 'empty' has observed tells of this campaign"));
}
