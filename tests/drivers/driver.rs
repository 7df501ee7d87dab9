//! A simulated driver as a process, and requests to it.

use eutectic_proto::instrument::v1 as wire;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use wire::instrument_service_client::InstrumentServiceClient;
use wire::operation::State;
use wire::value::Kind;

pub(super) const HOLDER: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
/// In the place of a verb of `eutectic driver`: what follows is another program.
const PROGRAM: &str = "program";
/// The folder in which a driver's failpoints are armed.
const FAILPOINTS: &str = "failpoints";
type Client = InstrumentServiceClient<Channel>;

pub(super) struct Driver {
    folder: Arc<tempfile::TempDir>,
    name: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    child: Child,
    address: String,
}

pub(super) async fn connect(address: &str) -> Client {
    InstrumentServiceClient::connect(address.to_owned()).await.unwrap()
}

/// The reason of a refusal, which also has to be in our domain and to carry its code.
pub(super) fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, eutectic_proto::ERROR_DOMAIN);
    assert!(!matches!(status.code(), Code::Unknown | Code::Internal | Code::Unavailable), "{status:?}");
    info.reason
}

fn argument(id: &str, kind: Kind) -> wire::Argument {
    wire::Argument { id: id.into(), value: Some(wire::Value { kind: Some(kind) }) }
}

fn quantity(value: f64, unit: &str) -> Kind {
    Kind::Quantity(wire::Quantity { value, unit: unit.into(), ..Default::default() })
}

pub(super) fn set(request: &mut wire::ExecuteRequest, id: &str, value: f64, unit: &str) {
    let place = request.arguments.iter_mut().find(|it| it.id == id).unwrap();
    *place = argument(id, quantity(value, unit));
}

