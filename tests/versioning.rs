//! Version 1 of the contracts only grows: nothing that was there may go, move or change its meaning.
//!
//! `proto/stable` holds the descriptors as they were last accepted. `UPDATE_GOLDEN=1 cargo test --test versioning` takes
//! additions in; a breaking change it refuses as well.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a contract promises, each thing under its full name, in words that differ when the promise does.
fn promises(set: &FileDescriptorSet) -> BTreeMap<String, String> {
    let mut promises = BTreeMap::new();
    for file in set.file.iter().filter(|file| file.package().starts_with("eutectic.")) {
        let package = file.package();
        file.message_type.iter().for_each(|it| message(package, it, &mut promises));
        file.enum_type.iter().for_each(|it| enumeration(package, it, &mut promises));
        for service in &file.service {
            for rpc in &service.method {
                let told = (rpc.input_type(), rpc.output_type(), rpc.client_streaming(), rpc.server_streaming());
                promises.insert(format!("{package}.{}/{}", service.name(), rpc.name()), format!("{told:?}"));
            }
        }
    }
    promises
}

fn message(within: &str, it: &DescriptorProto, promises: &mut BTreeMap<String, String>) {
    let name = format!("{within}.{}", it.name());
    promises.insert(name.clone(), "a message".to_owned());
    for field in &it.field {
        // On the wire a field is its number; in JSON and in code it is its name: both are promised.
        promises.insert(format!("{name}#{}", field.number()), described(it, field));
    }
    it.nested_type.iter().for_each(|nested| message(&name, nested, promises));
    it.enum_type.iter().for_each(|nested| enumeration(&name, nested, promises));
}

fn described(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let oneof = field.oneof_index.and_then(|index| message.oneof_decl.get(usize::try_from(index).unwrap()));
    let oneof = oneof.map(|it| it.name().to_owned());
    format!("{} {:?} {:?} {} {oneof:?}", field.name(), field.label(), field.r#type(), field.type_name())
}

fn enumeration(within: &str, it: &EnumDescriptorProto, promises: &mut BTreeMap<String, String>) {
    let name = format!("{within}.{}", it.name());
    for value in &it.value {
        promises.insert(format!("{name}#{}", value.number()), value.name().to_owned());
    }
}

/// What was promised and isn't kept.
fn broken(then: &FileDescriptorSet, now: &FileDescriptorSet) -> Vec<String> {
    let (then, now) = (promises(then), promises(now));
    let other = |(name, promise): &(&String, &String)| now.get(*name) != Some(promise);
    let told = |(name, promise): (&String, &String)| {
        let is = now.get(name).map_or("is gone", String::as_str);
        format!("{name}: was {promise}, {is}")
    };
    then.iter().filter(other).map(told).collect()
}

fn now() -> FileDescriptorSet {
    FileDescriptorSet::decode(eutectic_proto::FILE_DESCRIPTOR_SET).unwrap()
}

fn stable() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/stable/v1.binpb")
}

#[test]
fn nothing_that_version_1_has_promised_is_taken_back() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    if !stable().exists() && update {
        std::fs::write(stable(), now().encode_to_vec()).unwrap();
    }
    let then = FileDescriptorSet::decode(std::fs::read(stable()).unwrap().as_slice()).unwrap();
    let broken = broken(&then, &now());
    assert!(broken.is_empty(), "version 1 only grows; this belongs into a version 2:\n{}", broken.join("\n"));
    if update {
        std::fs::write(stable(), now().encode_to_vec()).unwrap();
    }
    let (then, now) = (promises(&then), promises(&now()));
    let new: Vec<_> = now.keys().filter(|name| !then.contains_key(*name)).collect();
    assert!(new.is_empty() || update, "new in the contract: {new:?}\n`UPDATE_GOLDEN=1` accepts it");
}

fn of_lease(file: &mut prost_types::FileDescriptorProto) -> &mut Vec<FieldDescriptorProto> {
    &mut file.message_type.iter_mut().find(|it| it.name() == "Lease").unwrap().field
}

#[test]
fn every_kind_of_breaking_change_is_found_and_growth_is_none() {
    let changed = |change: fn(&mut prost_types::FileDescriptorProto)| {
        let mut set = now();
        let instrument = |file: &&mut prost_types::FileDescriptorProto| file.name().ends_with("v1/instrument.proto");
        change(set.file.iter_mut().find(instrument).unwrap());
        broken(&now(), &set)
    };
    assert!(changed(|_| {}).is_empty());
    assert!(
        changed(|file| {
            let mut field = of_lease(file).first().unwrap().clone();
            (field.number, field.name) = (Some(99), Some("new".to_owned()));
            of_lease(file).push(field);
        })
        .is_empty()
    );
    let breaking: [fn(&mut prost_types::FileDescriptorProto); 7] = [
        |file| drop(of_lease(file).remove(0)),
        |file| of_lease(file).first_mut().unwrap().number = Some(77),
        |file| of_lease(file).first_mut().unwrap().name = Some("owner".to_owned()),
        |file| of_lease(file).first_mut().unwrap().r#type = Some(12),
        |file| of_lease(file).first_mut().unwrap().label = Some(3),
        |file| drop(file.service.first_mut().unwrap().method.remove(0)),
        |file| file.enum_type.first_mut().unwrap().value.last_mut().unwrap().number = Some(55),
    ];
    for (number, change) in breaking.into_iter().enumerate() {
        assert!(!changed(change).is_empty(), "breaking change {number} is not found");
    }
}

/// What breaks the portable subset that instrument.proto declares, for stacks with a poor protobuf.
fn unportable(within: &str, it: &DescriptorProto, found: &mut Vec<String>) {
    let name = format!("{within}.{}", it.name());
    if it.oneof_decl.len() > 1 {
        found.push(format!("{name} has more than one oneof"));
    }
    for field in &it.field {
        if field.proto3_optional() {
            found.push(format!("{name}.{} is a proto3 optional", field.name()));
        }
        if field.type_name() == format!(".{name}") {
            found.push(format!("{name}.{} is recursive", field.name()));
        }
    }
    for nested in &it.nested_type {
        if nested.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry) {
            found.push(format!("{name} has a map"));
        }
        unportable(&name, nested, found);
    }
}

#[test]
fn the_instrument_contract_stays_within_its_portable_subset() {
    let mut found = Vec::new();
    for file in now().file.iter().filter(|file| file.package() == "eutectic.instrument.v1") {
        file.message_type.iter().for_each(|it| unportable(file.package(), it, &mut found));
    }
    assert_eq!(found, Vec::<String>::new());
    // The check sees what it is there to see.
    let mut lease = DescriptorProto { name: Some("M".into()), ..DescriptorProto::default() };
    lease.field = vec![FieldDescriptorProto {
        proto3_optional: Some(true),
        type_name: Some(".p.M".into()),
        ..FieldDescriptorProto::default()
    }];
    lease.oneof_decl = vec![prost_types::OneofDescriptorProto::default(); 2];
    unportable("p", &lease, &mut found);
    assert_eq!(found.len(), 3, "{found:?}");
}
