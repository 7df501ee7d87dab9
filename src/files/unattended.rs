//! What `lab.toml` says of the hours when nobody is there: recovery by policy, pages, and the order of safe states.

use super::reader::{Placed, Table, shortened, wrong};
use super::report::Report;
use crate::closest::did_you_mean;
use crate::units;
use eutectic_core::InstrumentId;
use eutectic_core::model::Policy;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::DeValue;

/// The most capabilities of a recovery.
pub const MAX_RECOVERY_STEPS: usize = 20;
/// The most recoveries a day that a policy may allow.
const MAX_RECOVERIES: i64 = 1_000;
/// A page that nobody acknowledges is sent again after this, unless the file says otherwise.
const REPEAT_MS: i64 = 15 * 60_000;
/// The shortest time between two pages, and between two heartbeats.
const SHORTEST_MS: i64 = 1_000;
/// The longest time that a file may state: a week.
const LONGEST_MS: i64 = 7 * 24 * 3_600_000;
/// Minutes of a day.
const DAY_MIN: u32 = 24 * 60;

/// How people are called.
#[derive(Clone, Debug, PartialEq)]
pub struct PagingSpec {
    /// Each page is posted here, as JSON.
    pub webhook: Option<String>,
    /// A program and its arguments: each page is given to it, as JSON on its standard input.
    pub command: Vec<String>,
    /// Milliseconds after which a page is sent again that nobody has acknowledged.
    pub repeat_ms: i64,
    /// Minutes of the day, by the machine's own time zone, between which only urgent pages are sent.
    pub quiet: Option<(u32, u32)>,
    /// Called regularly, so that its silence tells others when we are dead: the address, and milliseconds between calls.
    pub heartbeat: Option<(String, i64)>,
}

/// In which order instruments are halted when all of them are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SafeStateSpec {
    /// Group by group; who stands in none is halted with the first.
    pub order: Vec<Vec<InstrumentId>>,
    /// Cooling, purge: never halted with all the others, only by name.
    pub stays_on: Vec<InstrumentId>,
}

/// As a table of a lab file.
pub(super) fn policy_toml(policy: &Policy) -> String {
    let Policy { recover, at_most, wait_ms } = policy;
    format!("[instrument.unattended]\nrecover = {recover:?}\nat_most = {at_most}\nwait = \"{wait_ms} ms\"\n")
}

impl PagingSpec {
    /// As a table of a lab file.
    pub(super) fn to_toml(&self) -> String {
        let Self { webhook, command, repeat_ms, quiet, heartbeat } = self;
        let mut table = format!("\n[paging]\ncommand = {command:?}\nrepeat = \"{repeat_ms} ms\"\n");
        webhook.iter().for_each(|it| table.push_str(&format!("webhook = {it:?}\n")));
        let hour = |it: &u32| format!("{:02}:{:02}", it / 60, it % 60);
        quiet.iter().for_each(|(from, to)| table.push_str(&format!("quiet = \"{}-{}\"\n", hour(from), hour(to))));
        if let Some((address, every)) = heartbeat {
            table.push_str(&format!("\n[paging.heartbeat]\nwebhook = {address:?}\nevery = \"{every} ms\"\n"));
        }
        table
    }
}

impl SafeStateSpec {
    /// As a table of a lab file; empty where it says nothing.
    pub(super) fn to_toml(&self) -> String {
        let names = |group: &Vec<InstrumentId>| group.iter().map(|it| it.to_string()).collect::<Vec<_>>();
        let order: Vec<_> = self.order.iter().map(names).collect();
        match *self == Self::default() {
            true => String::new(),
            false => format!("\n[safe_state]\norder = {order:?}\nstays_on = {:?}\n", names(&self.stays_on)),
        }
    }
}

/// `[instrument.unattended]`
pub(super) fn policy(table: &Table<'_>, report: &mut Report) -> Option<Policy> {
    table.only(&["recover", "at_most", "wait"], report);
    let recover = texts("recover", table, report).map(|(it, span)| {
        let recover: Vec<_> = it.into_iter().map(|it| it.value.to_owned()).collect();
        if recover.is_empty() || recover.len() > MAX_RECOVERY_STEPS {
            let help = format!("1 to {MAX_RECOVERY_STEPS} capabilities of the instrument that take no arguments");
            report.error(Some(span), "this is no recovery", help);
        }
        recover
    });
    let at_most = table.whole("at_most", 1..MAX_RECOVERIES + 1, report);
    for (key, example) in [("recover", "recover = [\"flush\", \"self_test\"]"), ("at_most", "at_most = 3")] {
        if !table.has(key) {
            let help = format!("for instance: {example}; without [instrument.unattended] a person is waited for");
            report.error(Some(table.span.clone()), format!("the unattended policy needs '{key}'"), help);
        }
    }
    let wait_ms = duration("wait", 0, table, report).unwrap_or_default();
    Some(Policy { recover: recover?, at_most: u32::try_from(at_most?.value).unwrap_or(u32::MAX), wait_ms })
}

