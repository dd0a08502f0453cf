//! What the programs are made of, read from `Cargo.lock`: one of each that must be one, none of what must not be there.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::source::read;

/// Two of one of these would be two runtimes, two TLS libraries, types that do not fit.
const ONE: [&str; 8] = ["ring", "rustls", "http", "hyper", "h2", "tower", "tokio", "tonic"];
/// These need a C library of the host, or a second cryptography.
const NONE: [&str; 4] = ["openssl-sys", "aws-lc-rs", "aws-lc-sys", "native-tls"];

/// Packages of the lock by name, each with the names of what it depends on; two versions share a name.
fn lock() -> BTreeMap<String, Vec<Vec<String>>> {
    let lock: toml::Table = toml::from_str(&read("Cargo.lock")).unwrap();
    let mut packages: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let needs = package.get("dependencies").and_then(toml::Value::as_array);
        let needs = needs
            .into_iter()
            .flatten()
            .map(|need| need.as_str().unwrap().split(' ').next().unwrap().to_owned());
        let name = package["name"].as_str().unwrap().to_owned();
        packages.entry(name).or_default().push(needs.collect());
    }
    packages
}

#[test]
fn there_is_one_of_what_must_be_one_and_none_of_what_must_not_be() {
    let packages = lock();
    let versions = |name: &str| packages.get(name).map_or(0, Vec::len);
    let wrong: Vec<_> = ONE
        .iter()
        .filter(|name| versions(name) != 1)
        .chain(NONE.iter().filter(|name| versions(name) != 0))
        .map(|name| format!("Cargo.lock has {} versions of {name}", versions(name)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_bridge_has_nothing_of_the_cloud() {
    let packages = lock();
    let mut open = vec!["aloft-bridge".to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if seen.insert(name.clone()) {
            open.extend(packages[&name].iter().flatten().cloned());
        }
    }
    assert!(seen.len() > 50, "{seen:?}");
    for foreign in ["aloft-cloud", "rusqlite", "libsqlite3-sys", "seccompiler", "reqwest"] {
        assert!(packages.contains_key(foreign), "{foreign} is not in Cargo.lock any more");
        assert!(!seen.contains(foreign), "aloft-bridge depends on {foreign}");
    }
}

#[test]
fn every_package_comes_from_the_public_registry() {
    let lock: toml::Table = toml::from_str(&read("Cargo.lock")).unwrap();
    for package in lock["package"].as_array().unwrap() {
        let source = package.get("source").and_then(toml::Value::as_str);
        assert!(
            source.is_none_or(
                |source| source == "registry+https://github.com/rust-lang/crates.io-index"
            ),
            "Cargo.lock: {} comes from {source:?}",
            package["name"]
        );
    }
}