/// Its own folder and the file with its address are told before everything that belongs to its kind.
fn command_of(folder: &Path, name: &str, arguments: &[String], environment: &[(String, String)]) -> Command {
    let (verb, arguments) = arguments.split_first().unwrap();
    std::fs::create_dir_all(folder.join(name)).unwrap();
    let mut command = match verb.as_str() {
        PROGRAM => Command::new(arguments.first().unwrap()),
        _ => Command::new(env!("CARGO_BIN_EXE_eutectic")),
    };
    let arguments = if verb == PROGRAM { &arguments[1..] } else { arguments };
    if verb != PROGRAM {
        command.args(["driver", verb]);
    }
    command.arg("--folder").arg(folder.join(name));
    command.arg("--address-file").arg(folder.join(format!("{name}.address"))).args(arguments);
    command.env(eutectic_failpoints::FOLDER, folder.join(FAILPOINTS));
    command.envs(environment.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Driver {
    pub(super) fn start(kind: &'static str, speed: f64) -> Self {
        Self::start_with(kind, speed, &[])
    }

    pub(super) fn start_with(kind: &'static str, speed: f64, more: &[&str]) -> Self {
        Self::within(Arc::new(tempfile::tempdir().unwrap()), kind, speed, more)
    }

    /// Another instrument at the same bench.
    pub(super) fn beside(other: &Self, kind: &'static str) -> Self {
        Self::within(Arc::clone(&other.folder), kind, 6_000.0, &[])
    }

    fn within(folder: Arc<tempfile::TempDir>, kind: &'static str, speed: f64, more: &[&str]) -> Self {
        let world = folder.path().join("world");
        std::fs::create_dir_all(&world).unwrap();
        let mut arguments =
            vec!["simulated".to_owned(), "--kind".into(), kind.into(), "--instrument".into(), kind.into()];
        arguments.extend(["--listen".to_owned(), "127.0.0.1:0".into()]);
        arguments.extend(["--speed".to_owned(), speed.to_string(), "--world".into(), world.display().to_string()]);
        arguments.extend(more.iter().map(|&it| it.to_owned()));
        Self::spawned(folder, kind, arguments, &[])
    }

    /// A child program behind `eutectic driver host`.
    pub(super) fn host(
        folder: Arc<tempfile::TempDir>,
        name: &str,
        program: &[String],
        environment: &[(String, String)],
    ) -> Self {
        let mut arguments = vec!["host".to_owned(), "--listen".into(), "127.0.0.1:0".into(), "--".into()];
        arguments.extend(program.iter().cloned());
        Self::spawned(folder, name, arguments, environment)
    }

    /// A driver that is a program of its own, with the flags of every driver.
    pub(super) fn program(folder: Arc<tempfile::TempDir>, name: &str, program: &str) -> Self {
        let arguments = [PROGRAM, program, "--listen", "127.0.0.1:0"].map(str::to_owned).to_vec();
        Self::spawned(folder, name, arguments, &[])
    }

    fn spawned(
        folder: Arc<tempfile::TempDir>,
        name: &str,
        arguments: Vec<String>,
        environment: &[(String, String)],
    ) -> Self {
        let environment = environment.to_vec();
        let child = command_of(folder.path(), name, &arguments, &environment).spawn().unwrap();
        let mut driver = Self { folder, name: name.to_owned(), arguments, environment, child, address: String::new() };
        driver.found();
        driver
    }

    /// The command that started it.
    pub(super) fn command(&self) -> Command {
        command_of(self.folder.path(), &self.name, &self.arguments, &self.environment)
    }

    fn address_file(&self) -> PathBuf {
        self.folder.path().join(format!("{}.address", self.name))
    }

    fn found(&mut self) {
        for _ in 0..200 {
            let text = std::fs::read_to_string(self.address_file()).unwrap_or_default();
            if let Some((address, process)) = text.split_once('\n')
                && process.trim() == self.child.id().to_string()
            {
                address.clone_into(&mut self.address);
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the driver doesn't say where it listens");
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn restart(&mut self) {
        self.child = self.command().spawn().unwrap();
        self.found();
    }

    /// Waits until the instrument would take an operation.
    pub(super) async fn ready(&self) {
        let mut client = self.client().await;
        for _ in 0..100 {
            let request = wire::GetStatusRequest { instrument: self.name.clone() };
            let status = client.get_status(request).await.unwrap().into_inner().status.unwrap();
            if status.readiness() == wire::instrument_status::Readiness::Ready {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the instrument does not get ready");
    }

    /// From now on the driver waits at this failpoint.
    pub(super) fn arm(&self, failpoint: &str) {
        let folder = self.folder.path().join(FAILPOINTS);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(failpoint), "").unwrap();
    }

    /// Waits until the driver waits there.
    pub(super) async fn reached(&self, failpoint: &str) {
        let reached = self.folder.path().join(FAILPOINTS).join(format!("{failpoint}.reached"));
        for _ in 0..1000 {
            if reached.exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{failpoint} is not reached");
    }

    /// Lets it go on, if it still lives.
    pub(super) fn go_on(&self, failpoint: &str) {
        std::fs::remove_file(self.folder.path().join(FAILPOINTS).join(format!("{failpoint}.reached"))).unwrap();
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) async fn client(&self) -> Client {
        connect(&self.address).await
    }

    /// Where the hardware counts its own starts.
    pub(super) fn starts_file(&self) -> PathBuf {
        self.folder.path().join("world").join(format!("{}.starts", self.name))
    }

    /// Physical starts by the hardware's own count.
    pub(super) fn starts(&self) -> usize {
        std::fs::read_to_string(self.starts_file()).map_or(0, |text| text.lines().count())
    }

    pub(super) fn lease_request(&self, holder: &str, epoch: i64) -> wire::AcquireLeaseRequest {
        wire::AcquireLeaseRequest {
            instrument: self.name.clone(),
            holder: holder.into(),
            holder_epoch: epoch,
            ttl: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
            ..Default::default()
        }
    }

    pub(super) async fn lease(&self, client: &mut Client, epoch: i64) -> i64 {
        let lease = client.acquire_lease(self.lease_request(HOLDER, epoch)).await.unwrap();
        lease.into_inner().lease.unwrap().fencing_token
    }

    fn execute(&self, id: &str, token: i64, capability: &str, arguments: Vec<wire::Argument>) -> wire::ExecuteRequest {
        wire::ExecuteRequest {
            instrument: self.name.clone(),
            operation_id: id.into(),
            fencing_token: token,
            capability: capability.into(),
            capability_version: "1.0.0".into(),
            arguments,
            request_hash: vec![1; 32],
            context: Some(wire::Context { campaign: "test".into(), experiment: 1, attempt: 1, ..Default::default() }),
            ..Default::default()
        }
    }

    /// An operation without arguments.
    pub(super) fn bare(&self, id: &str, token: i64, capability: &str) -> wire::ExecuteRequest {
        self.execute(id, token, capability, Vec::new())
    }

    /// An operation with one number.
    pub(super) fn quantity(
        &self,
        id: &str,
        token: i64,
        capability: &str,
        name: &str,
        value: f64,
        unit: &str,
    ) -> wire::ExecuteRequest {
        self.execute(id, token, capability, vec![argument(name, quantity(value, unit))])
    }

    /// A reaction of so many minutes.
    pub(super) fn react(&self, id: &str, token: i64, minutes: f64) -> wire::ExecuteRequest {
        let arguments = vec![
            argument("residence_time", quantity(minutes, "min")),
            argument("equivalents", quantity(2.0, "1")),
            argument("concentration", quantity(0.3, "mol/L")),
            argument("temperature", quantity(75.0, "Cel")),
        ];
        self.execute(id, token, "flow_reactor.react", arguments)
    }

    pub(super) fn assay(&self, id: &str, token: i64, vial: &str, experiment: i64) -> wire::ExecuteRequest {
        let mut request = self.execute(id, token, "hplc.assay", vec![argument("sample", Kind::Sample(vial.into()))]);
        request.context.as_mut().unwrap().experiment = experiment;
        request
    }

    /// The operation once it has ended.
    pub(super) async fn ended(&self, client: &mut Client, id: &str) -> wire::Operation {
        for _ in 0..60 {
            let request = wire::GetOperationRequest {
                instrument: self.name.clone(),
                operation_id: id.into(),
                last_seen_sequence: i64::MAX,
                wait: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
            };
            let operation = client.get_operation(request).await.unwrap().into_inner().operation.unwrap();
            let open = [State::Accepted, State::Running, State::Held, State::Aborting];
            if !open.contains(&operation.state()) {
                return operation;
            }
        }
        panic!("operation {id} doesn't end");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
