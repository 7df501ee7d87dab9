//! `result --explain` and `--html`: what the model has learnt, for people and for programs.

use crate::bench::{Bench, root};

/// A campaign by hand with a number and a choice, of which twelve points have been measured.
fn measured(bench: &Bench) {
    let file = bench.write(
        "hand.toml",
        "name = \"hand\"\n[[parameter]]\nname = \"heat\"\nrange = [0, 10]\nunit = \"degC\"\n\
         [[parameter]]\nname = \"salt\"\nchoices = [\"KCl\", \"<NaCl>\"]\n[[outcome]]\nname = \"cost\"\nunit = \"kg\"\n\
         [[objective]]\nminimize = \"cost\"\n[budget]\nexperiments = 40\n",
    );
    bench.by_hand(&file, 12, "cost", |cell| {
        2.0 * cell("heat").parse::<f64>().unwrap() + if cell("salt") == "KCl" { 0.0 } else { 30.0 }
    });
}

#[test]
fn what_the_model_has_learnt_is_told_in_the_campaigns_own_words_and_signs() {
    let bench = Bench::new();
    let nothing = bench.run(&["result", "--explain"]);
    assert_eq!(nothing.code, 1, "{}", nothing.err);
    measured(&bench);
    let result = bench.run(&["--json", "result", "--explain"]).ok().last();
    let cost = &result["explanation"]["outcomes"][0];
    assert_eq!((&cost["name"], &cost["unit"]), (&"cost".into(), &"kg".into()));
    let parameter = |name: &str| {
        let all = cost["parameters"].as_array().unwrap();
        all.iter().find(|it| it["name"] == name).unwrap()
    };
    // 2 heat has a variance of 400/12, the salt one of 225.
    let share = parameter("heat")["total"].as_f64().unwrap();
    assert!((share - 0.129).abs() < 0.05, "{share}");
    let at = |name: &str, place: usize| parameter(name)["at"][place]["mean"].as_f64().unwrap();
    assert!((at("heat", 20) - at("heat", 0) - 20.0).abs() < 3.0, "it costs more, as it was recorded");
    assert!((at("salt", 1) - at("salt", 0) - 30.0).abs() < 3.0);
    assert_eq!(cost["readings"].as_array().unwrap().len(), 12);
    let reached = result["explanation"]["reached"].as_array().unwrap();
    let values: Vec<f64> = reached.iter().map(|it| it["value"].as_f64().unwrap()).collect();
    assert!(values.windows(2).all(|pair| pair[1] <= pair[0]), "the least cost so far: {values:?}");
    let told = bench.run(&["result", "--explain"]).ok().out;
    for words in ["cost in kg", "by itself, and with all others", "0 degC: ", "<NaCl>: ", "95 % intervals", "so far"] {
        assert!(told.contains(words), "{words} is missing in\n{told}");
    }
}

#[test]
fn a_page_shows_it_with_plots_and_needs_nothing_else() {
    let bench = Bench::new();
    measured(&bench);
    let page = bench.path("page.html");
    bench.run(&["result", "--html", page.to_str().unwrap()]).ok();
    let text = std::fs::read_to_string(&page).unwrap();
    // What was reached, the shares, two dependences, the parity.
    assert_eq!(text.matches("<svg").count(), 5);
    assert!(!text.contains("<NaCl>") && text.contains("&lt;NaCl&gt;"), "a name is no markup");
    for foreign in ["<script", "<link", "src=", "href=", "@import", "url("] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    let unwritable = bench.run(&["result", "--html", root().to_str().unwrap()]);
    assert!(unwritable.code == 1 && unwritable.err.contains("can't be written"), "{}", unwritable.err);
}
