//! Stops by what is left to gain, on functions drawn from the model. `--example stopping` has the tables.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod drawn;

use eutectic_planners::StopQuestion;

#[test]
fn on_draws_from_the_model_a_stop_is_hardly_ever_wrong() {
    // Of 16 campaigns that are each wrong with one in ten, five or more are wrong in one case of sixty.
    let question = StopQuestion { tolerance: 0.1, confidence: 0.9, tests: 0 };
    let stops = drawn::campaigns(16, None, question, 30).unwrap();
    let (stopped, wrong) = (stops.stopped.len(), stops.wrong(question.tolerance));
    assert!(stopped >= 12 && wrong <= 4, "{stopped} of 16 stopped, {wrong} of them wrongly");
}
