//! The checks that Execute and ValidateOperation share: what may be done, apart from whether it may be done now.

use super::manifest::{ID_LENGTH_MAX, Manifest, major};
use super::reason::{Reason, Refusal};
use crate::wire::field_spec::Domain;
use crate::wire::value::Kind;
use crate::wire::{
    Argument, Capability, ExecuteRequest, Fault, FieldSpec, QuantityDomain, SampleEffect, Series, Value,
};
use std::collections::BTreeMap;

/// Text arguments whose declaration gives no length are cut off here.
pub const TEXT_LENGTH_MAX: usize = 64 * 1024;
/// Numbers in one series argument.
pub const SERIES_VALUES_MAX: usize = 100_000;

/// The arguments of an operation: checked against the manifest, defaults filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments(BTreeMap<String, Kind>);

impl Arguments {
    /// Takes the arguments of an operation as journaled.
    #[must_use]
    pub fn of(arguments: &[Argument]) -> Arguments {
        let kind_of = |argument: &Argument| argument.value.as_ref().and_then(|value| value.kind.clone());
        Arguments(arguments.iter().filter_map(|each| Some((each.id.clone(), kind_of(each)?))).collect())
    }

    /// The value of one parameter.
    #[must_use]
    pub fn get(&self, parameter: &str) -> Option<&Kind> {
        self.0.get(parameter)
    }

    /// The bare number of a quantity, in its declared unit.
    #[must_use]
    pub fn quantity(&self, parameter: &str) -> Option<f64> {
        match self.0.get(parameter) {
            Some(Kind::Quantity(quantity)) => Some(quantity.value),
            _ => None,
        }
    }

    /// A text, a choice or a sample's id.
    #[must_use]
    pub fn text(&self, parameter: &str) -> Option<&str> {
        match self.0.get(parameter) {
            Some(Kind::Text(text) | Kind::Choice(text) | Kind::Sample(text)) => Some(text),
            _ => None,
        }
    }
}

/// Rules across parameters, enforced in the driver's own code.
pub trait Rules: Send + Sync {
    /// Refuses what the declared bounds alone let through; pure.
    ///
    /// # Errors
    /// A fault with a reason of the vendor's own and words that say how to mend it.
    fn check(&self, capability: &str, arguments: &Arguments) -> Result<(), Fault>;
}

/// Checks a request against the manifest and the driver's rules.
///
/// Result: the capability, and the arguments in the order of its parameters with defaults filled in.
///
/// # Errors
/// The [`Refusal`] names the first thing wrong; nothing was done.
pub fn validate<'a>(
    manifest: &'a Manifest,
    rules: &dyn Rules,
    request: &ExecuteRequest,
) -> Result<(&'a Capability, Vec<Argument>), Refusal> {
    let Some(capability) = manifest.capability(&request.capability) else {
        let known: Vec<_> = manifest.instrument().capabilities.iter().map(|each| each.id.as_str()).collect();
        let words = format!("no capability {:?}; this instrument has {}", request.capability, known.join(", "));
        return Err(Reason::UnknownCapability.refuse(words));
    };
    if major(&request.capability_version).is_none_or(|asked| Some(asked) != major(&capability.version)) {
        let words = format!(
            "{} is at version {}, the request is for {:?}: the major version must be the same",
            capability.id, capability.version, request.capability_version
        );
        return Err(Reason::CapabilityVersion.refuse(words));
    }
    let arguments = resolve(capability, &request.arguments)?;
    rules.check(&capability.id, &Arguments::of(&arguments)).map_err(|mut fault| {
        // Nothing was accepted, so nothing can have happened to a sample, whatever the driver's code filled in.
        fault.sample_effect = SampleEffect::None.into();
        Refusal { reason: Reason::RuleViolated, fault: Box::new(fault), metadata: Vec::new() }
    })?;
    Ok((capability, arguments))
}

fn resolve(capability: &Capability, given: &[Argument]) -> Result<Vec<Argument>, Refusal> {
    let mut by_id: BTreeMap<&str, &Argument> = BTreeMap::new();
    for argument in given {
        if !capability.parameters.iter().any(|field| field.id == argument.id) {
            let words = format!("{} has no parameter {:?}", capability.id, argument.id);
            return Err(Reason::UnknownArgument.refuse(words));
        }
        if by_id.insert(&argument.id, argument).is_some() {
            return Err(Reason::DuplicateArgument.refuse(format!("{:?} is given twice", argument.id)));
        }
    }
    let mut resolved = Vec::with_capacity(capability.parameters.len());
    for field in &capability.parameters {
        let value = match (by_id.get(field.id.as_str()), &field.default_value) {
            (Some(argument), _) => argument.value.clone(),
            (None, Some(default)) if !field.required => Some(default.clone()),
            (None, _) => None,
        };
        let Some(kind) = value.and_then(|value| value.kind) else {
            return Err(Reason::MissingArgument.refuse(format!("{} needs {:?}", capability.id, field.id)));
        };
        check_value(field, &kind)?;
        resolved.push(Argument { id: field.id.clone(), value: Some(Value { kind: Some(kind) }) });
    }
    Ok(resolved)
}

