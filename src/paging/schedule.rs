//! Which page is sent when: without IO and clock.

use crate::projections::Page;
use eutectic_core::Time;
use std::collections::BTreeMap;

/// The first pause after a page could not be sent; it doubles up to the time of repetition.
const RETRY_MS: i64 = 10_000;

/// What is to be sent, and when next.
pub(super) struct Schedule {
    repeat_ms: i64,
    /// Minutes of the day.
    quiet: Option<(u32, u32)>,
    begun: Time,
    pages: BTreeMap<String, Entry>,
}

struct Entry {
    page: Page,
    /// `None`: it needs not be sent again.
    due: Option<Time>,
    failures: u32,
}

impl Schedule {
    pub(super) fn new(repeat_ms: i64, quiet: Option<(u32, u32)>, begun: Time) -> Self {
        Self { repeat_ms, quiet, begun, pages: BTreeMap::new() }
    }

    /// This is what people are to know now. What is no longer in it is over.
    pub(super) fn know(&mut self, pages: &[Page]) {
        self.pages.retain(|id, _| pages.iter().any(|it| it.id == *id));
        for page in pages {
            let known = self.pages.get(&page.id).map(|it| &it.page);
            let news = known.is_none_or(|it| (it.since, it.urgent, &it.text) != (page.since, page.urgent, &page.text));
            if page.acknowledged {
                self.pages.insert(page.id.clone(), Entry { page: page.clone(), due: None, failures: 0 });
            } else if news {
                // An earlier process has told it, unless it still has to wake somebody.
                let told = !page.urgent && page.since < self.begun;
                let due = (!told).then_some(page.since);
                self.pages.insert(page.id.clone(), Entry { page: page.clone(), due, failures: 0 });
            }
        }
    }

    /// What is to be sent now.
    pub(super) fn due(&self, now: Time, minute: u32) -> Vec<Page> {
        let due = self.told(minute).filter(|it| it.due.is_some_and(|due| due <= now));
        due.map(|it| it.page.clone()).collect()
    }

    /// It was sent, or could not be.
    pub(super) fn sent(&mut self, id: &str, now: Time, delivered: bool) {
        let repeat_ms = self.repeat_ms;
        let Some(entry) = self.pages.get_mut(id) else { return };
        if delivered {
            entry.failures = 0;
            entry.due = entry.page.urgent.then_some(now.plus_ms(repeat_ms));
        } else {
            let pause = RETRY_MS.saturating_mul(1_i64.checked_shl(entry.failures).unwrap_or(i64::MAX));
            entry.failures = (entry.failures + 1).min(30);
            entry.due = Some(now.plus_ms(pause.min(repeat_ms.max(RETRY_MS))));
        }
    }

    /// When something is due next that may be told at this hour; what waits for the end of quiet hours is none.
    pub(super) fn next(&self, minute: u32) -> Option<Time> {
        self.told(minute).filter_map(|it| it.due).min()
    }

    /// What may be told at this hour.
    fn told(&self, minute: u32) -> impl Iterator<Item = &Entry> {
        let silent = self.quiet.is_some_and(|hours| within(hours, minute));
        self.pages.values().filter(move |it| it.page.urgent || !silent)
    }
}

/// Whether the minute lies in these hours, which may span midnight.
fn within((from, to): (u32, u32), minute: u32) -> bool {
    if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const NOON: u32 = 12 * 60;
    const NIGHT: (u32, u32) = (22 * 60, 7 * 60);

    fn page(id: &str, urgent: bool, since: i64) -> Page {
        let (text, hint) = (String::new(), String::new());
        Page { id: id.into(), urgent, since: Time(since), text, hint, acknowledged: false }
    }

    fn ids(pages: &[Page]) -> Vec<&str> {
        pages.iter().map(|it| it.id.as_str()).collect()
    }

    #[test]
    fn an_urgent_page_comes_again_until_it_is_acknowledged_and_other_news_come_once() {
        let mut schedule = Schedule::new(60_000, None, Time(0));
        let mut known = [page("a", true, 5), page("b", false, 5)];
        schedule.know(&known);
        assert_eq!(ids(&schedule.due(Time(5), NOON)), ["a", "b"]);
        schedule.sent("a", Time(10), true);
        schedule.sent("b", Time(10), true);
        assert_eq!((ids(&schedule.due(Time(60_009), NOON)), schedule.next(NOON)), (vec![], Some(Time(60_010))));
        assert_eq!(ids(&schedule.due(Time(60_010), NOON)), ["a"]);
        known[0].acknowledged = true;
        schedule.know(&known);
        assert_eq!(ids(&schedule.due(Time(999_999), NOON)), Vec::<&str>::new());
        // It happens again: a new page.
        (known[0].acknowledged, known[0].since) = (false, Time(700));
        schedule.know(&known);
        assert_eq!(ids(&schedule.due(Time(700), NOON)), ["a"]);
    }

    #[test]
    fn in_quiet_hours_only_what_is_urgent_is_sent_and_the_rest_waits() {
        let mut schedule = Schedule::new(60_000, Some(NIGHT), Time(0));
        schedule.know(&[page("a", true, 5), page("b", false, 5)]);
        assert_eq!(ids(&schedule.due(Time(5), 23 * 60)), ["a"]);
        assert_eq!(ids(&schedule.due(Time(5), 6 * 60 + 59)), ["a"]);
        assert_eq!(ids(&schedule.due(Time(5), 7 * 60)), ["a", "b"]);
        // What waits for the morning is nothing to wake up for again and again.
        schedule.sent("a", Time(5), true);
        assert_eq!(schedule.next(23 * 60), Some(Time(60_005)));
        assert_eq!(schedule.next(7 * 60), Some(Time(5)));
    }

    #[test]
    fn what_could_not_be_sent_is_tried_again_and_again() {
        let mut schedule = Schedule::new(900_000, None, Time(0));
        schedule.know(&[page("b", false, 5)]);
        let mut pauses = Vec::new();
        let mut now = Time(5);
        for _ in 0..8 {
            schedule.sent("b", now, false);
            let next = schedule.next(NOON).unwrap();
            pauses.push(next.since(now) / 1000);
            now = next;
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 900]);
    }

    #[test]
    fn after_a_restart_old_news_are_not_told_again_but_what_waits_for_a_person_is() {
        let mut schedule = Schedule::new(60_000, None, Time(100));
        schedule.know(&[page("a", true, 5), page("b", false, 5), page("c", false, 100)]);
        assert_eq!(ids(&schedule.due(Time(100), NOON)), ["a", "c"]);
    }
}
