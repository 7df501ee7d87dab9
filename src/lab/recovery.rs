//! Whether the drivers can do what the lab's policies ask of them.

use crate::closest::did_you_mean;
use crate::files::{Capabilities, InstrumentSpec, LabSpec};

/// What a policy asks for and its driver can't do, in words.
pub(super) fn recoverable(spec: &LabSpec, capabilities: &Capabilities) -> Result<(), Vec<String>> {
    let faults: Vec<_> = spec.instruments.iter().flat_map(|it| faults(it, capabilities)).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn faults(it: &InstrumentSpec, capabilities: &Capabilities) -> Vec<String> {
    let (Some(policy), Some(able)) = (&it.policy, capabilities.get(&it.name)) else { return Vec::new() };
    let fault = |wanted: &String| match able.capabilities.get(wanted) {
        None => {
            let known = able.capabilities.keys().map(String::as_str);
            let help = did_you_mean(wanted, known);
            Some(format!("error: the driver of '{}' offers no '{wanted}' to recover by\nhelp: {help}", it.name))
        }
        Some(offered) => offered.parameters.iter().find(|(_, it)| it.required).map(|(parameter, _)| {
            format!(
                "error: '{}' can't recover by '{wanted}': it needs the argument '{parameter}'\n\
                 help: a recovery runs what takes no arguments, or has a default for each",
                it.name
            )
        }),
    };
    policy.recover.iter().filter_map(fault).collect()
}