/// `[paging]`
pub(super) fn paging(table: &Table<'_>, report: &mut Report) -> Option<PagingSpec> {
    table.only(&["webhook", "command", "repeat", "quiet", "heartbeat"], report);
    let webhook = address("webhook", table, report);
    let command = texts("command", table, report).unwrap_or_default().0;
    if !table.has("webhook") && command.is_empty() {
        let help = "webhook = \"https://...\", or command = [\"/usr/local/bin/page\"]";
        report.error(Some(table.span.clone()), "nothing says how people are called", help);
    }
    let repeat_ms = duration("repeat", SHORTEST_MS, table, report).unwrap_or(REPEAT_MS);
    let quiet = table.text("quiet", report).and_then(|it| {
        let read = it.value.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        if read.is_none() {
            let message = format!("'{}' are no hours", shortened(it.value));
            report.error(Some(it.span), message, "for instance: quiet = \"22:00-07:00\"");
        }
        read
    });
    let heartbeat = table.table("heartbeat", "the heartbeat", report).and_then(|table| {
        table.only(&["webhook", "every"], report);
        if !table.has("webhook") {
            report.error(Some(table.span.clone()), "the heartbeat needs 'webhook'", "webhook = \"https://...\"");
        }
        let every = duration("every", SHORTEST_MS, &table, report).unwrap_or(60_000);
        Some((address("webhook", &table, report)?, every))
    });
    let command = command.into_iter().map(|it| it.value.to_owned()).collect();
    Some(PagingSpec { webhook, command, repeat_ms, quiet, heartbeat })
}

/// `[safe_state]`
pub(super) fn safe_state(table: &Table<'_>, known: &BTreeSet<String>, report: &mut Report) -> SafeStateSpec {
    table.only(&["order", "stays_on"], report);
    let mut taken = BTreeSet::new();
    let mut group = |values: Vec<Placed<&str>>, report: &mut Report| {
        let mut group = Vec::new();
        for it in values {
            if !known.contains(it.value) {
                let help = did_you_mean(it.value, known.iter().map(String::as_str));
                report.error(Some(it.span), format!("there is no instrument '{}'", shortened(it.value)), help);
            } else if !taken.insert(it.value.to_owned()) {
                report.error(Some(it.span), format!("'{}' stands twice", it.value), "each has one place");
            } else {
                group.push(InstrumentId::new(it.value));
            }
        }
        group
    };
    let stays_on = texts("stays_on", table, report).unwrap_or_default().0;
    let stays_on = group(stays_on, report);
    let mut order = Vec::new();
    for value in table.array("order", report).map(|it| it.value).unwrap_or_default() {
        let one = |it: &'_ toml::Spanned<DeValue<'_>>| it.get_ref().as_str().is_some();
        let members = match (value.get_ref().as_str(), value.get_ref().as_array()) {
            (Some(text), _) => vec![Placed { value: text, span: value.span() }],
            (None, Some(array)) if array.iter().all(one) => {
                array.iter().filter_map(|it| Some(Placed { value: it.get_ref().as_str()?, span: it.span() })).collect()
            }
            (None, _) => {
                let expected = "a name, or a list of names that are halted together";
                wrong(value.span(), "order", expected, value.get_ref(), report);
                continue;
            }
        };
        order.push(group(members, report));
    }
    SafeStateSpec { order, stays_on }
}

fn texts<'a>(key: &str, table: &Table<'a>, report: &mut Report) -> Option<(Vec<Placed<&'a str>>, Range<usize>)> {
    let array = table.array(key, report)?;
    let text = |it: &&'a toml::Spanned<DeValue<'a>>| match it.get_ref().as_str() {
        Some(text) => Some(Placed { value: text, span: it.span() }),
        None => {
            wrong(it.span(), key, "text in quotes", it.get_ref(), report);
            None
        }
    };
    Some((array.value.iter().filter_map(text).collect(), array.span))
}

fn address(key: &str, table: &Table<'_>, report: &mut Report) -> Option<String> {
    let given = table.text(key, report)?;
    let uri = given.value.parse::<tonic::transport::Uri>().ok();
    if !uri.is_some_and(|it| matches!(it.scheme_str(), Some("http" | "https")) && it.authority().is_some()) {
        let message = format!("'{}' is no address", shortened(given.value));
        report.error(Some(given.span), message, "for instance: webhook = \"https://example.org/page\"");
        return None;
    }
    Some(given.value.to_owned())
}

/// `15 min`, in milliseconds.
fn duration(key: &str, least: i64, table: &Table<'_>, report: &mut Report) -> Option<i64> {
    let given = table.text(key, report)?;
    let text = given.value.trim();
    let split = text.find(|it: char| it.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = number.trim().parse().ok().zip(units::parse(unit.trim()).ok());
    let seconds = seconds.and_then(|(value, unit): (f64, _)| units::convert(value, &unit.ucum, "s"));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is checked to lie within a week, and a float's cast saturates"
    )]
    let ms = seconds.filter(|it| it.is_finite()).map(|it| (it * 1000.0) as i64);
    match ms.filter(|it| (least..=LONGEST_MS).contains(it)) {
        Some(ms) => Some(ms),
        None => {
            let message = format!("'{}' is no time that '{key}' can be", shortened(text));
            report.error(Some(given.span), message, format!("for instance: {key} = \"15 min\"; at most a week"));
            None
        }
    }
}

/// `22:30`, in minutes of the day.
fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute).filter(|it| *it < DAY_MIN)
}
