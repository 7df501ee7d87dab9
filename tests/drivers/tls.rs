//! TLS and mutual TLS, with certificates made here: who has the right one is served, nobody else.

use crate::driver::Driver;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use std::path::{Path, PathBuf};
use std::process::Command;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

fn put(folder: &Path, name: &str, pem: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, pem).unwrap();
    path
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = put(folder, &format!("{name}.pem"), &params.self_signed(&key).unwrap().pem());
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A certificate and its key.
    fn sign(&self, name: &str, purpose: ExtendedKeyUsagePurpose, until: i32) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        params.extended_key_usages.push(purpose);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let folder = self.file.parent().unwrap();
        (put(folder, &format!("{name}.pem"), &certificate), put(folder, &format!("{name}.key"), &key.serialize_pem()))
    }
}

fn eutectic(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_eutectic")).args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).concat();
    (output.status.success(), said)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn only_who_has_the_right_certificate_is_served_and_a_campaign_runs_by_mutual_tls() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (ours, other) = (Authority::new(here, "authority"), Authority::new(here, "other"));
    let served = ours.sign("driver", ExtendedKeyUsagePurpose::ServerAuth, 4000);
    let right = ours.sign("orchestrator", ExtendedKeyUsagePurpose::ClientAuth, 4000);
    let foreign = other.sign("foreign", ExtendedKeyUsagePurpose::ClientAuth, 4000);
    let expired = ours.sign("expired", ExtendedKeyUsagePurpose::ClientAuth, 2020);
    let flags = ["--tls-certificate", text(&served.0), "--tls-key", text(&served.1), "--tls-client-ca"];
    let driver = Driver::start_with("flow_reactor", 6_000.0, &[&flags[..], &[text(&ours.file)]].concat());
    assert!(driver.address().starts_with("https://"), "{}", driver.address());

    let check = |authority: &Path, identity: Option<&(PathBuf, PathBuf)>| {
        let mut arguments = vec!["driver", "check", driver.address(), "--only", "1,2,3", "--tls-ca", text(authority)];
        if let Some((certificate, key)) = identity {
            arguments.extend(["--tls-certificate", text(certificate), "--tls-key", text(key)]);
        }
        eutectic(here, &arguments)
    };
    let (passed, said) = check(&ours.file, Some(&right));
    assert!(passed && said.contains(" 0 failed"), "{said}");
    for (what, authority, identity) in [
        ("no certificate", &ours, None),
        ("another authority's certificate", &ours, Some(&foreign)),
        ("an expired certificate", &ours, Some(&expired)),
        ("a driver whose authority is not the one expected", &other, Some(&right)),
    ] {
        let (passed, said) = check(&authority.file, identity);
        assert!(!passed, "{what}: {said}");
    }

    let add = ["instrument", "add", driver.address(), "--tls-ca", "authority.pem"];
    let identity = ["--tls-certificate", "orchestrator.pem", "--tls-key", "orchestrator.key"];
    let (added, said) = eutectic(here, &[&add[..], &identity].concat());
    assert!(added, "{said}");
    let (shown, said) = eutectic(here, &["instrument", "show", "flow_reactor"]);
    assert!(shown && said.contains("flow_reactor.react"), "{said}");
    std::fs::write(here.join("campaign.toml"), crate::new::CAMPAIGN).unwrap();
    let (ran, said) = eutectic(here, &["--json", "run", "campaign.toml"]);
    assert!(ran && driver.starts() == 4, "{} starts: {said}", driver.starts());

    let lab = std::fs::read_to_string(here.join("lab.toml")).unwrap();
    let without = lab.lines().filter(|it| !it.contains(".pem") && !it.contains(".key") && *it != "[tls]");
    std::fs::write(here.join("lab.toml"), without.collect::<Vec<_>>().join("\n")).unwrap();
    let (checked, said) = eutectic(here, &["check", "campaign.toml"]);
    assert!(!checked && said.contains("add [tls]"), "{said}");
}