fn check_value(field: &FieldSpec, kind: &Kind) -> Result<(), Refusal> {
    let wrong_type = || Reason::WrongType.refuse(format!("{:?} is of another kind than declared", field.id));
    match (&field.domain, kind) {
        (Some(Domain::Quantity(domain)), Kind::Quantity(quantity)) => {
            check_quantity(&field.id, domain, quantity.value, &quantity.unit)
        }
        (Some(Domain::Integer(domain)), Kind::Integer(value)) => {
            match (domain.minimum..=domain.maximum).contains(value) {
                true => Ok(()),
                false => Err(out_of_range(&field.id, value, domain.minimum, domain.maximum, "")),
            }
        }
        (Some(Domain::Choice(domain)), Kind::Choice(choice)) => {
            if domain.choices.iter().any(|each| each.id == *choice) {
                return Ok(());
            }
            let known: Vec<_> = domain.choices.iter().map(|each| each.id.as_str()).collect();
            let words = format!("{:?}: {choice:?} is not one of {}", field.id, known.join(", "));
            Err(Reason::UnknownChoice.refuse(words))
        }
        (Some(Domain::Text(domain)), Kind::Text(text)) => {
            let declared = usize::try_from(domain.max_length).unwrap_or(0);
            let limit = if declared == 0 { TEXT_LENGTH_MAX } else { declared.min(TEXT_LENGTH_MAX) };
            let length = text.chars().count();
            match length <= limit {
                true => Ok(()),
                false => Err(Reason::OutOfRange.refuse(format!("{:?} has {length} of {limit} characters", field.id))),
            }
        }
        (Some(Domain::Sample(_)), Kind::Sample(sample)) => match !sample.is_empty() && sample.len() <= ID_LENGTH_MAX {
            true => Ok(()),
            false => {
                Err(Reason::OutOfRange.refuse(format!("{:?}: a sample id has 1 to {ID_LENGTH_MAX} bytes", field.id)))
            }
        },
        (Some(Domain::Series(domain)), Kind::Series(series)) => {
            let units: Vec<_> = domain.axes.iter().map(|axis| (&axis.id, &axis.unit)).collect();
            let given: Vec<_> = series.columns.iter().map(|column| (&column.id, &column.unit)).collect();
            match units == given {
                true => check_series(&field.id, series),
                false => Err(Reason::WrongUnit.refuse(format!("{:?}: columns or units are not as declared", field.id))),
            }
        }
        (Some(Domain::Flag(_)), Kind::Boolean(_)) | (Some(Domain::Artifact(_)), Kind::Artifact(_)) => Ok(()),
        _ => Err(wrong_type()),
    }
}

/// The unit is compared, never converted: two units that a person takes for the same may differ by a factor.
fn check_quantity(field: &str, domain: &QuantityDomain, value: f64, unit: &str) -> Result<(), Refusal> {
    if unit != domain.unit {
        let words = format!("{field:?} is in {:?}, the declared unit is {:?}", unit, domain.unit);
        return Err(Reason::WrongUnit.refuse(words));
    }
    if !value.is_finite() {
        return Err(Reason::NotFinite.refuse(format!("{field:?} must be a finite number")));
    }
    match (domain.minimum..=domain.maximum).contains(&value) {
        true => Ok(()),
        false => Err(out_of_range(field, &value, domain.minimum, domain.maximum, &domain.unit)),
    }
}

fn check_series(field: &str, series: &Series) -> Result<(), Refusal> {
    let count: usize = series.columns.iter().map(|column| column.values.len()).sum();
    if count > SERIES_VALUES_MAX {
        return Err(Reason::OutOfRange.refuse(format!("{field:?} holds {count} of {SERIES_VALUES_MAX} numbers")));
    }
    // NaN means 'missing' in a series; infinity means nothing.
    match series.columns.iter().flat_map(|column| &column.values).any(|value| value.is_infinite()) {
        true => Err(Reason::NotFinite.refuse(format!("{field:?} holds an infinite number"))),
        false => Ok(()),
    }
}

fn out_of_range<T: std::fmt::Display>(field: &str, value: &T, minimum: T, maximum: T, unit: &str) -> Refusal {
    Reason::OutOfRange.refuse(format!("{field:?} = {value} {unit} is outside [{minimum}, {maximum}] {unit}"))
}
